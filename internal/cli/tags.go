package cli

import (
	"context"
	"fmt"
	"net/mail"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// tagFlags adds the flags that change tags.
func tagFlags(c *cobra.Command, e *model.EditTags) {
	newTagsFlag(c, &e.Add)
	c.Flags().StringSliceVar(&e.Remove, "untag", nil, "a tag to take away (repeatable)")
}

// newTagsFlag adds the flag for tags of what is added.
func newTagsFlag(c *cobra.Command, to *[]string) {
	c.Flags().StringSliceVar(to, "tag", nil, "a tag to add (repeatable): gold")
}

// editTags changes tags if flags ask for it. to is set to the tags afterwards.
func (a *app) editTags(ctx context.Context, e model.EditTags, to *[]string) error {
	if len(e.Add)+len(e.Remove) == 0 {
		return nil
	}
	v, err := a.client().EditTags(ctx, e)
	*to = v.Tags
	return err
}

// onlyTags changes tags and nothing else.
func (a *app) onlyTags(ctx context.Context, e model.EditTags) error {
	v, err := a.client().EditTags(ctx, e)
	if err != nil {
		return err
	}
	return a.done(v, "The tags of %s are: %s.", v.Of, joined(v.Tags, "none"))
}

// vendorSet changes a vendor's name and tags.
func (a *app) vendorSet() *cobra.Command {
	var in model.EditVendor
	var tags model.EditTags
	c := command("set SHORT", "Change a vendor's name or tags", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if tags.Vendor = args[0]; in.Name == nil {
				return a.onlyTags(ctx, tags)
			}
			v, err := a.client().EditVendor(ctx, args[0], in)
			if err != nil {
				return err
			}
			if err := a.editTags(ctx, tags, &v.Tags); err != nil {
				return err
			}
			return a.done(v, "Vendor %s was changed: it is %s.", v.Short, valid.Printable(v.Name))
		})
	optText(c, &in.Name, "name", "", "company name")
	tagFlags(c, &tags)
	c.MarkFlagsOneRequired("name", "tag", "untag")
	return c
}

// parsePerson reads a name with an address: Jo Hill <jo@example.com>.
func parsePerson(s string) (model.Person, error) {
	if strings.TrimSpace(s) == "" || s == "none" {
		return model.Person{}, nil
	}
	p, err := mail.ParseAddress(s)
	if err != nil || p.Name == "" {
		return model.Person{}, fmt.Errorf("%q is not a name with a mail address: write 'Jo Hill <jo@example.com>'", s)
	}
	return model.Person{Name: p.Name, Email: p.Address}, nil
}
