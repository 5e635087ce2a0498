package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) receiptCommand() *cobra.Command {
	show := command("show ID", "Print the signed receipt of a delivery or of a received file", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			r, err := a.client().DeliveryReceipt(ctx, args[0])
			if fault.Is(err, fault.NotFound) {
				r, err = a.client().DropReceipt(ctx, args[0])
				if fault.Is(err, fault.NotFound) {
					return fault.E("cli.receipt", fault.NotFound, "There is no delivery and no received file %q.",
						valid.Printable(args[0])).
						WithHint("list them with: sallyport delivery list, sallyport inbox list")
				}
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.show(r, table{})
			}
			_, err = io.WriteString(a.Out, r.Text)
			return err
		})
	key := command("key", "Print the public key that receipts, reports and checkpoints are verified with", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			r, err := a.client().ShowSigningKey(ctx)
			if err != nil {
				return err
			}
			return a.done(map[string]string{"key": r.Text}, "%s", r.Text)
		})
	return group("receipt", "Signed records of deliveries and received files", show, a.receiptVerify(), key)
}

func (a *app) receiptVerify() *cobra.Command {
	var key string
	c := command("verify FILE",
		"Verify a receipt or a removal report, offline, with the public key alone; - is standard input", cobra.ExactArgs(1),
		func(_ context.Context, args []string) error {
			signed, err := a.readSigned(args[0])
			if err != nil {
				return err
			}
			public, err := a.publicKey(key)
			if err != nil {
				return err
			}
			d, err := proof.Open(signed, public)
			if err != nil {
				return err
			}
			if a.json {
				return a.show(d, table{})
			}
			fmt.Fprintf(a.Out, "The signature is good. %s:\n", d.Title)
			fields := make([][2]string, len(d.Fields))
			for i, f := range d.Fields {
				fields[i] = [2]string{f.Name, f.Value}
			}
			return a.card(d, fields...)
		})
	c.Flags().StringVar(&key, "key", "", "the public key, or a file with it (default: the data folder's signing/key.pub)")
	return c
}

// readSigned reads a signed text from a file, or from standard input for "-".
func (a *app) readSigned(name string) (string, error) {
	const op = "cli.readSigned"
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fault.E(op, fault.NotFound, "The file cannot be read: %v.", fault.InWords(err))
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxSigned))
	return string(b), fault.Wrap(op, fault.Invalid, err)
}

// maxSigned is the largest receipt, report or checkpoint that is read, in bytes.
const maxSigned = 4 << 20

// publicKey returns the key to verify with: the given line, the content of a file, or the data
// folder's key.
func (a *app) publicKey(key string) (string, error) {
	if key == "" {
		key = filepath.Join(proof.SigningDir(a.dataDir()), "key.pub")
		if _, err := os.Stat(key); err != nil {
			return "", fault.E("cli.publicKey", fault.NotFound, "There is no public key in %s.", a.dataDir()).
				WithHint("give it with --key: a file, or the line that 'sallyport receipt key' prints")
		}
	}
	if b, err := os.ReadFile(key); err == nil {
		return string(b), nil
	}
	return key, nil
}

func (a *app) traceCommand() *cobra.Command {
	var q model.TraceQuery
	c := command("trace NAME|PART|/PATH|ACCOUNT|USER|SHA256",
		"A file's whole life: what was sent, received, refused, left unfinished or removed, and when", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			q.About = args[0]
			if strings.TrimSpace(q.About) == "" {
				return nameless("a file, an account, a user or a SHA-256")
			}
			v, err := a.client().Trace(ctx, q)
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v.Trace, table{})
			}
			if _, err = io.WriteString(a.Out, v.Sheet); err == nil {
				a.traceHints(v.Trace)
			}
			return err
		})
	c.Long = c.Short + `.

A part of a name is enough, in any case; so are the first 8 digits of a SHA-256.
The best matches come first.

That a file was never sent and never received is said only of an exact name and
one account: sallyport trace NAME --exact --account ACCOUNT prints that sheet.`
	c.Flags().StringVar(&q.Account, "account", "", "only this account's")
	c.Flags().BoolVar(&q.Exact, "exact", false,
		"the name or path is exact; with --account, print a sheet even if nothing is on record")
	return c
}

// traceHints says what the reader must know before the sheet is mailed.
func (a *app) traceHints(t model.Trace) {
	accounts := map[string]bool{}
	for _, f := range t.Files {
		accounts[f.Account] = true
	}
	if len(accounts) > 1 {
		fmt.Fprintln(a.Err, "hint: these are files of several accounts. Before you mail it, add --account ID")
	}
	if t.Searched > 0 {
		fmt.Fprintf(a.Err, "hint: only the newest %d names of each kind were searched; older files are found by their exact "+
			"names\n", t.Searched)
	}
	if len(t.Near) > 0 {
		fmt.Fprintf(a.Err, "hint: names like it (for you, not for the sheet): %s\n",
			valid.Printable(strings.Join(t.Near, ", ")))
	}
}
