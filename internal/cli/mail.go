package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/offline"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) mailCommand() *cobra.Command {
	test := command("test ADDRESS", "Send a mail now, and say what the server said", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := a.client().TestMail(ctx, model.TestMail{To: args[0]}); err != nil {
				return err
			}
			return a.done(map[string]string{"to": args[0]}, "The mail server took a test mail to %s.", args[0])
		})
	return group("mail", "Mail to partners and to the operator", test, a.mailBounce(), a.mailKinds(), a.mailPreview(),
		a.mailTemplates())
}

func (a *app) mailBounce() *cobra.Command {
	var why string
	c := command("bounce [ADDRESS | -]",
		"Note that mail to an address came back; - reads the mail server's report (RFC 3464)", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if args[0] == "-" {
				return a.mailReport(ctx)
			}
			v, err := a.client().NoteBounce(ctx, model.Bounce{Address: args[0], Why: why})
			if err != nil {
				return err
			}
			return a.done(v, "%s", bounceText(v))
		})
	c.Flags().StringVar(&why, "why", "an operator said so", "what the report said")
	return c
}

// bounceText says what noting a bounce changed.
func bounceText(v model.Bounced) string {
	var people []string
	for _, c := range v.Contacts {
		people = append(people, c.Name+" of "+c.Of())
	}
	text := "No contact has the address " + v.Address + "."
	if len(people) > 0 {
		text = v.Address + " is noted as not reached: " + strings.Join(people, ", ") + "."
	}
	switch v.Mails {
	case 0:
		text += " No mail of the last 14 days went there."
	case 1:
		text += " 1 mail of the last 14 days counts as not delivered."
	default:
		text += fmt.Sprintf(" %d mails of the last 14 days count as not delivered.", v.Mails)
	}
	if len(v.Contacts) > 0 {
		text += "\nWith the right address: sallyport contact set " + word(v.Address) + " --email ADDRESS"
	}
	return text
}

// mailReport reads a delivery report, and sends its content to the server.
func (a *app) mailReport(ctx context.Context) error {
	report, err := offline.ReadBounce(a.In)
	if err != nil {
		return err
	}
	if len(report.Failures) == 0 {
		return a.done(report, "The report says that nothing failed for good; nothing was changed.")
	}
	m, err := a.client().ReportBounce(ctx, report)
	if err != nil {
		return err
	}
	return a.done(m, "The mail %q to %s is noted as not delivered.", m.Subject, m.Target)
}

func (a *app) mailKinds() *cobra.Command {
	return command("kinds", "List the kinds of mail: what each says, and to whom", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().ListMailKinds(ctx)
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			t := table{head: []string{"KIND", "WHAT IT SAYS, AND TO WHOM"}}
			for _, k := range v.Kinds {
				t.add(k.Name, k.About)
			}
			if err := a.show(v, t); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.Out, "\nTemplates are in: %s. See one: sallyport mail preview KIND\n",
				strings.Join(v.Languages, ", "))
			return err
		})
}

func (a *app) mailPreview() *cobra.Command {
	var in model.PreviewMail
	var html string
	c := command("preview KIND", "Show a mail without sending it: with a sample, or with a user's own facts",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			in.Kind = args[0]
			v, err := a.client().PreviewMail(ctx, in)
			if err != nil {
				return err
			}
			if html != "" {
				if err := replaceFile(html, []byte(v.HTML), 0o644); err != nil { // a preview takes the place of the last
					return fault.E("cli.mailPreview", fault.Invalid, "The file %s cannot be written: %v.", html, err)
				}
			}
			if a.json {
				return a.show(v, table{})
			}
			if err := a.card(v, [2]string{"Subject", v.Subject}, [2]string{"Attached", joined(fileNames(v.Files), "")},
				[2]string{"HTML", html}); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(a.Out, "\n%s", printableLines(v.Text)); err != nil {
				return err
			}
			if v.Sample && in.User != "" {
				fmt.Fprintln(a.Err, "What happened in this mail is a sample; its people and names are real.")
			}
			return nil
		})
	c.Flags().StringVar(&in.User, "user", "", "whose facts it shows (default: a sample's)")
	c.Flags().StringVar(&in.Language, "language", "", "language: de, pt-BR (default: that of the user's account)")
	c.Flags().StringVar(&html, "html", "", "write its HTML to this file, for a browser")
	return c
}

func fileNames(list []model.MessageFile) (names []string) {
	for _, f := range list {
		names = append(names, f.Name)
	}
	return names
}

func (a *app) mailTemplates() *cobra.Command {
	var out string
	c := command("templates --out DIR", "Write the built-in templates into a folder, to change or translate them",
		cobra.NoArgs, func(context.Context, []string) error {
			list, err := writeTemplates(out)
			if err != nil {
				return err
			}
			return a.done(list, "%d files were written to %s. README.txt says how to change them. Keep those that you change, "+
				"and name the folder: mail.templates", len(list), out)
		})
	c.Long = `Write the built-in templates into a folder: layout.html, and for each kind of mail a text in
the folder en. README.txt there says how to change and translate them. The server uses the folder
that mail.templates names, and the built-in templates for what is not in it. It checks all of them
when it starts.`
	c.Flags().StringVar(&out, "out", "", "folder")
	_ = c.MarkFlagRequired("out")
	return c
}

// writeTemplates copies the built-in templates to a folder, and returns the files written. It does
// not replace existing files.
func writeTemplates(dir string) ([]string, error) {
	const op = "cli.mailTemplates"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.E(op, fault.Invalid, "The folder cannot be made: %v.", err)
	}
	var done []string
	put := func(name string, text []byte) error {
		done = append(done, name)
		return landFile(filepath.Join(dir, name), func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}
	err := fs.WalkDir(offline.MailTemplates(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(dir, name), 0o755)
		}
		text, err := fs.ReadFile(offline.MailTemplates(), name)
		if err != nil {
			return err
		}
		return put(name, text)
	})
	if err == nil {
		err = put("README.txt", []byte(offline.MailManual()))
	}
	return done, fault.Wrap(op, fault.Invalid, err)
}
