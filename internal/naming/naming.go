// Package naming classifies file names: temporary, possibly temporary (doubtful), ignored, or
// final. The rules come from the configuration. A user, a folder, or a folder of one user may
// have other rules.
package naming

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// readFor is how long policies are cached, so how long a change by another node may go unseen.
const readFor = 5 * time.Second

// Service returns the rules. It is safe for concurrent use.
type Service struct {
	store    *store.Store
	clock    exchange.Clock
	ids      *exchange.IDs
	defaults exchange.NameRules

	mu       sync.Mutex
	policies []model.NamePolicy // least specific first
	readAt   time.Time
	known    bool
	reading  bool
}

// New returns the service. defaults are the configured rules.
func New(s *store.Store, clock exchange.Clock, ids *exchange.IDs, defaults exchange.NameRules) *Service {
	r := &Service{store: s, clock: clock, ids: ids, defaults: defaults}
	r.current()
	return r
}

// Rules returns the rules for a user's file at a path. If the policies cannot be read, it uses
// those read last.
func (r *Service) Rules(userID, full string) exchange.NameRules {
	rules := r.defaults
	for _, p := range r.current() {
		if applies(p, userID, full) {
			rules = rules.With(p)
		}
	}
	return rules
}

// MayBeTemporary reports whether a name is temporary by any rule, whatever its user and path.
func (r *Service) MayBeTemporary(name string) bool {
	if r.defaults.IsTemporary(name) {
		return true
	}
	return slices.ContainsFunc(r.current(),
		func(p model.NamePolicy) bool { return exchange.NameRules{Temporary: p.Temporary}.IsTemporary(name) })
}

// Default returns the configured rules, for files outside mailboxes.
func (r *Service) Default() exchange.NameRules { return r.defaults }

func applies(p model.NamePolicy, userID, full string) bool {
	return (p.UserID == "" || p.UserID == userID) && (p.Folder == "" || strings.HasPrefix(full, p.Folder+"/"))
}

// current returns the cached policies. It refreshes them in another goroutine, since the caller
// may hold a transaction open. Only the first read is synchronous.
func (r *Service) current() []model.NamePolicy {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		r.read()
	} else if r.clock().Sub(r.readAt).Abs() > readFor && !r.reading {
		r.reading = true
		go func() {
			list, err := r.store.Read(context.Background()).NamePolicies()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.reading = false
			r.take(list, err)
		}()
	}
	return r.policies
}

// read reads the policies synchronously. The caller holds mu.
func (r *Service) read() {
	list, err := r.store.Read(context.Background()).NamePolicies()
	r.take(list, err)
}

// take stores policies that were read. The caller holds mu.
func (r *Service) take(list []model.NamePolicy, err error) {
	if err != nil {
		return // keep those read last
	}
	// later policies override earlier ones: longer folders come last, and a user's own after those
	// for all users
	slices.SortStableFunc(list, func(a, b model.NamePolicy) int {
		return cmp.Or(cmp.Compare(len(a.Folder), len(b.Folder)), cmp.Compare(a.UserID, b.UserID))
	})
	r.policies, r.readAt, r.known = list, r.clock(), true
}

// Policies lists the configured rules, followed by the policies that differ from them.
func (r *Service) Policies(ctx context.Context) ([]model.NamePolicy, error) {
	list, err := r.store.Read(ctx).NamePolicies()
	d := r.defaults
	return append([]model.NamePolicy{{Temporary: d.Temporary, Doubtful: d.Doubtful, Ignored: d.Ignored, Grace: &d.Grace,
		GraceText: d.Grace.String()}}, list...), err
}

// SetPolicy sets the policy of a user and folder. A policy without any rule removes the
// existing one; it returns NotFound if there is none.
func (r *Service) SetPolicy(ctx context.Context, actor string, p model.NamePolicy) (model.NamePolicy, error) {
	if err := check(&p); err != nil {
		return p, err
	}
	p, err := store.Change(ctx, r.store, func(tx *store.Tx) (model.NamePolicy, error) { return r.setPolicy(tx, actor, p) })
	r.mu.Lock()
	r.read()
	r.mu.Unlock()
	return p, err
}

func (r *Service) setPolicy(tx *store.Tx, actor string, p model.NamePolicy) (model.NamePolicy, error) {
	if p.User != "" {
		u, err := tx.User(p.User)
		if err != nil {
			return p, fault.Missing("naming.SetPolicy", err, "There is no user %q.", valid.Printable(p.User))
		}
		p.UserID = u.ID
	}
	now := r.clock().UTC().Truncate(time.Microsecond)
	row := model.AuditRow{ID: r.ids.New(), At: now, Actor: actor, Action: "names.set", Subject: cmp.Or(p.Folder, "/"),
		User: p.UserID, Detail: map[string]string{}}
	if p.Temporary == nil && p.Doubtful == nil && p.Ignored == nil && p.Grace == nil {
		row.Action = "names.unset"
		if err := tx.RemoveNamePolicy(p.UserID, p.Folder); err != nil {
			return p, fault.Missing("naming.SetPolicy", err, "Nothing is set there.")
		}
		return p, tx.Audit(row)
	}
	for what, list := range map[string][]string{"temporary": p.Temporary, "doubtful": p.Doubtful, "ignored": p.Ignored} {
		if list != nil {
			row.Detail[what] = strings.Join(list, " ")
		}
	}
	if p.Grace != nil {
		row.Detail["grace"] = p.GraceText
	}
	if err := tx.PutNamePolicy(p, actor, now); err != nil {
		return p, err
	}
	return p, tx.Audit(row)
}

// maxGlobs bounds the patterns of a list, since each stored name is matched against all of
// them.
const maxGlobs = 100

func check(p *model.NamePolicy) error {
	const op = "naming.SetPolicy"
	if p.User == "" && p.Folder == "" {
		return fault.E(op, fault.Invalid, "Name a user, a folder, or a folder of a user.").
			WithHint("the rules for everybody are temporary_names, doubtful_names and ignored_names in the configuration")
	}
	if p.Folder != "" {
		clean, err := valid.CheckFolder(p.Folder)
		if err != nil {
			return err
		}
		p.Folder = clean
	}
	for what, list := range map[string][]string{"temporary": p.Temporary, "doubtful": p.Doubtful, "ignored": p.Ignored} {
		if err := valid.CheckGlobs(what, list); err != nil {
			return err
		}
		if len(list) > maxGlobs {
			return fault.E(op, fault.Invalid, "%s: at most %d patterns.", what, maxGlobs)
		}
	}
	p.Grace = nil
	if p.GraceText != "" {
		d, err := time.ParseDuration(p.GraceText)
		if err != nil || d < 0 || d > valid.MaxGrace {
			return fault.E(op, fault.Invalid, "%q is not a time from 0s to %s.", valid.Printable(p.GraceText), valid.MaxGrace)
		}
		p.Grace, p.GraceText = &d, d.String()
	}
	return nil
}
