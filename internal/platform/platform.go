// Package platform is the tree that the operator's own programs see over SFTP. It
// is virtual: its files and directories have no rows of their own.
//
//	/outbound/<feed>/<account>   write: a file is published when it is closed,
//	                             or renamed from a temporary name
//	/outbound/<feed>/all         the same, to every subscriber
//	/inbox/<account>/<user>      read: opening a received file claims it,
//	                             removing what was read accepts it
//
// A user of a feed's producer account sees the part of /outbound that belongs to its
// feeds, beside its own mailbox (package node joins the two). Paths are split here. Their
// names must be those of known feeds, accounts and users.
package platform

import (
	"context"
	"io"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Top directories.
const (
	Outbound = "outbound"
	Inbox    = "inbox"
	// All is the directory that publishes to every subscriber. No account can have
	// this name, because it is reserved.
	All = "all"
)

// Options configure a tree.
type Options struct {
	Store    *store.Store
	Feeds    *feed.Service
	Inbox    *inbox.Service
	Clock    exchange.Clock
	Log      *slog.Logger
	Names    func(userID, path string) exchange.NameRules
	Readings *Readings // shared by all sessions
	// MayWrite fails if a login was revoked, or if that cannot be determined.
	MayWrite func(l *exchange.Login) error
}

// FS is one session's tree. One goroutine uses it.
type FS struct {
	o     Options
	login exchange.Login
	guard *store.Guard
	own   string // not "": only feeds of this producer account, and no inbox

	done map[string]published // by path, what this session published; clients look for it
	read map[string]string    // path → id of the drop that this session last opened there
	open map[*File]bool
}

// Begin opens the tree for a service user. If producer is not "", the tree is for a user
// of that account and has only the account's feeds.
func Begin(o Options, login exchange.Login, producer string) *FS {
	return &FS{o: o, login: login, guard: store.NewGuard(login), own: producer, done: map[string]published{},
		read: map[string]string{}, open: map[*File]bool{}}
}

// End discards the files that were not closed. Files on hold stay.
func (f *FS) End() {
	for h := range f.open {
		h.abandon()
	}
}

// published is a file that became a publication.
type published struct {
	model.FileInfo
	id string
}

func (f *FS) query() *store.Q { return f.o.Store.Read(context.Background()) }

// RealPath returns the absolute form of a client's path.
func (f *FS) RealPath(p string) (string, error) { return valid.CleanPath("/", p) }

// Space fails with Unsupported: published files count towards no quota.
func (f *FS) Space() (exchange.Space, error) {
	return exchange.Space{}, fault.E("platform.Space", fault.Unsupported, "This tree has no quota.")
}

// split returns the names of a path, and its absolute form.
func split(p string) ([]string, string, error) {
	clean, err := valid.CleanPath("/", p)
	return store.SplitPath(clean), clean, err
}

func notFound() error {
	return fault.E("platform", fault.NotFound, "No such file or directory.")
}

func denied(why string) error { return fault.E("platform", fault.Denied, "%s", why) }

// feedOf finds a feed that this session may publish into.
func (f *FS) feedOf(name string) (model.Feed, error) {
	v, err := f.query().Feed(name)
	if err == nil && f.own != "" && v.Producer != f.own {
		err = notFound()
	}
	return v, err
}

// target checks the directory /outbound/<feed>/<account>. account is All or an account's
// id, whose upper and lower case do not matter.
func (f *FS) target(feedName, account string) error {
	v, err := f.feedOf(feedName)
	if err != nil || account == All {
		return err
	}
	a, err := f.query().Account(account)
	if err != nil {
		return err
	}
	account = a.ID
	if len(v.Recipients) > 0 && !slices.Contains(v.Recipients, account) {
		return notFound()
	}
	if f.own != "" { // a partner must not learn of accounts that it does not publish to
		accounts, err := f.query().SubscribedAccounts(feedName)
		if err == nil && !slices.Contains(accounts, account) {
			err = notFound()
		}
		return err
	}
	return nil
}

// from checks the directory /inbox/<account>/<user>.
func (f *FS) from(account, user string) error {
	if f.own != "" {
		return notFound()
	}
	u, err := f.query().User(user)
	if err == nil && (!strings.EqualFold(u.Account, account) || u.Kind == model.KindService) {
		err = notFound()
	}
	return err
}

// directory reports whether names are those of a directory. It returns false for the name
// of a file, which may not exist.
func (f *FS) directory(names []string) (bool, error) {
	if len(names) == 0 {
		return true, nil
	}
	var err error
	switch top := names[0]; {
	case top != Outbound && (top != Inbox || f.own != ""):
		return false, notFound()
	case len(names) == 1:
	case top == Outbound && len(names) == 2:
		_, err = f.feedOf(names[1])
	case top == Outbound && len(names) == 3:
		err = f.target(names[1], names[2])
	case top == Inbox && len(names) == 2:
		_, err = f.query().Account(names[1])
	case top == Inbox && len(names) == 3:
		err = f.from(names[1], names[2])
	default:
		return false, nil
	}
	return err == nil, err
}

func (f *FS) dirInfo(name string) model.FileInfo {
	return model.FileInfo{Name: name, Dir: true, Mode: 0o755, Mtime: f.o.Clock().UTC().Truncate(time.Second)}
}

// Stat describes a path.
func (f *FS) Stat(p string) (model.FileInfo, error) {
	names, clean, err := split(p)
	if err != nil {
		return model.FileInfo{}, err
	}
	dir, err := f.directory(names)
	if err != nil {
		return model.FileInfo{}, err
	}
	if dir {
		return f.dirInfo(path.Base(clean)), nil
	}
	if len(names) != 4 {
		return model.FileInfo{}, notFound()
	}
	if names[0] == Outbound {
		if err := f.target(names[1], names[2]); err != nil {
			return model.FileInfo{}, err
		}
		if h, ok := f.o.Feeds.HeldAt(f.login.User.ID, clean); ok {
			return heldInfo(h), nil
		}
		if p, ok := f.done[clean]; ok {
			return p.FileInfo, nil
		}
		return model.FileInfo{}, notFound()
	}
	d, err := f.drop(names)
	return dropInfo(d), err
}

// drop returns the received file that a name below /inbox shows: the oldest of
// that name.
func (f *FS) drop(names []string) (model.Drop, error) {
	if err := f.from(names[1], names[2]); err != nil {
		return model.Drop{}, err
	}
	list, err := f.waiting(names[2], names[3], model.Paging{Limit: 1})
	if err != nil {
		return model.Drop{}, err
	}
	if len(list) == 0 {
		return model.Drop{}, notFound()
	}
	return list[0], nil
}

// waiting lists a user's received files that are waiting for this login. name "" lists all
// names.
func (f *FS) waiting(user, name string, p model.Paging) ([]model.Drop, error) {
	u, err := f.query().User(user)
	if err != nil {
		return nil, err
	}
	return f.o.Inbox.Waiting(context.Background(), u.ID, f.login.User.Name, name, p)
}

func baseOf(d model.Drop) string {
	if d.Raw != nil {
		return path.Base(string(d.Raw))
	}
	return path.Base(d.Path)
}

// reading returns the key of this user's reading of a drop.
func (f *FS) reading(d model.Drop) reading { return reading{f.login.User.ID, d.ID} }

// heldInfo describes a file on hold.
func heldInfo(h feed.Held) model.FileInfo {
	return model.FileInfo{Name: h.Name, Size: h.Size, Mode: 0o644, Mtime: h.At}
}

func dropInfo(d model.Drop) model.FileInfo {
	return model.FileInfo{Name: baseOf(d), Size: d.Size, Mode: 0o444, Mtime: d.ReceivedAt}
}

// Dir is a listing. Received files are read page by page; all other entries when it is
// opened.
type Dir struct {
	list []model.FileInfo
	more func() ([]model.FileInfo, error) // nil: nothing follows
}

// Next returns the next entries, at least one, or io.EOF.
func (d *Dir) Next() ([]model.FileInfo, error) {
	for len(d.list) == 0 {
		if d.more == nil {
			return nil, io.EOF
		}
		list, err := d.more()
		if err != nil {
			return nil, err
		}
		d.list = list
		if len(list) == 0 {
			d.more = nil
		}
	}
	out := d.list
	d.list = nil
	return out, nil
}

// OpenDir lists a directory.
func (f *FS) OpenDir(p string) (*Dir, error) {
	names, _, err := split(p)
	if err != nil {
		return nil, err
	}
	if ok, err := f.directory(names); err != nil {
		return nil, err
	} else if !ok {
		return nil, notFound()
	}
	list := []model.FileInfo{f.dirInfo("."), f.dirInfo("..")}
	add := func(name string) { list = append(list, f.dirInfo(name)) }
	switch {
	case len(names) == 0:
		if f.own == "" {
			add(Inbox)
		}
		add(Outbound)
	case names[0] == Outbound:
		err = f.listOutbound(names, add, &list)
	case len(names) == 3:
		return &Dir{list: list, more: f.received(names[2])}, nil
	default:
		err = f.listInbox(names, add)
	}
	return &Dir{list: list}, err
}

func (f *FS) listOutbound(names []string, add func(string), list *[]model.FileInfo) error {
	switch len(names) {
	case 1:
		feeds, err := f.query().Feeds(model.Paging{})
		for _, v := range feeds {
			if f.own == "" || v.Producer == f.own {
				add(v.Name)
			}
		}
		return err
	case 2:
		add(All)
		v, err := f.feedOf(names[1])
		if err != nil {
			return err
		}
		accounts, err := f.query().SubscribedAccounts(names[1])
		for _, a := range accounts {
			if len(v.Recipients) == 0 || slices.Contains(v.Recipients, a) {
				add(a)
			}
		}
		return err
	}
	dir := "/" + strings.Join(names, "/") + "/"
	for _, h := range f.o.Feeds.HeldIn(f.login.User.ID, strings.TrimSuffix(dir, "/")) {
		*list = append(*list, heldInfo(h))
	}
	for p, done := range f.done {
		if strings.HasPrefix(p, dir) {
			*list = append(*list, done.FileInfo)
		}
	}
	return nil
}

func (f *FS) listInbox(names []string, add func(string)) error {
	if len(names) == 1 {
		accounts, err := f.query().Accounts(model.Paging{})
		for _, a := range accounts {
			add(a.ID)
		}
		return err
	}
	users, err := f.query().Users(model.UserFilter{Account: names[1]})
	for _, u := range users {
		if u.Kind != model.KindService {
			add(u.Name)
		}
	}
	return err
}

// receivedPage is how many rows one query of a listing reads.
const receivedPage = 500

// received returns a function that lists a user's received files page by page. Each name is
// listed once, with its oldest file; a later one shows when that is gone. At the end the
// function returns an empty list.
func (f *FS) received(user string) func() ([]model.FileInfo, error) {
	seen := map[string]bool{}
	p := model.Paging{Limit: receivedPage}
	return func() (out []model.FileInfo, err error) {
		for len(out) == 0 {
			drops, err := f.waiting(user, "", p)
			if err != nil || len(drops) == 0 {
				return nil, err
			}
			for _, d := range drops {
				p.Cursor = d.ID
				if name := baseOf(d); !seen[name] {
					seen[name] = true
					out = append(out, dropInfo(d))
				}
			}
		}
		return out, nil
	}
}
