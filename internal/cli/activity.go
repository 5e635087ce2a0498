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
	c := command("revoke [FINGERPRINT] --reason TEXT",
		"Revoke a key or a person's keys, and report what was done with them",
		cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			in.Fingerprint = strings.Join(args, "")
			return a.revoke(ctx, in, format)
		})
	c.Long = `Revoke a key, every key that a person holds (--holder), or every key of a user (--user).
Their sessions end within two seconds. A report of all that was done with each follows.`
	c.Flags().StringVar(&in.Holder, "holder", "", "every key that this contact (id or e-mail) holds: a lost laptop")
	c.Flags().StringVar(&in.User, "user", "", "every key of this user")
	c.Flags().StringVar(&in.Reason, "reason", "", "why, for the record")
	c.Flags().BoolVar(&in.Burn, "burn", false, "the key is in other hands: nobody can ever enrol it again")
	c.Flags().StringVar(&format, "format", "table", "of the key activity report: table, csv, json")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) revoke(ctx context.Context, in model.RevokeKey, format string) error {
	if in.Fingerprint == "" && in.Holder == "" && in.User == "" {
		return fault.E("cli.revoke", fault.Invalid, "Name a key, or whose keys are revoked.").
			WithHint("key revoke FINGERPRINT, or --holder CONTACT, or --user USER")
	}
	v, err := a.client().RevokeKey(ctx, in)
	if err != nil {
		return err
	}
	list := revokedKeys(v)
	if a.json {
		return a.revokedJSON(ctx, in, list, v)
	}
	for _, k := range v.Keys {
		fmt.Fprintf(a.Err, "Key %s of user %s%s is revoked.\n", k.Fingerprint, k.User, inBrackets(k.Holder))
	}
	switch {
	case v.Burned && len(list) > 1:
		fmt.Fprintln(a.Err, "They are blocked: nobody can enrol them again.")
	case v.Burned:
		fmt.Fprintln(a.Err, "It is blocked: nobody can enrol it again.")
	}
	for _, w := range v.Warnings {
		fmt.Fprintln(a.Err, "warning: "+w)
	}
	warning, err := a.awaitEnd(ctx, list)
	if err != nil {
		return err
	}
	if warning != "" {
		fmt.Fprintln(a.Err, "warning: "+warning)
	}
	for _, fingerprint := range list { // none, if it was burned before anybody enrolled it
		if err := a.report(ctx, fingerprint, format); err != nil {
			return err
		}
	}
	return nil
}

func inBrackets(holder string) string {
	if holder == "" {
		return ""
	}
	return " (held by " + holder + ")"
}

// revokedKeys returns the fingerprints of the keys that were revoked. Several users may have held
// one.
func revokedKeys(v model.Revoked) (list []string) {
	for _, k := range v.Keys {
		if !slices.Contains(list, k.Fingerprint) {
			list = append(list, k.Fingerprint)
		}
	}
	return list
}

func (a *app) revokedJSON(ctx context.Context, in model.RevokeKey, list []string, v model.Revoked) error {
	out := struct {
		model.Revoked
		Activity   *model.KeyActivity  `json:"activity,omitempty"`   // of the key that was named
		Activities []model.KeyActivity `json:"activities,omitempty"` // of a person's keys
	}{Revoked: v}
	warning, err := a.awaitEnd(ctx, list)
	if err != nil {
		return err
	}
	if warning != "" {
		out.Warnings = append(out.Warnings, warning)
	}
	for _, fingerprint := range list {
		act, err := a.client().KeyActivity(ctx, fingerprint)
		if err != nil {
			return err
		}
		if in.Fingerprint != "" {
			out.Activity = &act
		} else {
			out.Activities = append(out.Activities, act)
		}
	}
	return a.show(out, table{})
}

// awaitEnd waits until no key has a live session, so that the reports contain the sessions' ends.
// After endWait it returns a warning.
func (a *app) awaitEnd(ctx context.Context, fingerprints []string) (warning string, err error) {
	if len(fingerprints) == 0 {
		return "", nil
	}
	for end := time.Now().Add(endWait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		live, err := client.All(ctx, a.client().ListSessions, model.EveryFilter{})
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(live, func(s model.Session) bool { return slices.Contains(fingerprints, s.Fingerprint) }) {
			return "", nil
		}
	}
	return "a session of a revoked key is still open; look again with: sallyport session list", nil
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
