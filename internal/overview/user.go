package overview

import (
	"context"
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

// Bounds of a page.
const (
	pageRows     = 10
	pageKeys     = 200
	pageContacts = 100
	pageUsers    = 200
	pageFailures = 3
	lateAfter    = 3 * 24 * time.Hour
)

// UserPage is all that support needs to know of a user.
func (s *Service) UserPage(ctx context.Context, name string) (p model.UserPage, err error) {
	s = s.reading(ctx)
	q := s.read(ctx)
	if p.User, err = q.User(name); err != nil {
		return p, fault.Missing("overview.UserPage", err, "There is no user %q.", valid.Printable(name))
	}
	limits := s.o.Policy().Limits.Of(p.User.OwnLimits())
	p.User.Limits = &limits
	if p.Account, err = q.Account(p.User.Account); err != nil {
		return p, err
	}
	contacts, err := q.Contacts(p.User.Account, p.User.Vendor)
	if err != nil {
		return p, err
	}
	p.Contacts = cut(&p.More, "contacts", present(contacts), pageContacts)
	if p.Keys, err = s.keysOf(q, p.User.ID); err != nil {
		return p, err
	}
	p.Keys = cut(&p.More, "keys", p.Keys, pageKeys)
	if p.Pending, err = q.PendingKeys(p.User.ID, model.Paging{Limit: pageRows}); err != nil {
		return p, err
	}
	if p.Folders, err = folders(q, p.User.ID); err != nil {
		return p, err
	}
	if p.Feeds, err = feedsOf(q, p.User); err != nil {
		return p, err
	}
	p.Sessions = []model.Session{}
	for _, x := range s.o.Sessions() {
		if x.User == p.User.Name {
			p.Sessions = append(p.Sessions, x)
		}
	}
	names, err := q.NamesOf(p.User.ID)
	if err != nil {
		return p, err
	}
	if p.LastLogin, p.Failures, err = q.LastTries(names, pageFailures); err != nil {
		return p, err
	}
	if p.FirstLogin, err = q.FirstLogin(names); err != nil {
		return p, err
	}
	_, file, err := q.FirstUse(p.User.ID, time.UnixMicro(0))
	if err != nil {
		return p, err
	}
	if !file.IsZero() {
		p.FirstFile = &file
	}
	if p.Waiting, err = s.waiting(q, []model.User{p.User}, &p.More); err != nil {
		return p, err
	}
	if p.Notes, err = q.Notes(store.AboutUser, p.User.ID, model.Paging{Limit: pageRows + 1}); err != nil {
		return p, err
	}
	p.Notes = cut(&p.More, "notes", p.Notes, pageRows)
	p.Findings, err = s.userFindings(q, &p)
	return p, err
}

// cut shortens a list, and notes that it did.
func cut[T any](more *[]string, what string, list []T, most int) []T {
	if len(list) > most {
		*more = append(*more, what)
		return list[:most]
	}
	return append([]T{}, list...)
}

func present(list []model.Contact) []model.Contact {
	return slices.DeleteFunc(list, func(c model.Contact) bool { return c.LeftAt != nil })
}

// keysOf lists a user's keys, the newest first, with their states.
func (s *Service) keysOf(q *store.Q, userID string) ([]model.Key, error) {
	keys, err := q.Keys(userID)
	slices.Reverse(keys)
	for i := range keys {
		keys[i].State = keys[i].StateAt(s.now())
	}
	return keys, err
}

// works reports whether somebody can log in with a key.
func works(k model.Key) bool { return k.State == model.KeyActive || k.State == model.KeyRetiring }

func feedsOf(q *store.Q, u model.User) ([]model.FeedLine, error) {
	subs, err := q.SubscriptionsOf(u.ID)
	out := []model.FeedLine{}
	for _, x := range subs {
		out = append(out, model.FeedLine{User: u.Name, Feed: x.Feed, Title: x.Title, Dir: x.Dir, Types: x.Types})
	}
	return out, err
}

// folders lists the directories that the operator made, with the rights in them.
func folders(q *store.Q, userID string) ([]model.Folder, error) {
	dirs, err := q.FixedDirs(userID)
	byID := map[string]store.Dir{}
	for _, d := range dirs {
		byID[d.ID] = d
	}
	out := []model.Folder{}
	for _, d := range dirs {
		full := "/"
		var rights *exchange.Rights
		for at := d; ; at = byID[at.Parent] {
			if rights == nil {
				rights = at.Rights
			}
			if at.Parent == "" {
				break
			}
			full = path.Join("/", at.Name, full)
		}
		f := model.Folder{Path: full, Rights: []string{}}
		if rights != nil {
			f.Rights = rights.Words()
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b model.Folder) int { return strings.Compare(a.Path, b.Path) })
	return out, err
}

// waiting lists what some users have not fetched, what of them is not claimed, and what broke off.
func (s *Service) waiting(q *store.Q, users []model.User, more *[]string) (w model.Waiting, err error) {
	for _, u := range users {
		rows, err := q.OpenDeliveries(u.ID, pageRows+1)
		if err != nil {
			return w, err
		}
		for _, r := range rows {
			w.Uncollected = append(w.Uncollected, r.Delivery)
		}
		drops, err := q.OpenDrops(u.ID, pageRows+1)
		if err != nil {
			return w, err
		}
		for i := range drops {
			drops[i].Claim = "" // told to whoever claims, and to nobody else
		}
		w.Received = append(w.Received, drops...)
		w.Unfinished = append(w.Unfinished, s.o.Partials(u.ID, s.now())...)
	}
	slices.SortFunc(w.Uncollected, func(a, b model.Delivery) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(w.Received, func(a, b model.Drop) int { return strings.Compare(a.ID, b.ID) })
	w.Uncollected = cut(more, "uncollected", w.Uncollected, pageRows)
	w.Received = cut(more, "received", w.Received, pageRows)
	w.Unfinished = cut(more, "unfinished", w.Unfinished, pageRows)
	namePartials(q, w.Unfinished)
	return w, nil
}

// namePartials fills in the users and the whole paths of unfinished uploads. What is gone meanwhile
// keeps its name alone.
func namePartials(q *store.Q, list []model.Partial) {
	for i := range list {
		p := &list[i]
		if u, err := q.UserByID(p.UserID); err == nil {
			p.User = u.Name
		}
		if dir, _, err := q.DirPath(p.DirID); err == nil {
			p.Path = path.Join(dir, p.Path)
		}
		p.Path = valid.Printable(p.Path)
	}
}

// findings collects what is wrong.
type findings []model.Finding

func (f *findings) add(do *model.Action, format string, args ...any) {
	*f = append(*f, model.Finding{Text: fmt.Sprintf(format, args...), Action: do})
}

// userFindings says what is wrong with a user now.
func (s *Service) userFindings(q *store.Q, p *model.UserPage) ([]model.Finding, error) {
	f := findings{}
	if !p.User.Enabled {
		f.add(model.Do("edit-user", "user", p.User.Name, "enabled", "true"), "The user is disabled: it cannot log in.")
	}
	s.accountState(&f, p.Account)
	s.keyFindings(&f, p.User, p.Keys)
	if n := len(p.Pending); n > 0 {
		f.add(model.Do("list-pending-keys", "user", p.User.Name), "%s for your approval.",
			count(int64(n), n == pageRows, "unknown key waits", "unknown keys wait"))
	}
	s.limitFindings(&f, p.User)
	if err := s.bannedFindings(q, &f, p.Keys); err != nil {
		return nil, err
	}
	if p.User.Kind != model.KindService {
		contactFindings(&f, p.Account.ID, p.Contacts)
	}
	if len(p.Failures) > 0 && (p.LastLogin == nil || p.Failures[0].At.After(p.LastLogin.At)) {
		f.add(model.Do("explain", "about", p.User.Name), "The latest try to log in, on %s, failed (%s).",
			s.minute(p.Failures[0].At), strings.ReplaceAll(p.Failures[0].Outcome, "_", " "))
	}
	s.waitingFindings(&f, p.Account.ID, p.Waiting)
	return f, nil
}

func (s *Service) accountState(f *findings, a model.Account) {
	switch a.State {
	case model.AccountReadOnly:
		f.add(model.Do("edit-account", "account", a.ID, "state", string(model.AccountActive)),
			"The account %s is read-only: its users can fetch files and cannot send any.", a.ID)
	case model.AccountSuspended:
		f.add(model.Do("edit-account", "account", a.ID, "state", string(model.AccountActive)),
			"The account %s is suspended: nobody of it can log in.", a.ID)
	case model.AccountClosed:
		f.add(nil, "The account %s is closed.", a.ID)
	}
}

// keyFindings looks at the keys of a user.
func (s *Service) keyFindings(f *findings, u model.User, keys []model.Key) {
	good := 0
	for _, k := range keys {
		if works(k) {
			good++
		}
		if k.Flag != "" && k.RevokedAt == nil {
			f.add(model.Do("edit-key", "user", u.Name, "fingerprint", k.Fingerprint, "flag", ""),
				"The key %s of %s needs a look: %s. Take the flag off once you looked", k.Fingerprint, u.Name, k.Flag)
		}
		if works(k) && k.RetiresAt == nil && k.ExpiresAt != nil && k.ExpiresAt.Sub(s.now()) < expiringKeys {
			f.add(model.Do("list-keys", "user", u.Name), "The key %s of %s expires on %s.", k.Fingerprint, u.Name,
				s.date(*k.ExpiresAt))
		}
	}
	if good == 0 && u.Enabled {
		f.add(model.Do("add-keys", "user", u.Name), "User %s has no key that works.", u.Name)
	}
}

// limitFindings looks at a user's quota and the limit on what it keeps.
func (s *Service) limitFindings(f *findings, u model.User) {
	l := s.o.Policy().Limits.Of(u.OwnLimits())
	for _, b := range []struct {
		have, limit int64
		what, field string
		size        bool
	}{
		{u.UsedBytes, l.QuotaBytes, "The files of %s take %s of %s", "quota_bytes", true},
		{u.UsedFiles, l.QuotaFiles, "%s has %s of %s files", "quota_files", false},
		{u.KeptBytes, l.KeepBytes, "%s keeps %s of %s, with older versions and removed files", "keep_bytes", true},
		{u.KeptItems, l.KeepItems, "%s keeps %s of %s files and directories, with older versions", "keep_items", false},
	} {
		if b.limit <= 0 || float64(b.have) < float64(b.limit)*exchange.NearPercent/100 {
			continue
		}
		have, limit := fmt.Sprint(b.have), fmt.Sprint(b.limit)
		if b.size {
			have, limit = valid.Size(b.have), valid.Size(b.limit)
		}
		f.add(model.Do("edit-user", "user", u.Name, b.field, ""), b.what+"; at the limit its uploads are refused.", u.Name,
			have, limit)
	}
}

// bannedFindings looks whether the addresses that a user's keys came from last are banned.
func (s *Service) bannedFindings(q *store.Q, f *findings, keys []model.Key) error {
	told := map[string]bool{}
	for _, k := range keys {
		if k.LastAddress == "" || told[k.LastAddress] {
			continue
		}
		told[k.LastAddress] = true
		b, err := q.Ban(k.LastAddress)
		switch {
		case fault.Is(err, fault.NotFound):
		case err != nil:
			return err
		case s.now().Before(b.Until):
			f.add(model.Do("lift-ban", "address", b.Address), "The address %s, from which %s came last, is banned until %s.",
				k.LastAddress, k.User, s.minute(b.Until))
		}
	}
	return nil
}

// contactFindings looks whether people can be reached.
func contactFindings(f *findings, account string, contacts []model.Contact) {
	reached := 0
	for _, c := range contacts {
		if c.BouncedAt == nil {
			reached++
			continue
		}
		f.add(model.Do("edit-contact", "contact", c.ID, "email", ""), "Mail to %s <%s> came back.", c.Name, c.Email)
	}
	if reached == 0 {
		f.add(model.Do("add-contact", "account", account), "There is no contact whom mail reaches.")
	}
}

// waitingFindings looks at what waits too long.
func (s *Service) waitingFindings(f *findings, account string, w model.Waiting) {
	late := 0
	for _, d := range w.Uncollected {
		if s.now().Sub(d.PublishedAt) > lateAfter {
			late++
		}
	}
	if late > 0 {
		f.add(model.Do("list-deliveries", "account", account, "uncollected", "3d"),
			"%s waited more than 3 days to be downloaded.",
			count(int64(late), late == pageRows, "file has", "files have"))
	}
	if n := len(w.Unfinished); n > 0 {
		first := w.Unfinished[0]
		several := slices.ContainsFunc(w.Unfinished, func(u model.Partial) bool { return u.User != first.User })
		var names []string
		for _, u := range w.Unfinished[:min(n, named)] {
			name := u.Path
			if several { // the command is about one of them
				name += " of " + u.User
			}
			names = append(names, name)
		}
		f.add(model.Do("list-files", "user", first.User, "path", path.Dir(first.Path)), "%s broke off: %s.",
			count(int64(n), n == pageRows, "upload", "uploads"), list(names, n))
	}
}
