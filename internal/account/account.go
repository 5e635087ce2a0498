// Package account manages accounts, vendors, contacts, users and keys, and decides who may log
// in. Each change and its audit row are one transaction. A change that takes something away
// also increments the revocation number, which ends the sessions concerned.
package account

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Template describes a new user's mailbox.
type Template struct {
	StartDir string
	Root     exchange.Rights
	Dirs     []TemplateDir
	FeedsMay string // what a user may do with delivered files; "": look
}

// TemplateDir is one directory of a template. Missing parents are created with the rights of
// the root.
type TemplateDir struct {
	Path    string
	Rights  exchange.Rights
	Staging bool
}

// Service implements accounts. It is safe for concurrent use.
type Service struct {
	store  *store.Store
	clock  exchange.Clock
	ids    *exchange.IDs
	policy atomic.Pointer[Policy] // it may be replaced
}

// New returns the service.
func New(s *store.Store, clock exchange.Clock, ids *exchange.IDs, policy Policy) *Service {
	r := &Service{store: s, clock: clock, ids: ids}
	r.policy.Store(&policy)
	return r
}

// Replace puts another policy in force, from now on. It ends no session.
func (r *Service) Replace(p Policy) { r.policy.Store(&p) }

// change runs fn in a transaction, writes the audit row that fn completes, and
// returns fn's result.
func change[T any](ctx context.Context, r *Service, row model.AuditRow,
	fn func(tx *store.Tx, row *model.AuditRow) (T, error)) (T, error) {
	return store.Change(ctx, r.store, func(tx *store.Tx) (T, error) {
		row := row // the function may run more than once
		row.ID, row.At = r.ids.New(), r.now()
		out, err := fn(tx, &row)
		if err == nil {
			err = r.record(tx, row)
		}
		return out, err
	})
}

// write is change without a result.
func (r *Service) write(ctx context.Context, row model.AuditRow,
	fn func(tx *store.Tx, row *model.AuditRow) error) error {
	_, err := change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (struct{}, error) {
		return struct{}{},
			fn(tx, row)
	})
	return err
}

func (r *Service) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

// AddAccount creates a customer account. Parent makes it a child of that account.
func (r *Service) AddAccount(ctx context.Context, actor string, n model.NewAccount) (model.Account, error) {
	a, err := r.newAccount(n)
	if err != nil {
		return a, err
	}
	row := model.AuditRow{Actor: actor, Action: "account.add", Subject: a.ID}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Account, error) {
		return addAccount(tx, row, a, n)
	})
}

// newAccount validates the body of AddAccount.
func (r *Service) newAccount(n model.NewAccount) (a model.Account, err error) {
	a = model.Account{ID: n.ID, Name: n.Name, Parent: n.Parent, Region: n.Region, Language: n.Language,
		State: model.AccountActive, TimeZone: n.TimeZone, KeepBytes: n.KeepBytes, KeepItems: n.KeepItems,
		CreatedAt: r.now()}
	if a.AllowIPs, err = r.CheckAccount(n); err != nil {
		return a, err
	}
	a.Tags, err = cleanTags(a.ID, n.Tags)
	return a, err
}

// addAccount stores an account and fills in its audit row.
func addAccount(tx *store.Tx, row *model.AuditRow, a model.Account, n model.NewAccount) (model.Account, error) {
	row.Detail = map[string]string{"name": a.Name, "parent": a.Parent, "region": a.Region}
	noteLimits(row.Detail, map[string]int64{"keep_bytes": a.KeepBytes, "keep_items": a.KeepItems})
	if err := checkParent(tx, &a); err != nil {
		return a, err
	}
	if err := taken("account.AddAccount", tx.AddAccount(a), "An account %q already exists.", a.ID); err != nil {
		return a, err
	}
	if n.Manager != nil {
		if err := setManager(tx, &a, *n.Manager, row.Detail); err != nil {
			return a, err
		}
	}
	return a, addTags(tx, store.AboutAccount, a.ID, a.Tags, row.Detail)
}

// checkRegion accepts "" and, if regions are configured, only those. A mistyped region would
// silently get the default server address.
func (r *Service) checkRegion(region string) error {
	if region == "" {
		return nil
	}
	if err := valid.CheckID("region", region); err != nil {
		return err
	}
	if _, ok := r.policy.Load().Regions[region]; !ok && len(r.policy.Load().Regions) > 0 {
		return fault.E("account.checkRegion", fault.Invalid, "There is no region %q.", region).
			WithHint("the configuration has %s", strings.Join(slices.Sorted(maps.Keys(r.policy.Load().Regions)), ", "))
	}
	return nil
}

// checkParent refuses a parent that is missing, closed or below the account.
func checkParent(tx *store.Tx, a *model.Account) error {
	const op = "account.checkParent"
	for id, depth := a.Parent, 0; id != ""; depth++ {
		if valid.Fold(id) == valid.Fold(a.ID) || depth > 16 {
			return fault.E(op, fault.Invalid, "An account cannot be its own ancestor.")
		}
		p, err := tx.Account(id)
		if err != nil {
			return fault.Missing(op, err, "There is no account %q to be the parent.", id)
		}
		if p.State == model.AccountClosed {
			return fault.E(op, fault.Invalid, "The parent account %q is closed.", id)
		}
		if depth == 0 {
			a.Parent = p.ID // the stored spelling
		}
		id = p.Parent
	}
	return nil
}

// SetAccount changes an account's name, parent, region, zone, networks or limits. Sessions from outside of
// new networks end.
func (r *Service) SetAccount(ctx context.Context, actor, id string, e model.EditAccount) (model.Account, error) {
	row := model.AuditRow{Actor: actor, Action: "account.set", Subject: id}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Account, error) {
		a, err := tx.LockAccount(id)
		if err != nil {
			return a, fault.Missing("account.SetAccount", err, "There is no account %q.", id)
		}
		row.Detail = map[string]string{}
		for _, f := range []struct {
			name     string
			new, old *string
		}{{"name", e.Name, &a.Name}, {"parent", e.Parent, &a.Parent}, {"region", e.Region, &a.Region},
			{"time_zone", e.TimeZone, &a.TimeZone}, {"language", e.Language, &a.Language}} {
			if f.new != nil && *f.new != *f.old {
				row.Detail[f.name] = *f.old + " → " + *f.new
				*f.old = *f.new
			}
		}
		err = setLimits("account.SetAccount", row.Detail,
			limitEdit{"keep_bytes", e.KeepBytes, &a.KeepBytes}, limitEdit{"keep_items", e.KeepItems, &a.KeepItems})
		if err != nil {
			return a, err
		}
		if err := valid.CheckLabel("account name", a.Name); err != nil {
			return a, err
		}
		if _, err := valid.ParseZone(a.TimeZone); err != nil {
			return a, err
		}
		if e.Region != nil {
			if err := r.checkRegion(a.Region); err != nil {
				return a, err
			}
		}
		if err := checkLanguage(a.Language); err != nil {
			return a, err
		}
		if err := checkParent(tx, &a); err != nil {
			return a, err
		}
		if e.Manager != nil {
			if err := setManager(tx, &a, *e.Manager, row.Detail); err != nil {
				return a, err
			}
		}
		if e.AllowIPs == nil {
			return a, tx.SetAccount(a)
		}
		if a.AllowIPs, err = cleanNetworks(*e.AllowIPs); err != nil {
			return a, err
		}
		row.Detail["allow_ips"] = strings.Join(a.AllowIPs, " ")
		if err := tx.SetAccount(a); err != nil || len(a.AllowIPs) == 0 {
			return a, err
		}
		return a, endSessions(tx, a.ID, "the account's networks changed", a.AllowIPs, row.At)
	})
}

// endSessions ends every session of an account's users, but for those from the networks that are spared.
func endSessions(tx *store.Tx, account, why string, spared []string, at time.Time) error {
	users, err := tx.Users(model.UserFilter{Account: account})
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := tx.Revoke(store.Revocation{UserID: u.ID, Reason: why, Spares: spared}, at); err != nil {
			return err
		}
	}
	return nil
}

// Account finds one account.
func (r *Service) Account(ctx context.Context, id string) (model.Account, error) {
	a, err := r.store.Read(ctx).Account(id)
	return a, fault.Missing("account.Account", err, "There is no account %q.", id)
}

// Accounts lists accounts by id.
func (r *Service) Accounts(ctx context.Context, f model.AccountFilter) ([]model.Account, error) {
	return r.store.Read(ctx).AccountsTagged(f)
}

// AddVendor creates a vendor.
func (r *Service) AddVendor(ctx context.Context, actor string, n model.NewVendor) (model.Vendor, error) {
	v := model.Vendor{Short: n.Short, Name: n.Name, CreatedAt: r.now()}
	if err := r.CheckVendor(n); err != nil {
		return v, err
	}
	var err error
	if v.Tags, err = cleanTags(v.Short, n.Tags); err != nil {
		return v, err
	}
	row := model.AuditRow{Actor: actor, Action: "vendor.add", Subject: v.Short}
	err = r.write(ctx, row, func(tx *store.Tx, row *model.AuditRow) error {
		row.Detail = map[string]string{"name": v.Name}
		if err := taken("account.AddVendor", tx.AddVendor(v), "A vendor %q already exists.", v.Short); err != nil {
			return err
		}
		return addTags(tx, store.AboutVendor, v.Short, v.Tags, row.Detail)
	})
	return v, err
}

// SetVendor changes a vendor's name.
func (r *Service) SetVendor(ctx context.Context, actor, short string, e model.EditVendor) (model.Vendor, error) {
	row := model.AuditRow{Actor: actor, Action: "vendor.set", Subject: short}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Vendor, error) {
		v, err := tx.Vendor(short)
		if err != nil || e.Name == nil {
			return v, fault.Missing("account.SetVendor", err, "There is no vendor %q.", short)
		}
		if err := valid.CheckLabel("vendor name", *e.Name); err != nil {
			return v, err
		}
		row.Detail = map[string]string{"name": v.Name + " → " + *e.Name}
		v.Name = *e.Name
		return v, tx.SetVendor(v)
	})
}

// Vendor finds one vendor.
func (r *Service) Vendor(ctx context.Context, short string) (model.Vendor, error) {
	v, err := r.store.Read(ctx).Vendor(short)
	return v, fault.Missing("account.Vendor", err, "There is no vendor %q.", short)
}

// Vendors lists vendors by short name.
func (r *Service) Vendors(ctx context.Context, f model.VendorFilter) ([]model.Vendor, error) {
	return r.store.Read(ctx).VendorsTagged(f)
}

// taken replaces an Exists error by one with this text. It passes other errors through.
func taken(op string, err error, format string, args ...any) error {
	if fault.Is(err, fault.Exists) {
		return fault.E(op, fault.Exists, format, args...)
	}
	return err
}
