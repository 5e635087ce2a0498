package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/offline"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// auditFlags adds the flags that choose rows.
func auditFlags(c *cobra.Command, f *model.AuditFilter) {
	c.Flags().StringVar(&f.Actor, "actor", "", "only by this actor: user:acme, local:root(0)")
	c.Flags().StringVar(&f.Action, "action", "", "only this action; 'key.*' is all that begin like it")
	c.Flags().StringVar(&f.User, "user", "", "only about this user")
	c.Flags().StringVar(&f.Subject, "subject", "", "only about this subject: a path, an account, an id")
}

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "Who did what: a log that anyone can verify", a.auditList(), a.auditExport(), a.auditVerify(),
		a.auditSample(), a.auditStream(), a.auditStatus(), a.auditCheckpoint())
}

// auditColumns are the headings of auditRow.
var auditColumns = []string{"NUMBER", "AT", "ACTOR", "ACTION", "SUBJECT", "DETAIL"}

// auditRow is a row of the audit log as cells. Its time is text, because its bytes are sealed.
func (a *app) auditRow(ctx context.Context, l model.AuditLine) []any {
	number := any(l.Seq)
	if l.Seq < 0 {
		number = "not sealed"
	}
	at, _ := time.Parse(time.RFC3339, l.At) // what the server wrote
	return []any{number, exactTime(at.In(a.zone(ctx))), l.Actor, l.Action, l.Subject, detailText(l.Detail)}
}

func (a *app) auditList() *cobra.Command {
	l := &listing[model.AuditFilter, model.AuditLine]{use: "list", short: "List rows, the newest first",
		head: auditColumns, at: "AT", order: "at", desc: true, most: 100, none: "There are no rows yet.",
		read: (*client.Client).ListAudit}
	l.ready = func(ctx context.Context, _ *model.AuditFilter, _ []string) error {
		l.row = func(line model.AuditLine) []any { return a.auditRow(ctx, line) }
		return nil
	}
	c := listCommand(a, l)
	auditFlags(c, &l.filter)
	return c
}

func (a *app) auditExport() *cobra.Command {
	var f model.AuditFilter
	var chosen listFlags
	var format, out string
	c := command("export", "Export rows: JSON Lines, which audit verify checks alone and offline, or CSV", cobra.NoArgs,
		func(ctx context.Context, _ []string) (err error) {
			if f.Span, err = a.span(ctx, chosen); err != nil {
				return err
			}
			export, err := a.client().ExportAudit(ctx, f, format)
			if err != nil {
				return err
			}
			defer export.Close()
			copyAll := func(w io.Writer) error {
				_, err := io.Copy(w, export)
				if err != nil {
					return fault.E("cli.auditExport", fault.Unavailable, "The export broke off: %v.", fault.InWords(err))
				}
				return nil
			}
			if out == "" {
				return copyAll(a.Out)
			}
			if err := landFile(out, copyAll); err != nil {
				return err
			}
			if format == "csv" {
				return a.done(map[string]string{"file": out},
					"The rows are in %s. A CSV proves nothing; for that, export JSON Lines.", out)
			}
			return a.done(map[string]string{"file": out},
				"The export is in %s. Check it anywhere: sallyport audit verify %s --key KEY", out, out)
		})
	chosen.times(c, "at")
	auditFlags(c, &f)
	c.Flags().StringVar(&format, "format", "jsonl", "jsonl, csv")
	c.Flags().StringVarP(&out, "out", "o", "", "file to write (default: standard output)")
	return c
}

func (a *app) auditSample() *cobra.Command {
	return command("sample N", "Draw rows at random, each proven under the newest checkpoint", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil {
				return fault.E("cli.auditSample", fault.Invalid, "%q is no number.", valid.Printable(args[0]))
			}
			v, err := a.client().SampleAudit(ctx, n)
			if err != nil {
				return err
			}
			t := table{head: auditColumns, none: "There are no such rows."}
			for _, l := range v {
				row := a.auditRow(ctx, l.AuditLine)
				row[0] = fmt.Sprint(row[0], map[bool]string{true: " proven", false: " FALSE"}[l.Proven])
				row[5] = fmt.Sprint(row[5], l.Why)
				t.add(row...)
			}
			return a.show(v, t)
		})
}

func (a *app) auditStatus() *cobra.Command {
	return command("status", "How far the log is sealed", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		s, err := a.client().ShowAuditStatus(ctx)
		if err != nil {
			return err
		}
		return a.card(s, [2]string{"Sealed rows", fmt.Sprint(s.Sealed)}, [2]string{"Expired", fmt.Sprint(s.Expired)},
			[2]string{"Waiting", fmt.Sprint(s.Waiting)}, [2]string{"Oldest waiting", whenPtr(s.OldestAt)},
			[2]string{"Checkpoint left the machine", whenPtr(s.SentAt)},
			[2]string{"Public key", s.PublicKey},
			[2]string{"NOT SEALED ANY MORE", s.Stopped})
	})
}

func (a *app) auditCheckpoint() *cobra.Command {
	return command("checkpoint", "Seal what waits, and print the signed checkpoint: keep it elsewhere", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			s, err := a.client().MakeCheckpoint(ctx)
			if err != nil {
				return err
			}
			if a.json {
				return a.show(s, table{})
			}
			_, err = io.WriteString(a.Out, s.Checkpoint)
			return err
		})
}

func (a *app) auditVerify() *cobra.Command {
	var key, against, config string
	c := command("verify [EXPORT]", "Verify the whole log in the data folder's database, or an export, offline",
		cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
			public, err := a.publicKey(key)
			if err != nil {
				return err
			}
			checkpoint := ""
			if against != "" {
				if checkpoint, err = a.readSigned(against); err != nil {
					return err
				}
			}
			bar := a.counting("rows")
			defer bar.finish()
			var report offline.AuditReport
			if len(args) == 1 {
				f, err := os.Open(args[0])
				if err != nil {
					return fault.E("cli.auditVerify", fault.NotFound, "The export cannot be read: %v.", fault.InWords(err))
				}
				defer f.Close()
				report, err = offline.VerifyAuditExport(f, public, checkpoint, bar.count)
				if err != nil {
					return err
				}
			} else {
				cfg, err := a.config(config, nil)
				if err != nil {
					return err
				}
				if report, err = offline.VerifyAudit(ctx, cfg, public, checkpoint, bar.count); err != nil {
					return err
				}
			}
			bar.finish()
			return a.showAuditReport(report)
		})
	c.Long = `Verify the audit log without the server: compute its hashes anew from the rows,
and compare with every signed checkpoint. Rows that were changed, removed or moved
are named. The log's newest size and root, which the server keeps beside the signing
key, must agree: whoever has the database alone cannot shorten it unseen. With
--against, a checkpoint that left the machine earlier must agree, too: whoever has
the database and the signing key could otherwise have written another history. Rows
that somebody adds by hand are sealed like any other.

With EXPORT, check a file that "audit export" made, with the public key alone.`
	c.Flags().StringVar(&key, "key", "", "the public key, or a file with it (default: the data folder's signing/key.pub)")
	c.Flags().StringVar(&against, "against", "", "file with a checkpoint from elsewhere; - is standard input")
	c.Flags().StringVar(&config, "config", "", "configuration file that names the database (SALLYPORT_CONFIG)")
	return c
}

func (a *app) showAuditReport(r offline.AuditReport) error {
	if a.json {
		if err := a.show(r, table{}); err != nil {
			return err
		}
	} else {
		if err := a.card(r, [2]string{"Rows checked", fmt.Sprint(r.Rows)}, [2]string{"Expired", fmt.Sprint(r.Expired)},
			[2]string{"Not sealed yet", fmt.Sprint(r.Waiting)}, [2]string{"Checkpoints", fmt.Sprint(r.Checkpoints)},
			[2]string{"Signed by", r.Signer},
			[2]string{"Newest checkpoint", fmt.Sprintf("%d rows, %s", r.Size, r.At)},
			[2]string{"Kept beside the key", r.Head}, [2]string{"Against", r.Against}); err != nil {
			return err
		}
		for _, f := range r.Faults {
			fmt.Fprintln(a.Out, "FAULT:", valid.Printable(f))
		}
		switch {
		case r.OK && r.Chosen:
			fmt.Fprintln(a.Out,
				"Each row is what was sealed. The export is a selection: it cannot show whether rows were left out.")
		case r.OK:
			fmt.Fprintln(a.Out, "The log is what was sealed.", r.Unproven)
		}
	}
	if !r.OK {
		return fault.E("cli.auditVerify", fault.Conflict, "The log is not what was sealed; see the faults above.")
	}
	return nil
}
