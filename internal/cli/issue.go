package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// issuing is a key pair that is made for a partner. Its secrets leave this process only through the
// two channels of issue.
type issuing struct {
	newKey
	user, kind          string
	ppk                 int
	out, passphraseFile string
	keyTo, passphraseTo string
	pair                keys.Pair
	passphrase          string
	sheet               string // the text beside the key files
	mail                *bool  // nil: if the server has a mail server
	parts               []part
	files               []string // files that were written
	madeDir             bool
}

// part is what one person gets by a one-time link.
type part struct {
	what string // for the operator
	pack keys.Package
	link model.Link
	at   string // address of the link
	sent bool   // it is mailed
	why  string // why it is not, if it was to be
}

// mailUsage is the help of --mail.
const mailUsage = "mail the links from this server (default, if it has a mail server); --mail=false prints them"

// mails says whether one-time links are mailed by the server.
func (a *app) mails(ctx context.Context, want *bool) (bool, error) {
	if want != nil && !*want {
		return false, nil
	}
	server, err := a.client().ShowServer(ctx)
	if err == nil && want != nil && !server.Mail {
		err = fault.E("cli.mails", fault.Conflict, "This server has no mail server.").
			WithHint("set mail.host and mail.from in the configuration, or leave --mail out and hand the links over yourself")
	}
	return server.Mail, err
}

// mailLink has the server mail a link. It returns why that was not done, or "".
func (a *app) mailLink(ctx context.Context, l model.Link, p keys.Package) string {
	if _, err := a.client().MailLink(ctx, l.ID, model.MailLink{Secret: p.Secret}); err != nil {
		return fault.PublicText(err)
	}
	return ""
}

func (a *app) keyIssue() *cobra.Command {
	var in issuing
	c := command("issue USER (--out DIR | --key-to CONTACT --passphrase-to CONTACT)",
		"Make a key pair for a user, encrypted, and enrol its public half", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in.user = args[0]
			return a.issue(ctx, &in)
		})
	c.Long = `Make a key pair on this machine, encrypted under a passphrase of seven random words, and
enrol its public half. Key file and passphrase leave by two channels:

  --out DIR       the key files go there, and the passphrase is printed once, here
                  (or goes to a file of its own with --passphrase-file);
  --key-to and --passphrase-to
                  one-time links for two different contacts with verified addresses,
                  which work once within 72 hours. The server mails each to its contact;
                  without a mail server, or with --mail=false, they are printed here, and
                  you hand them over.

Nothing secret is stored or sent in clear: a lost passphrase means a new pair.`
	in.flags(c)
	return c
}

func (in *issuing) flags(c *cobra.Command) {
	in.newKey.flags(c)
	c.Flags().StringVar(&in.kind, "type", "ed25519", "type of key: "+strings.Join(keys.IssuedTypes, ", "))
	c.Flags().IntVar(&in.ppk, "ppk", 3, "version of the PuTTY file: 3, or 2 for WinSCP before 5.20 and PuTTY before 0.75")
	c.Flags().StringVar(&in.out, "out", "", "folder for the key files")
	c.Flags().StringVar(&in.passphraseFile, "passphrase-file", "",
		"new file for the passphrase, outside of --out (default: print it once)")
	c.Flags().StringVar(&in.keyTo, "key-to", "", "contact (id or e-mail) who gets the one-time link to the key file")
	c.Flags().StringVar(&in.passphraseTo, "passphrase-to", "",
		"another contact, who gets the one-time link to the passphrase")
	optBool(c, &in.mail, "mail", mailUsage)
	c.MarkFlagsMutuallyExclusive("out", "key-to")
	c.MarkFlagsMutuallyExclusive("out", "mail")
	c.MarkFlagsMutuallyExclusive("passphrase-file", "passphrase-to")
	c.MarkFlagsRequiredTogether("key-to", "passphrase-to")
	_ = c.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(keys.IssuedTypes, cobra.ShellCompDirectiveNoFileComp))
}

// issue makes a pair, writes it to files or makes links to it, and enrols it. If a step fails, it
// undoes the earlier ones.
func (a *app) issue(ctx context.Context, in *issuing) (err error) {
	if err := a.checkIssue(ctx, in); err != nil {
		return err
	}
	send := false
	if in.out == "" {
		if send, err = a.mails(ctx, in.mail); err != nil {
			return err
		}
	}
	if err := in.make(); err != nil {
		return err
	}
	sheet, err := a.client().ShowKeySheet(ctx, in.user)
	if err != nil {
		return err
	}
	in.sheet = sheet.Text
	defer func() {
		if err != nil {
			a.undo(ctx, in)
		}
	}()
	if in.out != "" {
		err = in.write()
	} else {
		err = a.makeLinks(ctx, in)
	}
	if err != nil {
		return err
	}
	in.Text, in.Origin = string(in.pair.PubFile), model.OriginIssued
	added, err := a.client().AddKeys(ctx, in.user, in.NewKey)
	if err != nil {
		return err
	}
	for i := range in.parts { // only now: a mail cannot be taken back
		if p := &in.parts[i]; send {
			p.why = a.mailLink(ctx, p.link, p.pack)
			p.sent = p.why == ""
		}
	}
	return a.sayIssued(in, added[0])
}

func (a *app) checkIssue(ctx context.Context, in *issuing) error {
	const op = "cli.issue"
	if err := in.ready(ctx, a); err != nil {
		return err
	}
	if in.out == "" && in.keyTo == "" {
		return fault.E(op, fault.Invalid, "Say where the key goes.").
			WithHint("--out DIR, or --key-to CONTACT --passphrase-to CONTACT")
	}
	if in.out == "" {
		if in.Holder == "" {
			in.Holder = in.keyTo
		}
		return nil
	}
	if a.json && in.passphraseFile == "" {
		return fault.E(op, fault.Invalid, "With --json the passphrase is not printed; name a file for it.").
			WithHint("--passphrase-file FILE, outside of --out")
	}
	out, err := filepath.Abs(in.out)
	file, err2 := filepath.Abs(in.passphraseFile)
	if err != nil || err2 != nil {
		return fault.Wrap(op, fault.Invalid, errors.Join(err, err2))
	}
	if rel, err := filepath.Rel(out, file); in.passphraseFile != "" && err == nil && !strings.HasPrefix(rel, "..") {
		return fault.E(op, fault.Invalid, "Key file and passphrase would lie in one folder; they go on two ways.").
			WithHint("name a --passphrase-file elsewhere")
	}
	return nil
}

func (in *issuing) make() (err error) {
	if in.passphrase, err = keys.Passphrase(); err != nil {
		return err
	}
	in.pair, err = keys.Issue(in.kind, in.user, in.passphrase, in.ppk)
	return err
}

// keyFiles returns the files for the partner.
func (in *issuing) keyFiles() []keys.File { return in.pair.Files(in.user, in.sheet) }

// write writes the key files and, if a file is named for it, the passphrase. It does not replace
// files. Private keys are always encrypted.
func (in *issuing) write() error {
	const op = "cli.issue"
	_, err := os.Stat(in.out)
	in.madeDir = errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(in.out, 0o700); err != nil {
		return fault.E(op, fault.Invalid, "The folder cannot be made: %v.", fault.InWords(err))
	}
	files := in.keyFiles()
	for i := range files {
		files[i].Name = filepath.Join(in.out, files[i].Name)
	}
	if in.passphraseFile != "" {
		files = append(files, keys.File{Name: in.passphraseFile, Content: []byte(in.passphrase + "\n")})
	}
	for _, f := range files {
		w, err := os.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fault.E(op, fault.Invalid, "The key file cannot be made: %v.", fault.InWords(err)).
				WithHint("choose an empty folder; key files are never overwritten")
		}
		in.files = append(in.files, f.Name)
		_, err = w.Write(f.Content)
		if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
			return fault.E(op, fault.NoSpace, "The key file %s cannot be written: %v.", f.Name, fault.InWords(err))
		}
	}
	return nil
}

// makeLinks encrypts the key files and the passphrase here, and stores them on the server, which
// cannot decrypt them.
func (a *app) makeLinks(ctx context.Context, in *issuing) error {
	for _, l := range []struct {
		kind  model.LinkKind
		what  string
		to    string
		files []keys.File
	}{{model.LinkKey, "Key file", in.keyTo, in.keyFiles()}, {model.LinkPassphrase, "Passphrase", in.passphraseTo,
		keys.PassphraseFiles(in.passphrase)}} {
		p, err := keys.Seal(l.files)
		if err != nil {
			return err
		}
		made, at, err := a.makeLink(ctx, p,
			model.NewLink{Kind: l.kind, User: in.user, Contact: l.to, Fingerprint: in.pair.Public.Fingerprint, Sealed: p.Sealed})
		if err != nil {
			return err
		}
		in.parts = append(in.parts, part{what: l.what, pack: p, link: made, at: at})
	}
	return nil
}

// makeLink records a link, and returns it with the address at which it is opened.
func (a *app) makeLink(ctx context.Context, p keys.Package, in model.NewLink) (l model.Link, at string, err error) {
	server, err := a.client().ShowServer(ctx)
	if err != nil {
		return l, "", err
	}
	if server.Web == "" {
		return l, "", fault.E("cli.makeLink", fault.Conflict, "This server has no web address, so nobody could open a link.").
			WithHint("set web.listen and web.url in the configuration, or use --out DIR")
	}
	in.Token = p.Token
	l, err = a.client().MakeLink(ctx, in)
	return l, strings.TrimSuffix(server.Web, "/") + "/handover/" + p.Secret, err
}

// undo removes what a failed issue has left.
func (a *app) undo(ctx context.Context, in *issuing) {
	for _, f := range in.files {
		_ = os.Remove(f) // we wrote it a moment ago
	}
	if in.madeDir {
		_ = os.Remove(in.out) // only if it is empty
	}
	for _, p := range in.parts {
		_, _ = a.client().RevokeLink(ctx, p.link.ID) // after an error it expires by itself
	}
}

func (a *app) sayIssued(in *issuing, k model.Key) error {
	if a.json {
		return a.show(in.report(k), table{})
	}
	fmt.Fprintf(a.Out, "Key %s (%s, %d bits) may log in as %s now.\n\n", k.Fingerprint, k.Type, k.Bits, k.User)
	if in.out == "" {
		in.sayLinks(a.Out)
	} else {
		fmt.Fprintf(a.Out, "Key files (private, encrypted; the public half; what to do with them):\n  %s\n",
			strings.Join(in.files[:len(in.keyFiles())], "\n  "))
		if in.passphraseFile == "" {
			fmt.Fprintf(a.Out, "\nPassphrase, shown this once:\n\n  %s\n", in.passphrase)
		} else {
			fmt.Fprintf(a.Out, "Passphrase: in %s\n", in.passphraseFile)
		}
		fmt.Fprintln(a.Out, "\nGive the files to one person, and the passphrase to another, by another channel.")
	}
	if in.Replaces != "" {
		fmt.Fprintf(a.Out,
			"The key %s works beside it for now, and retires a day after the new one's first log-in, "+
				"or when the overlap ends.\n", in.Replaces)
	}
	_, err := fmt.Fprintf(a.Out, "Next: sallyport guide %s --format html > %s.html\n", word(in.user),
		valid.FileFor(in.user))
	return err
}

// report is what --json prints. Links that were mailed are not in it.
func (in *issuing) report(k model.Key) map[string]any {
	out := map[string]any{"key": k, "files": in.files}
	var links []model.Link
	var mailed []string
	for _, p := range in.parts {
		links = append(links, p.link)
		if p.sent {
			mailed = append(mailed, p.link.Contact)
		} else {
			out[string(p.link.Kind)+"_link"] = p.at
		}
	}
	out["links"], out["mailed"] = links, mailed
	return out
}

// sayLinks says what was mailed to whom, and prints the links that the operator hands over.
func (in *issuing) sayLinks(w io.Writer) {
	byHand := false
	for _, p := range in.parts {
		switch {
		case p.sent:
			fmt.Fprintf(w, "%s: a mail with a one-time link is on its way to %s.\n", p.what, p.link.Contact)
			continue
		case p.why != "":
			fmt.Fprintln(w, p.why)
		}
		byHand = true
		fmt.Fprintf(w, "%s, for %s:\n  %s\n", p.what, p.link.Contact, p.at)
	}
	if byHand {
		fmt.Fprint(w, "\nSend each link to its person alone. ")
	} else {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "Each works once, until %s.\n", when(in.parts[0].link.ExpiresAt))
}

func (a *app) keyRotate() *cobra.Command {
	var in issuing
	var old string
	c := command("rotate USER FILE|-", "Replace a key: both work for a while, and the old one retires by itself",
		cobra.RangeArgs(1, 2), func(ctx context.Context, args []string) (err error) {
			const op = "cli.rotate"
			issue := in.out != "" || in.keyTo != ""
			if issue == (len(args) == 2) {
				return fault.E(op, fault.Invalid, "Give the new public key's file, or say where a new pair goes.").
					WithHint("sallyport key rotate USER FILE, or: sallyport key rotate USER --out DIR")
			}
			in.user, in.Replaces = args[0], old
			if old == "" {
				if in.Replaces, err = a.onlyKey(ctx, args[0]); err != nil {
					return err
				}
			}
			if issue {
				return a.issue(ctx, &in)
			}
			if err := in.ready(ctx, a); err != nil {
				return err
			}
			return a.enrol(ctx, args[0], args[1], in.newKey)
		})
	c.Long = `Replace a key by another: one that the partner sent (FILE), or a pair made here (--out or
--key-to, as in "key issue"). Both keys work during the overlap (14 days, unless configured
otherwise). The old one retires a day after the new one's first log-in, or when the overlap
ends, whichever is first.`
	in.flags(c)
	in.private.flags(c)
	c.Flags().StringVar(&old, "old", "", "fingerprint of the key that is replaced (default: the user's only one)")
	return c
}

// onlyKey returns the fingerprint of the user's only key in use, which rotate replaces by default.
func (a *app) onlyKey(ctx context.Context, user string) (string, error) {
	const op = "cli.rotate"
	list, err := client.All(ctx, a.client().ListKeys, model.UserKeyFilter{User: user})
	if err != nil {
		return "", err
	}
	var live []string
	for _, k := range list {
		if k.State == model.KeyActive || k.State == model.KeyRetiring {
			live = append(live, k.Fingerprint)
		}
	}
	switch len(live) {
	case 0:
		return "", fault.E(op, fault.NotFound, "User %s has no key that could be replaced.", user).
			WithHint("sallyport key add %s FILE", user)
	case 1:
		return live[0], nil
	}
	return "", fault.E(op, fault.Conflict, "User %s has %d keys in use; say which one is replaced.", user, len(live)).
		WithHint("--old %s", strings.Join(live, ", or --old "))
}
