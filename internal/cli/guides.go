package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// manyGuides chooses the users whose guides are written into a folder.
type manyGuides struct {
	out, account, tag string
	all               bool
}

func (m *manyGuides) flags(c *cobra.Command) {
	c.Flags().StringVar(&m.out, "out", "", "write a file for each user into this folder: acme.html, acme-carrier1.html")
	c.Flags().StringVar(&m.account, "account", "", "with --out: of this account's users")
	c.Flags().StringVar(&m.tag, "tag", "", "with --out: of users with this tag, or of an account with it")
	c.Flags().BoolVar(&m.all, "all", false, "with --out: of all users")
}

// single refuses what needs a folder.
func (m *manyGuides) single(args []string) error {
	const op = "cli.guide"
	switch {
	case m.account != "" || m.tag != "" || m.all || len(args) > 1:
		return fault.E(op, fault.Invalid, "Guides for many users need a folder.").WithHint("add --out DIR")
	case len(args) == 0:
		return fault.E(op, fault.Invalid, "Name a user.").WithHint("or with --out DIR, many: --account ID, --tag T or --all")
	}
	return nil
}

// users lists the users that are meant, each once. Disabled users and programs of the platform's own have
// no use for a guide; they are left out unless they are named.
func (m *manyGuides) users(ctx context.Context, c *client.Client, named []string) ([]string, error) {
	out := slices.Clone(named)
	if m.account == "" && m.tag == "" && !m.all {
		if len(out) == 0 {
			return nil, fault.E("cli.guide", fault.Invalid, "Name users, or give --account ID, --tag T or --all.")
		}
		return out, nil
	}
	list, err := client.All(ctx, c.ListUsers, model.UserFilter{Account: m.account, Tag: m.tag})
	for _, u := range list {
		if u.Enabled && u.Kind != model.KindService && !slices.Contains(out, u.Name) {
			out = append(out, u.Name)
		}
	}
	return out, err
}

// guideEndings are the ends of the names of guides, by format. A file is a page unless text is asked for.
var guideEndings = map[string]string{"html": ".html", "md": ".md", "text": ".txt"}

// writeGuides writes a guide for each user into a folder.
func (a *app) writeGuides(ctx context.Context, m manyGuides, named []string, q model.GuideQuery,
	test bool) error {
	const op = "cli.guide"
	if test {
		return fault.E(op, fault.Invalid, "A test is of one user, and writes no file.")
	}
	users, err := m.users(ctx, a.client(), named)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.out, 0o755); err != nil {
		return fault.E(op, fault.Invalid, "The folder %s cannot be made: %v.", m.out, fault.InWords(err))
	}
	written := []string{}
	for _, u := range users {
		q.User = u
		v, err := a.client().ShowGuide(ctx, q)
		if err != nil {
			return err
		}
		path := filepath.Join(m.out, valid.FileFor(u)+guideEndings[v.Format])
		if slices.Contains(written, path) { // "a b" and "a_b"
			path = filepath.Join(m.out, fmt.Sprintf("%s-%d%s", valid.FileFor(u), len(written), guideEndings[v.Format]))
		}
		if err := replaceFile(path, []byte(v.Text), 0o644); err != nil {
			return fault.E(op, fault.Invalid, "The file %s cannot be written: %v.", path, fault.InWords(err))
		}
		written = append(written, path)
		if !a.json {
			fmt.Fprintln(a.Out, path)
		}
	}
	if a.json {
		return a.show(written, table{})
	}
	if len(written) == 0 {
		_, err = fmt.Fprintln(a.Out, "There are no such users.")
	}
	return err
}
