// Package trace reports the history of a file, to answer claims such as "you never sent it". It
// lists what was published and when, who opened and collected it with which key, and what was
// received, refused, left unfinished or removed. That there is nothing is said only of an exact name and
// an account that exists.
package trace

import (
	"cmp"
	"context"
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

const (
	maxFiles = 200 // of one trace
	longest  = 300 // bytes of a name that is asked for, as of find
	maxNames = 20  // other names of one file
	// leastDigits is how many digits of a SHA-256 are taken as its beginning.
	leastDigits = 8
	maxLike     = 20 // accounts and vendors among which one that is called so is looked for
	mostDigits  = 64
)

// Unfinished is an upload that is not complete.
type Unfinished struct {
	ID, UserID, DirID, Name string
	Size                    int64
	Began, Touched          time.Time
	Live                    bool // a session has it open
}

// Options are the dependencies of the service. The functions may be nil.
type Options struct {
	Store      *store.Store
	Clock      exchange.Clock
	Flush      func()                           // writes what is queued of connections and refused uploads
	Sessions   func() []model.Session           // the live ones
	Unfinished func(userID string) []Unfinished // of all users, if userID is ""
	Zones      exchange.Zones                   // in which people read times
}

// Service answers questions about files. It is safe for concurrent use.
type Service struct{ o Options }

// New returns the service.
func New(o Options) *Service { return &Service{o} }

// Find traces a file name or a part of it, a path, an account, a user, or a content (SHA-256 in hexadecimal, or its
// first digits), whichever ask.About is. What matches best comes first. With ask.Exact, it is a name or a path, exactly
// so. If nothing is found, Find fails with near names, unless an exact name of an account that exists was asked for:
// then an empty trace is the answer. Its sentences have times in the zone of the account whose people it is for; if it
// is of several accounts, in that of whoever asks. The zone is returned, too.
func (r *Service) Find(ctx context.Context, ask model.TraceQuery) (model.Trace, *time.Location, error) {
	if r.o.Flush != nil {
		r.o.Flush()
	}
	zone := exchange.ReaderZone(ctx, r.o.Zones.Own)
	t, err := r.find(ctx, ask, zone)
	account := OnlyAccount(t, ask.Account)
	if err != nil || account == "" {
		return t, zone, err
	}
	a, err := r.o.Store.Read(ctx).Account(account)
	if err != nil {
		return t, zone, fault.Missing("trace.Find", err, "There is no account %q.", valid.Printable(account))
	}
	theirs := r.o.Zones.Of(a)
	if theirs.String() != zone.String() {
		t, err = r.find(ctx, ask, theirs)
	}
	return t, theirs, err
}

// OnlyAccount returns the account whose people a trace is for; "" if there are several.
func OnlyAccount(t model.Trace, asked string) string {
	account := cmp.Or(asked, t.Account)
	for _, f := range t.Files {
		if account != "" && !strings.EqualFold(account, f.Account) {
			return ""
		}
		account = f.Account
	}
	return account
}

func (r *Service) find(ctx context.Context, ask model.TraceQuery, zone *time.Location) (model.Trace, error) {
	const op = "trace.Find"
	t := model.Trace{About: valid.Printable(ask.About), At: r.o.Clock().UTC().Truncate(time.Second),
		Files: []model.TracedFile{}, Users: []model.TracedLogin{}}
	if strings.Trim(ask.About, "/ ") == "" {
		return t, fault.E(op, fault.Invalid, "Name a file, an account, a user, or a SHA-256.")
	}
	// A path may have its user before it.
	if len(path.Base(ask.About)) > longest || len(ask.About) > valid.MaxPath+longest {
		return t, fault.E(op, fault.Invalid, "That is longer than a name can be: %d bytes.", longest).
			WithHint("ask for the file's name, or a part of it")
	}
	w := walker{r: r, zone: zone, q: r.o.Store.Read(ctx).Patient(), t: &t, exact: ask.Exact, logins: []string{}}
	if ask.Account != "" {
		a, err := w.q.Account(ask.Account)
		if err != nil {
			return t, fault.Missing(op, err, "There is no account %q.", valid.Printable(ask.Account))
		}
		w.account = a.ID
	}
	if err := w.find(ask.About); err != nil {
		return t, err
	}
	w.merge()
	slices.SortStableFunc(t.Files, func(a, b model.TracedFile) int {
		return cmp.Or(cmp.Compare(rankOf(a.Match), rankOf(b.Match)), b.Steps[0].At.Compare(a.Steps[0].At))
	})
	if len(t.Files) > maxFiles {
		t.Files, t.More = t.Files[:maxFiles], true
	}
	if len(t.Files) > 0 || t.Kind == model.TraceAccount || t.Kind == model.TraceUser {
		return t, w.addLogins()
	}
	if err := w.never(ask.About); err != nil {
		return t, err
	}
	if ask.Exact && w.account != "" {
		t.Account = w.account
		return t, w.ofAccountLogins()
	}
	return t, w.nothing(ask)
}

// walker collects one trace.
type walker struct {
	r       *Service
	zone    *time.Location // of times in sentences
	q       *store.Q
	t       *model.Trace
	account string // only files of this account; "": all
	path    string // only files of this path; "": any
	user    string // only this user's; "": anybody's
	exact   bool
	logins  []string
}

// find collects what about names.
func (w *walker) find(about string) error {
	name := about
	if user, full, ok := strings.Cut(about, ":/"); ok { // as files are named elsewhere: user:/path
		if u, err := w.q.User(user); err == nil {
			w.user, name = u.Name, "/"+full
		}
	}
	if strings.Contains(name, "/") {
		w.path = path.Clean("/" + name)
		name = path.Base(w.path)
	}
	digits := strings.ToLower(about)
	isSum := len(digits) >= leastDigits && len(digits) <= mostDigits && strings.Trim(digits, "0123456789abcdef") == ""
	if !w.exact {
		done, err := w.whose(about)
		if done || err != nil {
			return err
		}
	}
	w.t.Kind = model.TraceName
	if err := w.named(name); err != nil {
		return err
	}
	if isSum && (!w.exact || len(digits) == mostDigits) {
		before := len(w.t.Files)
		if err := w.content(digits); err != nil {
			return err
		}
		if before == 0 && len(w.t.Files) > 0 {
			w.t.Kind = model.TraceContent
		}
	}
	if w.exact || len(w.t.Files) > 0 {
		return nil
	}
	return w.search(name)
}

// whose collects the files of an account or a user, if about is one.
func (w *walker) whose(about string) (is bool, err error) {
	a, err := w.accountCalled(about)
	if err == nil {
		w.t.Kind, w.t.About = model.TraceAccount, a.ID
		return true, w.ofAccount(a.ID, "")
	} else if !fault.Is(err, fault.NotFound) {
		return false, err
	}
	u, err := w.q.User(about)
	if err == nil {
		w.t.Kind = model.TraceUser
		return true, w.ofAccount(u.Account, u.ID)
	}
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return false, err
}

// accountCalled finds an account by its ID or, if one alone has it, by its name, in any case.
func (w *walker) accountCalled(about string) (model.Account, error) {
	a, err := w.q.Account(about)
	if !fault.Is(err, fault.NotFound) {
		return a, err
	}
	like, lerr := w.q.AccountsLike(valid.Printable(strings.TrimSpace(about)), maxLike)
	if lerr != nil {
		return a, lerr
	}
	like = slices.DeleteFunc(like, func(a model.Account) bool {
		return !strings.EqualFold(a.Name, strings.TrimSpace(about))
	})
	if len(like) == 1 {
		return like[0], nil
	}
	return a, err
}

// named collects the files of a name.
func (w *walker) named(name string) error {
	list, err := w.q.PublicationsNamed(name, w.account, maxFiles)
	if err != nil {
		return err
	}
	if err := w.published(list); err != nil {
		return err
	}
	drops, err := w.q.DropsNamed(name, w.account, maxFiles)
	if err != nil {
		return err
	}
	if err := w.received(drops); err != nil {
		return err
	}
	files, err := w.q.FilesNamed(name, w.account, maxFiles)
	if err != nil {
		return err
	}
	if err := w.unreceived(files); err != nil {
		return err
	}
	refused, err := w.q.RefusedUploadsNamed(name, w.account, maxFiles)
	if err != nil {
		return err
	}
	w.refused(refused)
	if err := w.unfinished("", func(have string) bool { return have == name }); err != nil {
		return err
	}
	rows, err := w.q.Search(store.SourceRemoved, name, w.account, maxFiles)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if path.Base(row.Name) == name {
			if err := w.removed(row.ID); err != nil {
				return err
			}
		}
	}
	w.matched(model.MatchExact)
	return nil
}

// matched notes how the files match that have no note yet.
func (w *walker) matched(how model.TraceMatch) {
	for i := range w.t.Files {
		w.t.Files[i].Match = cmp.Or(w.t.Files[i].Match, how)
	}
}

func (w *walker) content(digits string) error {
	list, err := w.q.PublicationsWithContent(digits, w.account, maxFiles)
	if err != nil {
		return err
	}
	if err := w.published(list); err != nil {
		return err
	}
	drops, err := w.q.DropsWithContent(digits, w.account, maxFiles)
	if err != nil {
		return err
	}
	if err := w.received(drops); err != nil {
		return err
	}
	files, err := w.q.FilesWithContent(digits, w.account, maxFiles)
	if err != nil {
		return err
	}
	return w.unreceived(files)
}

// ofAccount collects the newest files of an account, or of one user of it.
func (w *walker) ofAccount(account, userID string) error {
	if w.account != "" && w.account != account {
		return nil
	}
	users, err := w.q.Users(model.UserFilter{Account: account})
	if err != nil {
		return err
	}
	rows, err := w.q.NewestDeliveries(account, userID, maxFiles)
	if err != nil {
		return err
	}
	for _, d := range rows {
		if err := w.delivery(d, store.PublicationRow{}); err != nil {
			return err
		}
	}
	drops, err := w.q.NewestDrops(account, userID, maxFiles)
	if err != nil {
		return err
	}
	if err := w.received(drops); err != nil {
		return err
	}
	w.t.More = len(rows) == maxFiles || len(drops) == maxFiles
	for _, u := range users {
		if userID != "" && u.ID != userID {
			continue
		}
		if !slices.Contains(w.logins, u.Name) {
			w.logins = append(w.logins, u.Name)
		}
		if err := w.ofUser(u.ID); err != nil {
			return err
		}
	}
	return nil
}

// ofUser collects a user's newest uploads that became no drops.
func (w *walker) ofUser(id string) error {
	files, err := w.q.UnreceivedOf(id, maxFiles)
	if err != nil {
		return err
	}
	if err := w.unreceived(files); err != nil {
		return err
	}
	refused, err := w.q.RefusedUploadsOf(id, maxFiles)
	if err != nil {
		return err
	}
	w.refused(refused)
	return w.unfinished(id, func(string) bool { return true })
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
			if err := w.delivery(d, p); err != nil {
				return err
			}
		}
		if len(rows) == 0 && (w.account == "" || p.Account == w.account) {
			w.undelivered(p)
		}
	}
	return nil
}

// addLogins adds the latest log-ins of the users concerned, and who is logged in now.
func (w *walker) addLogins() error {
	slices.Sort(w.logins)
	var live []model.Session
	if w.r.o.Sessions != nil {
		live = w.r.o.Sessions()
	}
	for _, u := range w.logins[:min(len(w.logins), maxFiles)] {
		names := []string{u}
		if who, err := w.q.User(u); err == nil {
			if names, err = w.q.NamesOf(who.ID); err != nil {
				return err
			}
		}
		ok, bad, err := w.q.LastLogins(names)
		if err != nil {
			return err
		}
		l := model.TracedLogin{User: u}
		for _, s := range live {
			if s.User != u {
				continue
			}
			since := s.Since.UTC().Truncate(time.Second)
			if l.Now == nil { // the oldest comes first
				l.Now = &since
			}
			if s.Since.After(ok) {
				ok = since
			}
		}
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

// ofAccountLogins adds the log-ins of all users of the account.
func (w *walker) ofAccountLogins() error {
	users, err := w.q.Users(model.UserFilter{Account: w.account})
	if err != nil {
		return err
	}
	for _, u := range users {
		w.logins = append(w.logins, u.Name)
	}
	return w.addLogins()
}
