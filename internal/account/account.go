// Package account manages accounts, vendors, contacts, users and keys, and decides who may log
// in. Each change and its audit row are one transaction. A change that takes something away
// also increments the revocation number, which ends the sessions concerned.
package account

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
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

// Policy is the operator's configuration.
type Policy struct {
	Templates map[model.UserKind]Template // by user kind
	MaxKeys   int                         // largest number of keys per user, without revoked and retiring ones
	KeyTypes  []string                    // accepted families: ed25519, ecdsa, rsa
	MinRSA    int                         // bits
	MaxRSA    int
	KeyExpiry time.Duration // default lifetime of new keys; 0: unlimited
	Overlap   time.Duration // how long a replaced key still works
	Limits    exchange.DefaultLimits
	Account   exchange.AccountLimits
	Inactive  InactivePolicy
	Help      string            // help contact for partners
	Regions   map[string]string // help contact by region; "": Help
	// EndpointIPs lists, by region, the networks from which users may log in. The key "" is for
	// regions without an entry. An empty list allows every address.
	EndpointIPs map[string][]string
}

// accepts returns an error for a key that the policy does not allow.
func (p *Policy) accepts(k keys.Public) error {
	const op = "account.accepts"
	if family := k.Family(); !slices.Contains(p.KeyTypes, family) {
		return fault.E(op, fault.Invalid, "Keys of type %s are not taken here. Make a pair of type %s.", k.Type,
			strings.Join(p.KeyTypes, " or "))
	}
	if k.Family() == keys.FamilyRSA && (k.Bits < p.MinRSA || k.Bits > p.MaxRSA) {
		return fault.E(op, fault.Invalid, "This RSA key has %d bits; %d to %d are taken here. Make a new pair.", k.Bits,
			p.MinRSA, p.MaxRSA)
	}
	return nil
}

// Service implements accounts. It is safe for concurrent use.
type Service struct {
	store  *store.Store
	clock  exchange.Clock
	ids    *exchange.IDs
	policy Policy
}

// New returns the service.
func New(s *store.Store, clock exchange.Clock, ids *exchange.IDs, policy Policy) *Service {
	return &Service{store: s, clock: clock, ids: ids, policy: policy}
}

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
	const op = "account.AddAccount"
	a := model.Account{ID: n.ID, Name: n.Name, Parent: n.Parent, Region: n.Region, State: model.AccountActive,
		CreatedAt: r.now()}
	var err error
	if a.AllowIPs, err = r.CheckAccount(n); err != nil {
		return a, err
	}
	row := model.AuditRow{Actor: actor, Action: "account.add", Subject: a.ID}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Account, error) {
		a := a
		row.Detail = map[string]string{"name": a.Name, "parent": a.Parent, "region": a.Region}
		if err := checkParent(tx, &a); err != nil {
			return a, err
		}
		return a, taken(op, tx.AddAccount(a), "An account %q already exists.", a.ID)
	})
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
	if _, ok := r.policy.Regions[region]; !ok && len(r.policy.Regions) > 0 {
		return fault.E("account.checkRegion", fault.Invalid, "There is no region %q.", region).
			WithHint("the configuration has %s", strings.Join(slices.Sorted(maps.Keys(r.policy.Regions)), ", "))
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

// SetAccount changes an account's name, parent, region, networks or limits. New networks end
// its sessions, so that they apply to the next log-in.
func (r *Service) SetAccount(ctx context.Context, actor, id string, e model.EditAccount) (model.Account, error) {
	row := model.AuditRow{Actor: actor, Action: "account.set", Subject: id}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Account, error) {
		a, err := tx.Account(id)
		if err != nil {
			return a, fault.Missing("account.SetAccount", err, "There is no account %q.", id)
		}
		row.Detail = map[string]string{}
		for _, f := range []struct {
			name     string
			new, old *string
		}{{"name", e.Name, &a.Name}, {"parent", e.Parent, &a.Parent}, {"region", e.Region, &a.Region}} {
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
		if e.Region != nil {
			if err := r.checkRegion(a.Region); err != nil {
				return a, err
			}
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
		if err := tx.SetAccount(a); err != nil {
			return a, err
		}
		return a, endSessions(tx, a.ID, "the account's networks changed", row.At)
	})
}

// endSessions ends every session of an account's users.
func endSessions(tx *store.Tx, account, why string, at time.Time) error {
	users, err := tx.Users(model.UserFilter{Account: account})
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := tx.Revoke(store.Revocation{UserID: u.ID, Reason: why}, at); err != nil {
			return err
		}
	}
	return nil
}

// SetState suspends, reinstates or closes an account. Its sessions end, so that the new state
// applies to the next log-in. A closed account is a Conflict.
func (r *Service) SetState(ctx context.Context, actor, id string, state model.AccountState) (model.Account, error) {
	return r.setState(ctx, actor, id, state, nil)
}

// Close closes an account for good. keep is how long its files stay; "" is the configured time.
func (r *Service) Close(ctx context.Context, actor, id, keep string) (model.Account, error) {
	if keep == "" {
		return r.setState(ctx, actor, id, model.AccountClosed, nil)
	}
	until, err := valid.After(r.now(), keep)
	if err != nil {
		return model.Account{}, err
	}
	return r.setState(ctx, actor, id, model.AccountClosed, &until)
}

func (r *Service) setState(ctx context.Context, actor, id string, state model.AccountState,
	until *time.Time) (model.Account, error) {
	const op = "account.SetState"
	row := model.AuditRow{Actor: actor, Action: "account." + string(state), Subject: id}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Account, error) {
		a, err := tx.Account(id)
		if err != nil {
			return a, fault.Missing(op, err, "There is no account %q.", id)
		}
		if a.State == model.AccountClosed {
			return a, fault.E(op, fault.Conflict, "The account %q is closed; that is final.", id)
		}
		row.Detail = map[string]string{"state": string(a.State + " → " + state)}
		if until != nil {
			row.Detail["files_until"] = until.Format(time.RFC3339)
		}
		a.State, a.FilesUntil = state, until
		if err := tx.SetAccount(a); err != nil {
			return a, err
		}
		return a, endSessions(tx, a.ID, "the account's state changed to "+string(state), row.At)
	})
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
	row := model.AuditRow{Actor: actor, Action: "vendor.add", Subject: v.Short, Detail: map[string]string{"name": v.Name}}
	err := r.write(ctx, row, func(tx *store.Tx, _ *model.AuditRow) error {
		return taken("account.AddVendor", tx.AddVendor(v), "A vendor %q already exists.", v.Short)
	})
	return v, err
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
