// Package trace reports the history of a file, to answer claims such as "you never sent it". It
// lists what was published and when, who opened and collected it with which key, and what was
// received and how it was handled. If nothing is on record, it says so.
package trace

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxFiles bounds the files of one trace. maxNames bounds the other names of one file.
const (
	maxFiles = 200
	maxNames = 20
)

// Service answers questions about files. It is safe for concurrent use.
type Service struct {
	store *store.Store
	clock exchange.Clock
}

// New returns the service.
func New(s *store.Store, clock exchange.Clock) *Service { return &Service{s, clock} }

// Find traces a content (SHA-256 in hexadecimal), an account, or a file name, whichever about
// is. account limits a name or a content to one account; "" is all.
func (r *Service) Find(ctx context.Context, about, account string) (model.Trace, error) {
	const op = "trace.Find"
	q := r.store.Read(ctx).Patient()
	t := model.Trace{About: valid.Printable(about), Kind: "name", At: r.clock().UTC().Truncate(time.Second),
		Files: []model.TracedFile{}, Users: []model.TracedLogin{}}
	if about == "" {
		return t, fault.E(op, fault.Invalid, "Name a file, an account, or a SHA-256.")
	}
	if account != "" {
		a, err := q.Account(account)
		if err != nil {
			return t, fault.Missing(op, err, "There is no account %q.", valid.Printable(account))
		}
		account = a.ID
	}
	w := walker{q: q, t: &t, account: account}
	var err error
	sum, hexErr := hex.DecodeString(about)
	switch a, notAccount := q.Account(about); {
	case hexErr == nil && len(sum) == 32:
		t.Kind = "content"
		err = w.content(sum)
	case notAccount == nil:
		t.Kind = "account"
		err = w.ofAccount(a.ID)
	default:
		err = w.named(path.Base(about))
	}
	if err == nil && len(t.Files) == 0 {
		t.Account = account
		err = w.never(path.Base(about))
	}
	if err != nil {
		return t, err
	}
	slices.SortStableFunc(t.Files, func(a, b model.TracedFile) int { return b.Steps[0].At.Compare(a.Steps[0].At) })
	if len(t.Files) > maxFiles {
		t.Files, t.More = t.Files[:maxFiles], true
	}
	return t, w.logins()
}

// walker collects one trace.
type walker struct {
	q       *store.Q
	t       *model.Trace
	account string // only files of this account; "": all
	users   []string
}

func (w *walker) content(sum []byte) error {
	list, err := w.q.PublicationsWithContent(sum, w.account, maxFiles)
	if err != nil {
		return err
	}
	if err := w.published(list); err != nil {
		return err
	}
	drops, err := w.q.DropsWithContent(sum, maxFiles)
	if err != nil {
		return err
	}
	if err := w.received(drops); err != nil {
		return err
	}
	files, err := w.q.FilesWithContent(sum, w.account, maxFiles)
	if err != nil {
		return err
	}
	return w.unreceived(files)
}

func (w *walker) named(name string) error {
	list, err := w.q.PublicationsNamed(name, w.account, maxFiles)
	if err != nil {
		return err
	}
	if err := w.published(list); err != nil {
		return err
	}
	drops, err := w.q.Drops(model.DropFilter{Name: name, Account: w.account, Paging: model.Paging{Limit: maxFiles}})
	if err != nil {
		return err
	}
	once, err := w.q.DropsOnceNamed(name, w.account, maxFiles)
	if err != nil {
		return err
	}
	if err := w.received(append(drops, once...)); err != nil {
		return err
	}
	files, err := w.q.FilesNamed(name, w.account, maxFiles)
	if err != nil {
		return err
	}
	return w.unreceived(files)
}

// unreceived adds files that are stored but were not handed on.
func (w *walker) unreceived(files []store.Unreceived) error {
	for _, f := range files {
		dir, staging, err := w.q.DirPath(f.DirID)
		if fault.Is(err, fault.NotFound) {
			continue // it was removed meanwhile
		} else if err != nil {
			return err
		}
		full := valid.Printable(path.Join(dir, f.Name))
		out := model.TracedFile{Direction: "from_partner", ID: f.VersionID, Name: valid.Printable(f.Name), Path: full,
			Account: f.Account, User: f.User, Size: f.Size, SHA256: hex.EncodeToString(f.SHA256), State: "stored"}
		why := "not handed on: its name is a temporary one, or one that is ignored"
		if staging {
			why = "not handed on: it lies in a folder from which files are to be moved when they are complete"
		}
		step(&out, f.StoredAt, "stored whole by "+f.User)
		step(&out, w.t.At, why)
		w.add(out)
	}
	return nil
}

// never fills in, for an empty trace, how far the records go back and which names are similar.
func (w *walker) never(name string) error {
	since, err := w.q.OldestRecord()
	if err != nil {
		return err
	}
	if !since.IsZero() {
		w.t.Since = &since
	}
	runes := []rune(valid.Printable(name))
	w.t.Near, err = w.q.NamesLike(string(runes[:min(len(runes), max(4, len(runes)/2))]), w.account, 10)
	return err
}

func (w *walker) ofAccount(id string) error {
	users, err := w.q.Users(model.UserFilter{Account: id})
	if err != nil {
		return err
	}
	for _, u := range users {
		w.users = append(w.users, u.Name)
	}
	rows, err := w.q.NewestDeliveries(id, maxFiles)
	if err != nil {
		return err
	}
	for _, d := range rows {
		w.delivery(d, store.PublicationRow{})
	}
	drops, err := w.q.NewestDrops(id, maxFiles)
	if err == nil {
		err = w.received(drops)
	}
	w.t.More = len(rows) == maxFiles || len(drops) == maxFiles
	return err
}

// published adds the deliveries of publications.
func (w *walker) published(list []store.PublicationRow) error {
	for _, p := range list {
		rows, err := w.q.Deliveries(model.DeliveryFilter{Publication: p.ID, Account: w.account,
			Paging: model.Paging{Limit: maxFiles}})
		if err != nil {
			return err
		}
		for _, d := range rows {
			w.delivery(d, p)
		}
		if len(rows) == 0 && (w.account == "" || p.Account == w.account) {
			w.t.Files = append(w.t.Files,
				model.TracedFile{Direction: "to_partner", ID: p.ID, Name: p.Name, Feed: p.Feed, Account: p.Account, Size: p.Size,
					SHA256: p.SHA256, State: "undelivered",
					Steps: []model.TracedStep{{At: p.PublishedAt, Text: "published, and no mailbox has it"}}})
		}
	}
	return nil
}

func (w *walker) delivery(d store.DeliveryRow, p store.PublicationRow) {
	f := model.TracedFile{Direction: "to_partner", ID: d.ID, Name: d.Name, Path: valid.Printable(d.Path), Feed: d.Feed,
		Account: d.Account, User: d.User, Issue: d.Issue, Size: d.Size, SHA256: d.SHA256, State: string(d.State)}
	how := "published"
	if p.Via != "" {
		how += " (" + map[string]string{"api": "by the operator", "folder": "by the operator's folder",
			"sftp": "over SFTP"}[p.Via] + ")"
	}
	if d.Issue > 1 {
		how += fmt.Sprintf(", as issue %d of this name", d.Issue)
	}
	step(&f, d.PublishedAt, how)
	with := ""
	if d.Fingerprint != "" {
		with = fmt.Sprintf(" with key %s from %s (%s)", d.Fingerprint, d.Address, cmp.Or(d.Client, "unknown program"))
	}
	if d.OpenedAt != nil {
		text := "opened by " + d.User
		if d.CollectedAt == nil {
			text += with + fmt.Sprintf("; %d of %d bytes were sent", exchange.UnpackSpans(d.Ranges).Total(), d.Size)
		}
		step(&f, *d.OpenedAt, text)
	}
	if d.CollectedAt != nil {
		step(&f, *d.CollectedAt, "downloaded in full by "+d.User+with)
	}
	if d.EndedAt != nil {
		step(&f, *d.EndedAt, map[model.DeliveryState]string{model.DeliveryExpired: "removed after its retention period",
			model.DeliveryWithdrawn: "taken back by the operator",
			model.DeliveryReplaced:  "replaced by a newer issue, before it was downloaded in full"}[d.State])
	}
	if d.TakenAt != nil {
		step(&f, *d.TakenAt, "removed from its folder, or renamed, by "+d.User)
	}
	if d.OpenedAt == nil && d.EndedAt == nil {
		step(&f, w.t.At, "not opened yet")
	}
	w.add(f)
}

func (w *walker) received(list []model.Drop) error {
	for _, d := range list {
		if w.account != "" && d.Account != w.account {
			continue
		}
		f := model.TracedFile{Direction: "from_partner", ID: d.ID, Name: valid.Printable(path.Base(d.Path)),
			Path: valid.Printable(d.Path), Account: d.Account, User: d.User, Size: d.Size, SHA256: d.SHA256,
			State: string(d.State)}
		text := fmt.Sprintf("received whole from %s with key %s from %s", d.User, d.Fingerprint, d.Address)
		if d.Duplicate != "" {
			text += map[string]string{model.DuplicateName: "; the name had come before",
				model.DuplicateContent: "; the same content had come before",
				model.DuplicateBoth:    "; it had come before"}[d.Duplicate] + " (" + d.DuplicateOf + ")"
		}
		step(&f, d.ReceivedAt, text)
		names, err := w.q.DropNames(d.ID, maxNames)
		if err != nil {
			return err
		}
		for _, n := range names {
			step(&f, n.At, "its name was "+n.Path+", too")
		}
		switch {
		case d.State == model.DropSuperseded:
			step(&f, d.ReceivedAt, "replaced by a newer upload before anybody took it")
		case d.State == model.DropClaimed:
			step(&f, w.t.At, "being worked on by "+d.Consumer)
		case d.SettledAt != nil && d.State == model.DropAcked:
			step(&f, *d.SettledAt, "accepted by "+d.Consumer)
		case d.SettledAt != nil && d.State == model.DropRejected:
			step(&f, *d.SettledAt, "refused by "+d.Consumer+": "+d.Reason)
		}
		if d.RemovedAt != nil {
			step(&f, *d.RemovedAt, "removed after its retention period")
		}
		if d.ReadyAt != nil && d.SettledAt == nil {
			step(&f, w.t.At, "not handed on before "+d.ReadyAt.Format("15:04:05")+": its name may be a temporary one")
		}
		w.add(f)
	}
	return nil
}

func (w *walker) add(f model.TracedFile) {
	w.t.Files = append(w.t.Files, f)
	if !slices.Contains(w.users, f.User) && f.User != "" {
		w.users = append(w.users, f.User)
	}
}

// logins adds the last successful and failed log-ins of the users concerned.
func (w *walker) logins() error {
	slices.Sort(w.users)
	for _, u := range w.users[:min(len(w.users), maxFiles)] {
		ok, bad, err := w.q.LastLogins(u)
		if err != nil {
			return err
		}
		l := model.TracedLogin{User: u}
		if !ok.IsZero() {
			l.LastOK = &ok
		}
		if !bad.IsZero() {
			l.LastBad = &bad
		}
		w.t.Users = append(w.t.Users, l)
	}
	return nil
}

// Sheet formats a trace as plain text for a mail. Times are in UTC. Similar names may be
// another partner's, so they are left out.
func Sheet(t model.Trace, from, help string) string {
	var b strings.Builder
	what := map[string]string{"name": "the file", "account": "account", "content": "the content"}[t.Kind]
	fmt.Fprintf(&b, "What %s knows of %s %s\n", from, what, t.About)
	fmt.Fprintf(&b, "Made on %s (UTC, like all times here)\n\n", t.At.Format("2006-01-02 15:04"))
	if len(t.Files) == 0 {
		who := "anybody here"
		if t.Account != "" {
			who = "account " + t.Account
		}
		fmt.Fprintf(&b, "Nothing. It was never published to %[1]s, and never received from %[1]s", who)
		if t.Since != nil {
			fmt.Fprintf(&b, ", as far as the records go: to %s", t.Since.Format(time.DateOnly))
		}
		b.WriteString(".\n")
	}
	for _, f := range t.Files {
		who := "to"
		if f.Direction == "from_partner" {
			who = "from"
		}
		fmt.Fprintf(&b, "%s\n  %s %s (account %s)%s\n  %d bytes, SHA-256 %s\n", f.Name, who, cmp.Or(f.User, "nobody"),
			cmp.Or(f.Account, "all"), feedText(f), f.Size, f.SHA256)
		for _, s := range f.Steps {
			fmt.Fprintf(&b, "  %s  %s\n", s.At.Format("2006-01-02 15:04:05"), valid.Printable(s.Text))
		}
		b.WriteString("\n")
	}
	if t.More {
		b.WriteString("There are more; these are the newest.\n\n")
	}
	for _, l := range t.Users {
		fmt.Fprintf(&b, "%s last logged in: %s; last failed to: %s\n", l.User, whenText(l.LastOK), whenText(l.LastBad))
	}
	if help != "" {
		fmt.Fprintf(&b, "\nHelp: %s\n", help)
	}
	return b.String()
}

func feedText(f model.TracedFile) string {
	if f.Feed == "" {
		return ", as " + f.Path
	}
	return fmt.Sprintf(", feed %s, as %s", f.Feed, cmp.Or(f.Path, f.Name))
}

func whenText(t *time.Time) string {
	if t == nil {
		return "no record"
	}
	return t.Format("2006-01-02 15:04:05")
}

func step(f *model.TracedFile, at time.Time, text string) {
	f.Steps = append(f.Steps, model.TracedStep{At: at, Text: text})
}
