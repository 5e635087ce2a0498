package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// forecast prints what retention will remove: sentences first, then tables.
func (a *app) forecast(ctx context.Context, q model.ForecastQuery) error {
	v, err := a.client().Forecast(ctx, q)
	if err != nil {
		return err
	}
	if a.json {
		return a.show(v, table{})
	}
	whose := ""
	if q.Account != "" {
		whose = " of account " + q.Account
	}
	if nothing := forecastOfNothing(v, whose); nothing != "" {
		return a.say("%s", nothing)
	}
	if len(v.Announced) == 0 {
		if err := a.say("No run%s is announced.", ofOne(whose)); err != nil {
			return err
		}
	}
	for i, n := range v.Announced {
		if i > 0 {
			fmt.Fprintln(a.Out)
		}
		if err := a.announcedRun(n, q.List); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.Out)
	if err := a.nextRun(v, whose, q.List); err != nil || len(v.Later) == 0 {
		return err
	}
	fmt.Fprintln(a.Out)
	for _, l := range v.Later {
		more := filesOf(l.Files, l.Bytes) + " more"
		if l.Files == 0 {
			more = "nothing more"
		}
		if err := a.say("The run of %s will name %s.", day(l.At), more); err != nil {
			return err
		}
	}
	return nil
}

func ofOne(whose string) string {
	if whose == "" {
		return ""
	}
	return " that names files" + whose
}

// forecastOfNothing says that nothing goes, if that is so.
func forecastOfNothing(v model.Forecast, whose string) string {
	if len(v.Announced) > 0 || v.Files > 0 {
		return ""
	}
	by := v.At
	for _, l := range v.Later {
		if l.Files > 0 {
			return ""
		}
		by = l.At
	}
	return fmt.Sprintf("Nothing%s goes before %s: no run is announced, and no file will be due by then.", whose, day(by))
}

// announcedSentence says what an announced run removes.
func announcedSentence(n model.ForecastRun) string {
	text := "The run of " + when(n.Run.DueAt)
	if n.Run.Kind == model.RunClosing {
		text += " of the closed account " + n.Run.Account
	}
	text += " is " + map[bool]string{true: "going on", false: "announced"}[n.Run.State == model.RunRunning]
	if n.Files == 0 {
		return text + ", but removes nothing: all that it names stays."
	}
	text += ", and removes " + filesOf(n.Files, n.Bytes)
	var of []string
	for _, l := range n.Lines {
		if l.Files > l.Stay {
			of = append(of, l.Account)
		}
	}
	if len(of) > 1 {
		text += fmt.Sprintf(" of %d accounts", len(of))
	} else if n.Run.Kind != model.RunClosing && len(of) == 1 {
		text += " of account " + of[0]
	}
	if n.Waits {
		text += ", once it is confirmed"
	}
	return text + "."
}

// announcedRun prints what an announced run removes.
func (a *app) announcedRun(n model.ForecastRun, list bool) error {
	if err := a.say("%s", announcedSentence(n)); err != nil {
		return err
	}
	if n.Waits {
		a.confirmHint(n.Run, n.ConfirmFrom)
	}
	a.stays("that it names", n.Stays)
	t := table{head: []string{"ACCOUNT", "FILES", "SIZE", "NEVER DOWNLOADED", "NOT ACCEPTED YET", "STAY", "NOTICE"}}
	for _, l := range n.Lines {
		t.add(l.Account, fmt.Sprint(l.Files), size(l.Bytes), fmt.Sprint(l.Uncollected), fmt.Sprint(l.Unclaimed),
			fmt.Sprint(l.Stay), l.Told)
	}
	if len(t.rows) > 0 {
		if err := a.show(nil, t); err != nil {
			return err
		}
	}
	if list {
		return a.forecastFiles(n.Named)
	}
	return nil
}

// confirmHint says that a run waits, and how to let it go on.
func (a *app) confirmHint(r model.RetentionRun, from *time.Time) {
	on := ""
	if from != nil {
		on = ", from " + when(*from) + " on"
	}
	fmt.Fprintf(a.Out, "It waits for your confirmation, because %s. Let it go on%s: sallyport retention confirm %s\n",
		valid.Printable(r.Confirm), on, r.ID)
}

// confirmHints is confirmHint for the runs of a list that are due and wait.
func (a *app) confirmHints(list []model.RetentionRun) {
	for _, r := range list {
		if !a.json && r.State == model.RunAnnounced && r.Confirm != "" && r.ConfirmedAt == nil &&
			!a.Clock().Before(r.DueAt) {
			fmt.Fprintf(a.Out, "\nThe run of %s is due and has removed nothing. ", when(r.DueAt))
			a.confirmHint(r, nil)
		}
	}
}

// stays prints why files stay, with counts.
func (a *app) stays(which string, list []model.ForecastStay) {
	for _, s := range list {
		verb := "stay"
		if s.Files == 1 {
			verb = "stays"
		}
		fmt.Fprintf(a.Out, "%s %s %s: %s.\n", files(s.Files), which, verb, valid.Printable(s.Why))
	}
}

// nextRun prints what the run that is announced next will name, or what is due by a day.
func (a *app) nextRun(v model.Forecast, whose string, list bool) error {
	verb := "are"
	if v.Files == 1 {
		verb = "is"
	}
	text := fmt.Sprintf("By %s, %s%s %s due that no announced run names.", when(v.At), filesOf(v.Files, v.Bytes), whose,
		verb)
	if v.AnnounceAt != nil {
		text = fmt.Sprintf("The next run, of %s, will be announced on %s and name %s%s.", when(v.At), day(*v.AnnounceAt),
			filesOf(v.Files, v.Bytes), whose)
	}
	if err := a.say("%s", text); err != nil {
		return err
	}
	if v.Confirm != "" && v.Files > 0 {
		fmt.Fprintf(a.Out, "It will wait for your confirmation, because %s.\n", valid.Printable(v.Confirm))
	}
	a.stays("of these", v.Stays)
	if len(v.Lines) == 0 {
		return nil
	}
	t := table{head: []string{"ACCOUNT", "POLICY", "KEEPS", "FILES", "SIZE", "NEVER DOWNLOADED", "NOT ACCEPTED YET",
		"STAY"}}
	for _, l := range v.Lines {
		t.add(l.Account, l.Class, l.Keep, fmt.Sprint(l.Files), size(l.Bytes), fmt.Sprint(l.Uncollected),
			fmt.Sprint(l.Unclaimed), fmt.Sprint(l.Stay))
	}
	if err := a.show(nil, t); err != nil || !list {
		return err
	}
	return a.forecastFiles(v.Named)
}

// forecastFiles prints files by name.
func (a *app) forecastFiles(list []model.ForecastItem) error {
	if len(list) == 0 {
		return nil
	}
	t := table{head: []string{"ACCOUNT", "USER", "PATH", "SIZE", "STORED", "STATE", "STAYS BECAUSE OF"}}
	for _, i := range list {
		t.add(i.Account, i.User, i.Path, size(i.Size), when(i.StoredAt), stateWord(i.Fetched), i.Stays)
	}
	fmt.Fprintln(a.Out)
	return a.show(nil, t)
}

// say prints one line.
func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintf(a.Out, format+"\n", args...)
	return err
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

func files(n int64) string { return counted(n, "file", "files") }

// filesOf is a number of files with their size.
func filesOf(n, bytes int64) string {
	if n == 0 {
		return "no files"
	}
	return fmt.Sprintf("%s (%s)", files(n), size(bytes))
}
