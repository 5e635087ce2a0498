package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// endWait is how long revoke waits for the key's sessions to end. The server ends them within 2 s.
const endWait = 5 * time.Second

func (a *app) keyRevoke() *cobra.Command {
	var in model.RevokeKey
	var format string
	c := command("revoke FINGERPRINT --reason TEXT", "Revoke a key, end its sessions, and report what was done with it",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			in.Fingerprint = args[0]
			v, err := a.client().RevokeKey(ctx, in)
			if err != nil {
				return err
			}
			if a.json {
				return a.revokedJSON(ctx, args[0], v)
			}
			for _, k := range v.Keys {
				fmt.Fprintf(a.Err, "Key %s of user %s is revoked.\n", k.Fingerprint, k.User)
			}
			if v.Burned {
				fmt.Fprintln(a.Err, "It is blocked: nobody can enrol it again.")
			}
			for _, w := range v.Warnings {
				fmt.Fprintln(a.Err, "warning: "+w)
			}
			if len(v.Keys) == 0 {
				return nil // it was burned before anybody enrolled it: there is no activity
			}
			if err := a.awaitEnd(ctx, args[0]); err != nil {
				return err
			}
			return a.report(ctx, args[0], format)
		})
	c.Flags().StringVar(&in.Reason, "reason", "", "why, for the record")
	c.Flags().BoolVar(&in.Burn, "burn", false, "the key is in other hands: nobody can ever enrol it again")
	c.Flags().StringVar(&format, "format", "table", "of the key activity report: table, csv, json")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) revokedJSON(ctx context.Context, fingerprint string, v model.Revoked) error {
	out := struct {
		model.Revoked
		Activity *model.KeyActivity `json:"activity,omitempty"`
	}{Revoked: v}
	if len(v.Keys) > 0 {
		if err := a.awaitEnd(ctx, fingerprint); err != nil {
			return err
		}
		act, err := a.client().KeyActivity(ctx, fingerprint)
		if err != nil {
			return err
		}
		out.Activity = &act
	}
	return a.show(out, table{})
}

// awaitEnd waits until the key has no live session, so that the report contains the sessions' ends.
// After endWait it prints a warning and returns nil.
func (a *app) awaitEnd(ctx context.Context, fingerprint string) error {
	for end := time.Now().Add(endWait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		live, err := client.All(ctx, a.client().ListSessions, model.EveryFilter{})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(live, func(s model.Session) bool { return s.Fingerprint == fingerprint }) {
			return nil
		}
	}
	fmt.Fprintln(a.Err, "warning: a session of this key is still open; look again with: sallyport session list")
	return nil
}

func (a *app) keyActivity() *cobra.Command {
	var format string
	c := command("activity FINGERPRINT",
		"Report everything that was done with a key: sessions, files read, written, listed, removed", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			return a.report(ctx, args[0], format)
		})
	c.Flags().StringVar(&format, "format", "table", "table, csv, json")
	return c
}

func checkFormat(f string) error {
	if f != "table" && f != "csv" && f != "json" {
		return fault.E("cli.report", fault.Invalid, "There is no format %q.", f).WithHint("choose table, csv or json")
	}
	return nil
}

// report prints the key activity report.
func (a *app) report(ctx context.Context, fingerprint, format string) error {
	v, err := a.client().KeyActivity(ctx, fingerprint)
	if err != nil {
		return err
	}
	switch {
	case a.json || format == "json":
		b := *a
		b.json = true
		return b.show(v, table{})
	case format == "csv":
		return a.reportCSV(v)
	}
	fmt.Fprintf(a.Out, "\nKey activity report\n\n")
	if err := a.card(v, [2]string{"Key", v.Fingerprint}, [2]string{"Of", strings.Join(v.Users, ", ")},
		[2]string{"Enrolled", when(v.Since)}, [2]string{"As of", when(v.Made)}, [2]string{"Sessions", fmt.Sprint(v.Sessions)},
		[2]string{"From", strings.Join(v.Addresses, ", ")},
		[2]string{"Not recorded", lost(v.Lost)}); err != nil {
		return err
	}
	fmt.Fprintln(a.Out)
	t := table{head: []string{"TIME", "USER", "ACTION", "PATH", "BYTES", "TIMES", "FROM", "NOTE"},
		none: "Nothing was done with this key."}
	for _, r := range v.Rows {
		t.add(exactTime(r.At), r.User, r.Action, r.Path, bytesOf(r), r.Times, r.Address, noteOf(r))
	}
	return a.show(v, t)
}

func lost(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d log-ins, reads or listings, of any key, at times of overload", n)
}

func bytesOf(r model.Activity) string {
	if r.Bytes == 0 {
		return ""
	}
	return size(r.Bytes)
}

// noteOf adds a session's client and end to the note of its line.
func noteOf(r model.Activity) string {
	parts := []string{}
	if r.Action == model.ActivitySession {
		parts = append(parts, r.Client)
		if r.Until != nil {
			parts = append(parts, "until "+whenExactly(*r.Until))
		}
	}
	if r.Note != "" {
		parts = append(parts, r.Note)
	}
	return strings.Join(parts, ", ")
}

// reportCSV prints the rows as CSV. Cells are escaped, so that no cell is read as a formula.
func (a *app) reportCSV(v model.KeyActivity) error {
	w := csv.NewWriter(a.Out)
	// Flush returns the error.
	_ = w.Write([]string{"time", "until", "key", "user", "session", "action", "path", "bytes", "times", "address",
		"client", "note"})
	for _, r := range v.Rows {
		until := ""
		if r.Until != nil {
			until = r.Until.Format(time.RFC3339)
		}
		row := []string{r.At.Format(time.RFC3339), until, v.Fingerprint, r.User, r.Session, r.Action, r.Path,
			fmt.Sprint(r.Bytes), fmt.Sprint(r.Times), r.Address, r.Client, r.Note}
		for i := range row {
			row[i] = valid.Cell(row[i])
		}
		_ = w.Write(row)
	}
	w.Flush()
	return fault.Wrap("cli.reportCSV", fault.Internal, w.Error())
}
