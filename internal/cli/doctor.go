//go:build linux

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/doctor"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/node"
)

func (a *app) doctorCommand() *cobra.Command {
	r := node.DoctorRequest{}
	var file string
	var strict bool
	c := command("doctor", "Look at the whole deployment, and say what is wrong and what mends it", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			cfg, err := a.config(file, nil)
			var report doctor.Report
			if err != nil {
				report = doctor.Unreadable(a.Clock(), err)
			} else {
				if r.File = file; r.File == "" {
					r.File = a.env["SALLYPORT_CONFIG"]
				}
				bar := a.counting("files")
				defer bar.finish()
				r.Clock, r.Progress = a.Clock, bar.count
				report, err = node.Examine(ctx, cfg, r)
				bar.finish()
				if err != nil {
					return err
				}
			}
			if err := a.diagnosis(report); err != nil {
				return err
			}
			if report.Broken > 0 || strict && report.Odd > 0 {
				return fault.E("cli.doctor", fault.Conflict, "%s broken, %s.", counted(int64(report.Broken), "thing is",
					"things are"), counted(int64(report.Odd), "should be looked at", "should be looked at"))
			}
			return nil
		})
	c.Long = c.Short + `.

It reads the data folder, the database, every stored file's size (--deep: its
content), the keys and the log, and connects to the mail server and to receivers
of webhooks. It changes nothing, and needs no server that runs. Run it as root or
as the server's own user. It exits with 4 if something is broken; with --strict,
also if something should only be looked at. What needs a person in daily work is
what status says.`
	c.Flags().StringVar(&file, "config", "", "configuration file (SALLYPORT_CONFIG)")
	c.Flags().BoolVar(&r.Deep, "deep", false, "read every stored file and compare its hash; check the whole database")
	c.Flags().BoolVar(&strict, "strict", false, "fail also if something should only be looked at")
	return c
}

// marks begin the lines of a diagnosis.
var marks = map[doctor.State]string{doctor.Well: "ok     ", doctor.Skipped: "-      ", doctor.Odd: "look   ",
	doctor.Broken: "BROKEN "}

// diagnosis prints what was found out, the worst first.
func (a *app) diagnosis(r doctor.Report) error {
	if a.json {
		return a.show(r, table{})
	}
	for _, s := range []doctor.State{doctor.Broken, doctor.Odd, doctor.Skipped, doctor.Well} {
		for _, f := range r.Findings {
			if f.State != s {
				continue
			}
			a.paragraph(marks[s], f.Check+": "+f.Text)
			if f.Fix != "" {
				a.paragraph("       fix: ", f.Fix)
			}
		}
	}
	_, err := fmt.Fprintf(a.Out, "\n%s: %d broken, %d to look at.\n", when(r.At), r.Broken, r.Odd)
	return err
}
