package account

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewUser asks for a login.
type NewUser struct {
	Account  string
	Vendor   string   // short name: makes it that vendor's user for the account
	Name     string   // "" for the rule: account ID, or account ID-vendor
	StartDir string   // "" for the template's
	AllowIPs []string // CIDRs or addresses; none allows all
	Service  bool     // one of the platform's own programs; needs AllowIPs
}

// AddUser makes a login with its mailbox from the template of its kind.
func (r *Room) AddUser(ctx context.Context, actor string, n NewUser) (model.User, error) {
	const op = "account.AddUser"
	u := model.User{ID: r.ids.New(), Name: n.Name, Kind: model.KindCustomer, Account: n.Account, Vendor: n.Vendor,
		Enabled: true, CreatedAt: r.now()}
	if n.Vendor != "" {
		u.Kind = model.KindVendor
	}
	if n.Service {
		if err := n.checkService(); err != nil {
			return u, err
		}
		u.Kind = model.KindService
	}
	if a, err := r.store.Read(ctx).Account(n.Account); err == nil {
		u.Account = a.ID // as it is written
	}
	if u.Name == "" {
		u.Name = strings.TrimSuffix(u.Account+"-"+n.Vendor, "-")
	}
	if err := valid.CheckUserName("username", u.Name); err != nil {
		return u, err
	}
	t := r.policy.Templates[u.Kind] // a service user has none: its tree is the platform's
	u.StartDir = cmp.Or(t.StartDir, "/")
	if n.StartDir != "" {
		u.StartDir = n.StartDir
	}
	var err error
	if u.StartDir, err = valid.CleanPath("/", u.StartDir); err != nil {
		return u, err
	}
	if u.AllowIPs, err = cleanNetworks(n.AllowIPs); err != nil {
		return u, err
	}
	row := model.AuditRow{Actor: actor, Action: "user.add", Subject: u.Name, User: u.ID,
		Detail: map[string]string{"account": u.Account, "vendor": u.Vendor, "start_dir": u.StartDir, "allow_ips": strings.Join(u.AllowIPs, " ")}}
	err = r.write(ctx, row, func(tx *store.Tx, _ *model.AuditRow) error {
		a, err := tx.Account(u.Account)
		if err != nil {
			return fault.Missing(op, err, "There is no account %q.", u.Account)
		}
		if a.State == model.AccountClosed {
			return fault.E(op, fault.Conflict, "The account %q is closed.", a.ID)
		}
		if u.Vendor != "" {
			if _, err := tx.Vendor(u.Vendor); err != nil {
				return fault.Missing(op, err, "There is no vendor %q.", u.Vendor)
			}
		}
		if err := taken(op, tx.AddUser(u, t.Root), "The username %q is taken, or the vendor has a user for this account already.", u.Name); err != nil {
			return err
		}
		return r.furnish(tx, u, t)
	})
	return u, err
}

// checkService refuses a service user without a name of its own or a list of
// networks: it sees what no partner does.
func (n *NewUser) checkService() error {
	const op = "account.AddUser"
	switch {
	case n.Vendor != "":
		return fault.E(op, fault.Invalid, "A service user is the platform's own; it has no vendor.")
	case n.Name == "":
		return fault.E(op, fault.Invalid, "A service user needs a name of its own.").WithHint("give --name, such as billing")
	case len(n.AllowIPs) == 0:
		return fault.E(op, fault.Invalid, "A service user needs a list of networks that it may log in from.").WithHint("give --allow-ip, such as 10.1.2.0/24")
	case n.StartDir != "" && n.StartDir != "/":
		return fault.E(op, fault.Invalid, "A service user starts in /.")
	}
	return nil
}

// furnish makes a template's directories, and the starting directory.
func (r *Room) furnish(tx *store.Tx, u model.User, t Template) error {
	for _, d := range t.Dirs {
		if _, err := MakeDirs(tx, r.ids, u.ID, d.Path, &d.Rights, d.Staging, exchange.Micros(r.now())); err != nil {
			return err
		}
	}
	_, err := MakeDirs(tx, r.ids, u.ID, u.StartDir, nil, false, exchange.Micros(r.now()))
	return err
}

// MakeDirs makes a path of directories that partners cannot move, as far as
// they are missing, gives the last one rights (nil: as its parent), and
// returns its id.
func MakeDirs(tx *store.Tx, ids *exchange.IDs, userID, path string, rights *exchange.Rights, staging bool, now int64) (string, error) {
	names, have, err := lockDirs(tx, userID, path)
	if err != nil {
		return "", err
	}
	return makeMissing(tx, ids, userID, names, have, rights, staging, now)
}

// lockDirs splits a path, and finds the directories on it that are there, the root first.
// Of two who make the same directory, one waits here, and not at the other's row with locks
// in hand.
func lockDirs(tx *store.Tx, userID, path string) (names []string, have []store.Dir, err error) {
	if _, err := tx.LockMailbox(userID); err != nil {
		return nil, nil, err
	}
	names = store.SplitPath(path)
	have, err = tx.Walk(userID, names)
	return names, have, err
}

// makeMissing is MakeDirs, of names of which those in have are there.
func makeMissing(tx *store.Tx, ids *exchange.IDs, userID string, names []string, have []store.Dir, rights *exchange.Rights, staging bool, now int64) (string, error) {
	id := have[len(have)-1].ID
	for _, name := range names[len(have)-1:] {
		d := store.Dir{ID: ids.New(), User: userID, Parent: id, Name: name, Fixed: true, Staging: staging, Mtime: now}
		if err := tx.AddDir(d); err != nil {
			return "", err
		}
		id = d.ID
	}
	if rights == nil {
		return id, nil
	}
	return id, tx.SetDirRights(id, *rights)
}

// cleanNetworks accepts addresses and CIDRs, of both families.
func cleanNetworks(in []string) ([]string, error) {
	out := []string{}
	for _, s := range in {
		p, ok := valid.ParseNetwork(s)
		if !ok {
			return nil, fault.E("account.cleanNetworks", fault.Invalid, "%q is not an address or network.", valid.Printable(s)).
				WithHint("write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32")
		}
		out = append(out, p.String())
	}
	return out, nil
}

// UserEdit is a change of a login; nil leaves a field as it is.
type UserEdit struct {
	Enabled    *bool
	StartDir   *string
	AllowIPs   *[]string
	QuotaBytes *int64
	QuotaFiles *int64
	KeepBytes  *int64
	KeepItems  *int64
	FeedsMay   *string
}

// SetUser changes a login. Its sessions end, so that the next log-in is judged
// by the new record.
func (r *Room) SetUser(ctx context.Context, actor, name string, e UserEdit) (model.User, error) {
	const op = "account.SetUser"
	action := "user.set"
	if e.Enabled != nil {
		action = map[bool]string{true: "user.enable", false: "user.disable"}[*e.Enabled]
	}
	row := model.AuditRow{Actor: actor, Action: action, Subject: name}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.User, error) {
		u, err := tx.User(name)
		if err != nil {
			return u, fault.Missing(op, err, "There is no user %q.", name)
		}
		row.User = u.ID
		if row.Detail, err = e.apply(&u); err != nil {
			return u, err
		}
		if u.Kind == model.KindService && (len(u.AllowIPs) == 0 || e.StartDir != nil) {
			return u, fault.E(op, fault.Invalid, "A service user keeps a list of networks, and starts in /.")
		}
		if e.StartDir != nil {
			if _, err := MakeDirs(tx, r.ids, u.ID, u.StartDir, nil, false, exchange.Micros(row.At)); err != nil {
				return u, err
			}
		}
		if err := tx.SetUser(u); err != nil {
			return u, err
		}
		if e.FeedsMay != nil {
			if err := r.feedRights(tx, u); err != nil {
				return u, err
			}
		}
		return u, tx.Revoke(store.Revocation{UserID: u.ID, Reason: "the user was changed (" + action + ")"}, row.At)
	})
}

// feedRights gives the folders of a user's feeds the rights of its setting, but for
// subscriptions with one of their own.
func (r *Room) feedRights(tx *store.Tx, u model.User) error {
	subs, err := tx.SubscriptionsOf(u.ID)
	if err != nil {
		return err
	}
	for _, s := range subs {
		rights := exchange.FeedRights(s.May, u.FeedsMay, r.policy.Templates[u.Kind].FeedsMay)
		if _, err := FeedDirs(r.ids, r.clock)(tx, u.ID, s.Dir, &rights); err != nil {
			return err
		}
	}
	return nil
}

// apply checks an edit and says what it changes.
func (e UserEdit) apply(u *model.User) (detail map[string]string, err error) {
	detail = map[string]string{}
	if e.Enabled != nil {
		u.Enabled = *e.Enabled
	}
	if e.StartDir != nil {
		if u.StartDir, err = valid.CleanPath("/", *e.StartDir); err != nil {
			return nil, err
		}
		detail["start_dir"] = u.StartDir
	}
	if e.FeedsMay != nil {
		if err := model.CheckFeedsMay(*e.FeedsMay); err != nil {
			return nil, err
		}
		u.FeedsMay = *e.FeedsMay
		detail["feeds_may"] = cmp.Or(u.FeedsMay, "as its template says")
	}
	if e.AllowIPs != nil {
		if u.AllowIPs, err = cleanNetworks(*e.AllowIPs); err != nil {
			return nil, err
		}
		detail["allow_ips"] = strings.Join(u.AllowIPs, " ")
	}
	return detail, setLimits("account.SetUser", detail,
		limitEdit{"quota_bytes", e.QuotaBytes, &u.QuotaBytes}, limitEdit{"quota_files", e.QuotaFiles, &u.QuotaFiles},
		limitEdit{"keep_bytes", e.KeepBytes, &u.KeepBytes}, limitEdit{"keep_items", e.KeepItems, &u.KeepItems})
}

// limitEdit changes one limit; a nil new leaves it.
type limitEdit struct {
	name     string
	new, old *int64
}

// setLimits checks and makes edits of limits, and notes them in detail.
func setLimits(op string, detail map[string]string, edits ...limitEdit) error {
	for _, l := range edits {
		if l.new == nil {
			continue
		}
		if *l.new < 0 {
			return fault.E(op, fault.Invalid, "A limit cannot be negative; 0 means the default.")
		}
		*l.old = *l.new
		detail[l.name] = strconv.FormatInt(*l.new, 10)
	}
	return nil
}

// User finds a user by username.
func (r *Room) User(ctx context.Context, name string) (model.User, error) {
	u, err := r.store.Read(ctx).User(name)
	limits := r.policy.Limits.Of(u.OwnLimits())
	u.Limits = &limits
	return u, fault.Missing("account.User", err, "There is no user %q.", name)
}

// Users lists the users of an account, or all when account is "".
func (r *Room) Users(ctx context.Context, account string) ([]model.User, error) {
	if account != "" {
		if _, err := r.Account(ctx, account); err != nil {
			return nil, err
		}
	}
	return r.store.Read(ctx).Users(account)
}
