package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// auditFlags are the flags that choose rows.
type auditFlags struct {
	model.AuditFilter
	since, until string
}

func (f *auditFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.since, "since", "", "from this day or time on: 2026-11-01, 2026-11-01T06:00:00Z")
	c.Flags().StringVar(&f.until, "until", "", "before this day or time")
	c.Flags().StringVar(&f.Actor, "actor", "", "only by this actor: user:acme, local:root(0)")
	c.Flags().StringVar(&f.Action, "action", "", "only this action; 'key.*' is all that begin like it")
	c.Flags().StringVar(&f.User, "user", "", "only about this user")
	c.Flags().StringVar(&f.Subject, "subject", "", "only about this subject: a path, an account, an id")
}

// ready parses the times that are kept as text.
func (f *auditFlags) ready() error {
	for _, t := range []struct {
		text string
		to   *time.Time
	}{{f.since, &f.Since}, {f.until, &f.Until}} {
		if t.text == "" {
			continue
		}
		at, err := time.Parse(time.DateOnly, t.text)
		if err != nil {
			if at, err = time.Parse(time.RFC3339, t.text); err != nil {
				return fault.E("cli.audit", fault.Invalid, "%q is neither a day nor a time.", t.text).
					WithHint("write 2026-11-01 or 2026-11-01T06:00:00Z")
			}
		}
		*t.to = at
	}
	return nil
}

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "Who did what: a log that anyone can verify", a.auditList(), a.auditExport(), a.auditVerify(),
		a.auditSample(), a.auditStatus(), a.auditCheckpoint())
}

func auditTable() table {
	return table{head: []string{"NUMBER", "AT (UTC)", "ACTOR", "ACTION", "SUBJECT", "DETAIL"},
		none: "There are no such rows."}
}

func auditRow(l model.AuditLine) []string {
	number := strconv.FormatInt(l.Seq, 10)
	if l.Seq < 0 {
		number = "not sealed"
	}
	at, _, _ := strings.Cut(l.At, ".")
	return []string{number, strings.Replace(at, "T", " ", 1), l.Actor, l.Action, l.Subject, detailText(l.Detail)}
}

func (a *app) auditList() *cobra.Command {
	var f auditFlags
	var limit int
	c := command("list", "List rows, the newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if err := f.ready(); err != nil {
			return err
		}
		return listSome(ctx, a, auditTable(), a.client().ListAudit, f.AuditFilter, limit, auditRow)
	})
	f.add(c)
	c.Flags().IntVar(&limit, "limit", 100, "at most so many; 0: all")
	return c
}

func (a *app) auditExport() *cobra.Command {
	var f auditFlags
	var format, out string
	c := command("export", "Export rows: JSON Lines, which audit verify checks alone and offline, or CSV", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			if err := f.ready(); err != nil {
				return err
			}
			export, err := a.client().ExportAudit(ctx, f.AuditFilter, format)
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
	f.add(c)
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
			t := auditTable()
			for _, l := range v {
				row := auditRow(l.AuditLine)
				row[0] += map[bool]string{true: " proven", false: " FALSE"}[l.Proven]
				row[5] += l.Why
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
			var report node.AuditReport
			if len(args) == 1 {
				f, err := os.Open(args[0])
				if err != nil {
					return fault.E("cli.auditVerify", fault.NotFound, "The export cannot be read: %v.", fault.InWords(err))
				}
				defer f.Close()
				report, err = node.VerifyAuditExport(f, public, checkpoint, bar.count)
				if err != nil {
					return err
				}
			} else {
				cfg, err := a.config(config, nil)
				if err != nil {
					return err
				}
				if report, err = node.VerifyAudit(ctx, cfg, public, checkpoint, bar.count); err != nil {
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

func (a *app) showAuditReport(r node.AuditReport) error {
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
