package cli

import (
	"context"
	"fmt"
	"net/mail"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/model"
)

// tagFlags adds the flags that change tags.
func tagFlags(c *cobra.Command, e *model.EditTags) {
	c.Flags().StringSliceVar(&e.Add, "tag", nil, "a tag to add (repeatable): gold")
	c.Flags().StringSliceVar(&e.Remove, "untag", nil, "a tag to take away (repeatable)")
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

// vendorSet changes a vendor's tags.
func (a *app) vendorSet() *cobra.Command {
	var e model.EditTags
	c := command("set SHORT", "Change a vendor's tags", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			e.Vendor = args[0]
			return a.onlyTags(ctx, e)
		})
	tagFlags(c, &e)
	c.MarkFlagsOneRequired("tag", "untag")
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
