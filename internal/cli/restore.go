//go:build linux

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// restoreFlags are the flags of the restore command.
type restoreFlags struct {
	config, to string
	verify     bool
	open       bool
	s3         s3Flags
	opening    node.OpenRequest
}

func (a *app) restoreCommand() *cobra.Command {
	var f restoreFlags
	r := node.RestoreRequest{}
	c := command("restore [SOURCE]", "Restore a backup, prove one, or open what was restored", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			if f.open == (len(args) == 1) || f.open && f.verify {
				return fault.E("cli.restore", fault.Invalid, "Name the backup; or, after a restore, use --open alone.").
					WithHint("sallyport restore SOURCE, then: sallyport restore --open")
			}
			if f.open {
				return a.openRestored(ctx, f)
			}
			if f.opening.Dry || f.opening.Reason != "" || len(f.opening.Journals) > 0 {
				return fault.E("cli.restore", fault.Invalid, "--journal, --reason and --dry-run belong to --open.")
			}
			r.Source, r.S3, r.In, r.Clock = args[0], f.s3.read(a), a.In, a.Clock
			if f.verify {
				return a.verifyBackup(ctx, r)
			}
			return a.restore(ctx, f, r)
		})
	c.Long = `Restore a backup into an empty data folder (--to) and, if the configuration names
PostgreSQL, an empty database. Nothing that is there is ever overwritten. A restore
that was cut short is finished by running it again.

What was restored is closed: serve answers commands and health checks, and does
nothing else. "restore --open" shows what was taken back after the backup was made,
as the journal beside the log's checkpoints has it (audit.checkpoints): keys that
were revoked or blocked, users that were disabled, files that were removed, links
that were used, tokens that ended. It takes all of that back again, and opens.

--verify reads a whole backup and proves that every stored file the database names
is there with its SHA-256. It changes nothing.`
	c.Flags().BoolVar(&f.verify, "verify", false, "only prove the backup; change nothing")
	c.Flags().StringVar(&f.to, "to", "", "the data folder to fill (default: --data, or that of the configuration)")
	c.Flags().StringVar(&r.Snapshot, "snapshot", "", "which one: 20261130T010203.004Z (default: the newest that is whole)")
	c.Flags().StringArrayVar(&r.Identities, "identity", nil, "file with the private key of age that decrypts it")
	c.Flags().BoolVar(&f.open, "open", false, "open a data folder that was restored")
	c.Flags().StringArrayVar(&f.opening.Journals, "journal", nil,
		"with --open: a copy of the journal (default: beside audit.checkpoints)")
	c.Flags().StringVar(&f.opening.Reason, "reason", "",
		"with --open: go on although the journal is damaged or has a gap; say why")
	c.Flags().BoolVar(&f.opening.Dry, "dry-run", false, "with --open: show what would be done, and change nothing")
	c.Flags().StringVar(&f.config, "config", "", "configuration file that names the database (SALLYPORT_CONFIG)")
	f.s3.add(c)
	return c
}

func (a *app) verifyBackup(ctx context.Context, r node.RestoreRequest) error {
	bar := a.counting("bytes")
	defer bar.finish()
	r.Progress = bar.count
	report, err := node.VerifyBackup(ctx, r)
	bar.finish()
	if err != nil {
		return err
	}
	if err := a.showBackupReport(report); err != nil {
		return err
	}
	if !report.OK {
		return fault.E("cli.restore", fault.Conflict, "The backup is not whole; see the faults above.").
			WithHint("remove the damaged files from it and back up again, which copies them anew; an older one: --snapshot")
	}
	return nil
}

// showBackupReport prints a report.
func (a *app) showBackupReport(r *node.BackupReport) error {
	if a.json {
		return a.show(r, table{})
	}
	if err := a.card(r, [2]string{"Verified", r.At.Format(time.RFC3339)}, [2]string{"Backup", r.From},
		[2]string{"Snapshot", r.Snapshot}, [2]string{"Taken", r.Taken.Format(time.RFC3339)},
		[2]string{"Made by", fmt.Sprintf("sallyport %s, schema %d, %s", r.Program, r.Schema, r.Database)},
		[2]string{"Stored files", fmt.Sprintf("%d (%s)", r.Files, size(r.Bytes))},
		[2]string{"Audit log", fmt.Sprintf("%d rows", r.LogRows)}); err != nil {
		return err
	}
	for _, f := range r.Faults {
		fmt.Fprintln(a.Out, "FAULT:", valid.Printable(f))
	}
	if r.More > 0 {
		fmt.Fprintf(a.Out, "FAULT: and %d more\n", r.More)
	}
	if r.OK {
		fmt.Fprintln(a.Out, "Every stored file that the database names is there, and is what was stored.")
	}
	return nil
}

func (a *app) restore(ctx context.Context, f restoreFlags, r node.RestoreRequest) error {
	cfg, err := a.config(f.config, nil)
	if err != nil {
		return err
	}
	if f.to != "" {
		cfg.Data = f.to
	}
	bar := a.counting("bytes")
	defer bar.finish()
	r.Progress = bar.count
	report, err := node.Restore(ctx, cfg, r)
	bar.finish()
	if err != nil {
		return err
	}
	if !a.json {
		for _, t := range report.Faults {
			fmt.Fprintln(a.Out, "WARNING:", valid.Printable(t))
		}
	}
	return a.done(report, "The backup %s is restored into %s: %d stored files (%s). It is closed. Give the folder to the "+
		"server's user, and open it: sallyport restore --open --to %s", report.Snapshot, cfg.Data, report.Files,
		size(report.Bytes), cfg.Data)
}

func (a *app) openRestored(ctx context.Context, f restoreFlags) error {
	cfg, err := a.config(f.config, nil)
	if err != nil {
		return err
	}
	if f.to != "" {
		cfg.Data = f.to
	}
	f.opening.Log, f.opening.Clock = a.loggerOf(cfg), a.Clock
	out, err := node.OpenRestored(ctx, cfg, f.opening)
	if out != nil && !a.json {
		if err := out.Write(a.Out); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if f.opening.Dry {
		return a.done(out, "Nothing was changed. Open it: sallyport restore --open --to %s", cfg.Data)
	}
	return a.done(out, "%s is open. Operators sign in again. Check what is marked above, then start the server.", cfg.Data)
}
