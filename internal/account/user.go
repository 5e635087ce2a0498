package account

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// AddUser creates a user with a mailbox from the template of its kind.
func (r *Service) AddUser(ctx context.Context, actor string, n model.NewUser) (model.User, error) {
	u, err := r.newUser(r.store.Read(ctx), n)
	if err != nil {
		return u, err
	}
	err = r.write(ctx, addedUser(actor, u), func(tx *store.Tx, row *model.AuditRow) error {
		return r.addUser(tx, row, u, n)
	})
	u.Limits = r.limitsOf(u)
	return u, err
}

// addedUser returns the audit row of a new user.
func addedUser(actor string, u model.User) model.AuditRow {
	row := model.AuditRow{Actor: actor, Action: "user.add", Subject: u.Name, User: u.ID,
		Detail: map[string]string{"account": u.Account, "vendor": u.Vendor, "start_dir": u.StartDir,
			"allow_ips": strings.Join(u.AllowIPs, " ")}}
	if u.FeedsMay != "" {
		row.Detail["feeds_may"] = u.FeedsMay
	}
	noteLimits(row.Detail, map[string]int64{"quota_bytes": u.QuotaBytes, "quota_files": u.QuotaFiles,
		"keep_bytes": u.KeepBytes, "keep_items": u.KeepItems})
	return row
}

// addUser stores a user, with the mailbox of its kind.
func (r *Service) addUser(tx *store.Tx, row *model.AuditRow, u model.User, n model.NewUser) error {
	const op = "account.AddUser"
	t := r.policy.Load().Templates[u.Kind] // there is none for service users, who see the platform's tree
	if n.RootRights != nil {
		t.Dirs = nil
		t.Root, _ = exchange.ParseRights(*n.RootRights) // newUser has read them
	}
	a, err := tx.LockAccount(u.Account) // so that it is not closed or removed meanwhile
	if err != nil {
		return fault.Missing(op, err, "There is no account %q.", u.Account)
	}
	if a.State == model.AccountClosed {
		return fault.E(op, fault.Conflict, "The account %q is closed.", a.ID).
			WithAction("reopen-account", "account", a.ID)
	}
	if u.Vendor != "" {
		if _, err := tx.Vendor(u.Vendor); err != nil {
			return fault.Missing(op, err, "There is no vendor %q.", u.Vendor)
		}
	}
	if err := r.nameIsFree(tx, u.ID, u.Name, row.At); err != nil {
		return err
	}
	if err := taken(op, tx.AddUser(u, t.Root),
		"The username %q is taken, or the vendor has a user for this account already.", u.Name); err != nil {
		return err
	}
	if err := addTags(tx, store.AboutUser, u.ID, u.Tags, row.Detail); err != nil {
		return err
	}
	return r.makeDirs(tx, u, t.Dirs, n.MakeStartDir || n.StartDir == "")
}

// newUser validates the body of AddUser and fills in what it leaves out.
func (r *Service) newUser(q *store.Q, n model.NewUser) (u model.User, err error) {
	const op = "account.AddUser"
	u = model.User{ID: r.ids.New(), Name: n.Name, Kind: model.KindCustomer, Vendor: n.Vendor, Enabled: true,
		FeedsMay: n.FeedsMay, QuotaBytes: n.QuotaBytes, QuotaFiles: n.QuotaFiles, KeepBytes: n.KeepBytes,
		KeepItems: n.KeepItems, CreatedAt: r.now()}
	if n.Vendor != "" {
		u.Kind = model.KindVendor
	}
	if n.Service {
		if err := checkService(n); err != nil {
			return u, err
		}
		u.Kind = model.KindService
	}
	a, err := q.Account(n.Account)
	if err != nil {
		return u, fault.Missing(op, err, "There is no account %q.", n.Account)
	}
	u.Account = a.ID // the stored spelling
	if u.Name == "" {
		u.Name = strings.TrimSuffix(u.Account+"-"+n.Vendor, "-")
	}
	if err := valid.CheckUserName("username", u.Name); err != nil {
		return u, fault.InField("name", err)
	}
	first := r.policy.Load().Templates[u.Kind].StartDir
	if n.RootRights != nil {
		first = "/"
		if _, err := exchange.ParseRights(*n.RootRights); err != nil {
			return u, fault.InField("root_rights", err)
		}
	}
	if u.StartDir, err = startDir(cmp.Or(n.StartDir, first, "/")); err != nil {
		return u, fault.InField("start_dir", err)
	}
	if u.Tags, err = cleanTags(u.Name, n.Tags); err != nil {
		return u, err
	}
	if err := exchange.CheckFeedsMay(u.FeedsMay); err != nil {
		return u, err
	}
	if err := r.policy.Load().checkUserName(u); err != nil {
		return u, fault.InField("name", err)
	}
	if err := checkLimits(op, u.QuotaBytes, u.QuotaFiles, u.KeepBytes, u.KeepItems); err != nil {
		return u, err
	}
	u.AllowIPs, err = cleanNetworks(n.AllowIPs)
	return u, fault.InField("allow_ips", err)
}

// limitsOf returns the limits in force for a user.
func (r *Service) limitsOf(u model.User) *model.StorageLimits {
	limits := r.policy.Load().Limits.Of(u.OwnLimits())
	return &limits
}

// checkService refuses a service user without a name or without a list of networks, since such
// a user sees the data of all partners.
func checkService(n model.NewUser) error {
	const op = "account.AddUser"
	switch {
	case n.Vendor != "":
		return fault.E(op, fault.Invalid, "A service user is the platform's own; it has no vendor.")
	case n.Name == "":
		return fault.E(op, fault.Invalid, "A service user needs a name of its own.").WithHint("give --name, such as billing")
	case len(n.AllowIPs) == 0:
		return fault.E(op, fault.Invalid, "A service user needs a list of networks that it may log in from.").
			WithHint("give --allow-ip, such as 10.1.2.0/24")
	case n.StartDir != "" && n.StartDir != "/":
		return fault.E(op, fault.Invalid, "A service user starts in /.")
	}
	return nil
}

// makeDirs creates a template's directories and, if asked to, the start directory, which must exist otherwise.
func (r *Service) makeDirs(tx *store.Tx, u model.User, dirs []TemplateDir, start bool) error {
	rows, err := mailbox.Lock(tx, u.ID)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if _, err := rows.MakeDirs(mailbox.NewDirs{Path: d.Path, Rights: &d.Rights, Staging: d.Staging, IDs: r.ids,
			At: r.now()}); err != nil {
			return err
		}
	}
	at, err := lookDir(&tx.Q, u.ID, u.StartDir)
	if err != nil {
		return err
	}
	if !at.found && !start {
		return fault.E("account.makeDirs", fault.NotFound, "There is no directory %q in the mailbox of %s.",
			valid.Printable(u.StartDir), u.Name).WithHint("--make makes it")
	}
	if err := rows.FixDirs(at.way); err != nil || at.found {
		return err
	}
	_, err = rows.MakeDirs(mailbox.NewDirs{Path: u.StartDir, IDs: r.ids, At: r.now()})
	return err
}

// cleanNetworks parses addresses and CIDR networks, IPv4 and IPv6.
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

// SetUser changes a user. Its sessions end if the change takes log-in away from them: all if the user is
// disabled, those from elsewhere if it has a new list of networks. Limits apply at once, and a new starting
// directory to the next log-in.
func (r *Service) SetUser(ctx context.Context, actor, name string, e model.EditUser) (model.User, error) {
	const op = "account.SetUser"
	if e.MakeStartDir && e.StartDir == nil {
		return model.User{}, fault.E(op, fault.Invalid, "make_start_dir is for a new start_dir.")
	}
	action := "user.set"
	if e.Enabled != nil {
		action = map[bool]string{true: "user.enable", false: "user.disable"}[*e.Enabled]
	}
	row := model.AuditRow{Actor: actor, Action: action, Subject: name}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.User, error) {
		u, err := tx.User(name)
		if err != nil {
			return u, r.noUser(&tx.Q, err, name)
		}
		row.User = u.ID
		if row.Detail, err = applyEdit(e, &u); err != nil {
			return u, err
		}
		if u.Kind == model.KindService && (len(u.AllowIPs) == 0 || e.StartDir != nil) {
			return u, fault.E(op, fault.Invalid, "A service user keeps a list of networks, and starts in /.")
		}
		if e.StartDir != nil {
			if err := r.makeDirs(tx, u, nil, e.MakeStartDir); err != nil {
				return u, err
			}
		}
		u.Limits = r.limitsOf(u)
		if err := tx.SetUser(u); err != nil {
			return u, err
		}
		if e.Enabled != nil && u.Enabled {
			if err := tx.SetEnabledAt(u.ID, row.At); err != nil {
				return u, err
			}
		}
		if e.FeedsMay != nil {
			if err := r.feedRights(tx, u); err != nil {
				return u, err
			}
		}
		switch {
		case e.Enabled != nil && !*e.Enabled:
			return u, tx.Revoke(store.Revocation{UserID: u.ID, Reason: "the user was disabled"}, row.At)
		case e.AllowIPs != nil && len(u.AllowIPs) > 0:
			return u, tx.Revoke(store.Revocation{UserID: u.ID, Reason: "the user's networks changed", Spares: u.AllowIPs},
				row.At)
		}
		return u, nil
	})
}

// feedRights updates the rights of a user's feed folders after a change of FeedsMay. A
// subscription's own setting takes precedence.
func (r *Service) feedRights(tx *store.Tx, u model.User) error {
	subs, err := tx.SubscriptionsOf(u.ID)
	if err != nil {
		return err
	}
	rows, err := mailbox.Lock(tx, u.ID)
	if err != nil {
		return err
	}
	for _, s := range subs {
		rights := exchange.FeedRights(s.May, u.FeedsMay, r.policy.Load().Templates[u.Kind].FeedsMay)
		if _, err := rows.FeedDirs(mailbox.NewDirs{Path: s.Dir, Rights: &rights, IDs: r.ids, At: r.now()}); err != nil {
			return err
		}
	}
	return nil
}

// applyEdit validates an edit, applies it to u and returns the details for the audit row.
func applyEdit(e model.EditUser, u *model.User) (detail map[string]string, err error) {
	detail = map[string]string{}
	if e.Enabled != nil {
		u.Enabled = *e.Enabled
	}
	if e.StartDir != nil {
		if u.StartDir, err = startDir(*e.StartDir); err != nil {
			return nil, err
		}
		detail["start_dir"] = u.StartDir
	}
	if e.FeedsMay != nil {
		if err := exchange.CheckFeedsMay(*e.FeedsMay); err != nil {
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

// limitEdit changes one limit; if new is nil, the limit stays.
type limitEdit struct {
	name     string
	new, old *int64
}

// setLimits validates and applies edits of limits, and adds them to detail.
func setLimits(op string, detail map[string]string, edits ...limitEdit) error {
	for _, l := range edits {
		if l.new == nil {
			continue
		}
		if err := checkLimits(op, *l.new); err != nil {
			return err
		}
		*l.old = *l.new
		detail[l.name] = strconv.FormatInt(*l.new, 10)
	}
	return nil
}

// checkLimits refuses limits below zero.
func checkLimits(op string, limits ...int64) error {
	for _, l := range limits {
		if l < 0 {
			return fault.E(op, fault.Invalid, "A limit cannot be negative; 0 means the default.")
		}
	}
	return nil
}

// noteLimits adds the limits that are not the default to an audit row.
func noteLimits(detail map[string]string, limits map[string]int64) {
	for name, n := range limits {
		if n != 0 {
			detail[name] = strconv.FormatInt(n, 10)
		}
	}
}

// User finds a user by username.
func (r *Service) User(ctx context.Context, name string) (model.User, error) {
	q := r.store.Read(ctx)
	u, err := q.User(name)
	u.Limits = r.limitsOf(u)
	return u, r.noUser(q, err, name)
}

// Users lists users by name.
func (r *Service) Users(ctx context.Context, f model.UserFilter) ([]model.User, error) {
	if f.Account != "" {
		if _, err := r.Account(ctx, f.Account); err != nil {
			return nil, err
		}
	}
	idle, err := r.idleSince(f.Inactive)
	if err != nil {
		return nil, err
	}
	return r.store.Read(ctx).UsersIdle(f, idle)
}
