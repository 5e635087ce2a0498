package connection

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/gaissmai/bart"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// BanPolicy says when an address is banned.
type BanPolicy struct {
	After  int           // failed connections; 0: nobody is banned or slowed down
	Within time.Duration // the window in which they are counted
	For    time.Duration // duration of a ban
	Never  []netip.Prefix
}

// Bounds of the memory of failures, and how failing addresses are slowed down.
const (
	maxTracked  = 65_536
	slowAfter   = 5 // failed connections
	slowFirst   = 250 * time.Millisecond
	slowMost    = 3 * time.Second
	recordEvery = time.Minute // of a banned address, at most one refusal in this time is recorded
)

// notFailures are outcomes that are not counted against an address.
var notFailures = map[string]bool{model.ReasonTooMany: true, model.ReasonServerOverload: true,
	model.ReasonSilent: true, model.ReasonUnavailable: true, model.ReasonBanned: true, model.ReasonOK: true, "": true}

// guard counts failures by address, and bans addresses with too many. IPv6 addresses are counted by
// /64, because that is what one subscriber gets.
type guard struct {
	store *store.Store

	mu       sync.Mutex
	policy   BanPolicy
	never    *bart.Lite
	tracks   map[netip.Prefix]*track
	bans     map[netip.Prefix]*model.Ban
	fresh    []model.Ban            // bans not yet in the database
	refused  map[netip.Prefix]int64 // refused connections, not yet in the database
	recorded map[netip.Prefix]time.Time
	allowed  *bart.Lite // networks on the allow-list of some account or user

	syncing sync.Mutex    // held by sync and Unban: sync takes fresh and reloads bans, and must not run twice at once
	made    chan struct{} // signals that a new ban waits to be written; capacity 1
}

// track is the times of an address's failures within the window, the oldest first.
type track struct{ at []time.Time }

func newGuard(s *store.Store, p BanPolicy) *guard {
	g := &guard{store: s, allowed: &bart.Lite{}, tracks: map[netip.Prefix]*track{},
		bans: map[netip.Prefix]*model.Ban{}, refused: map[netip.Prefix]int64{}, recorded: map[netip.Prefix]time.Time{},
		made: make(chan struct{}, 1)}
	g.replace(p)
	return g
}

// replace puts another policy in force.
func (g *guard) replace(p BanPolicy) {
	never := &bart.Lite{}
	for _, n := range p.Never {
		never.Insert(n)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.policy, g.never = p, never
}

// unitName formats a unit as it is stored and shown.
func unitName(p netip.Prefix) string {
	if p.Addr().Is4() {
		return p.Addr().String()
	}
	return p.String()
}

func parseUnit(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return valid.Subscriber(p.Addr()), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return valid.Subscriber(a), true
}

// Admission says how to treat a new connection.
type Admission struct {
	Banned bool
	Until  time.Time     // end of the ban
	Record bool          // whether to record this refusal; see recordEvery
	Wait   time.Duration // delay before the first byte, after many failures
}

// Admit decides whether a connection from an address is refused, and how long it is delayed.
func (r *Service) Admit(from netip.Addr) Admission { return r.guard.admit(from, r.o.Clock()) }

func (g *guard) admit(from netip.Addr, now time.Time) (a Admission) {
	u := valid.Subscriber(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	b, t := g.bans[u], g.tracks[u]
	if b == nil && t == nil {
		return a
	}
	// An allow-listed address may share its unit with failing ones, or may have been listed after
	// it failed.
	if g.never.Contains(from.Unmap()) || g.listed(from) {
		return a
	}
	if b != nil && now.Before(b.Until) {
		g.refused[u]++
		a.Banned, a.Until = true, b.Until
		if now.Sub(g.recorded[u]) >= recordEvery {
			g.recorded[u], a.Record = now, true
		}
		return a
	}
	if t == nil {
		return a
	}
	t.forget(now.Add(-g.policy.Within))
	if n := len(t.at); n >= slowAfter {
		a.Wait = min(slowFirst<<min(n-slowAfter, 8), slowMost)
	}
	return a
}

func (t *track) forget(before time.Time) {
	for len(t.at) > 0 && t.at[0].Before(before) {
		t.at = t.at[1:]
	}
}

// failed counts a failed connection, and bans the address at the limit. Addresses on an allow-list
// are never banned or slowed down.
func (g *guard) failed(from netip.Addr, outcome string, now time.Time) {
	if g.policy.After <= 0 || notFailures[outcome] || !from.IsValid() || g.never.Contains(from.Unmap()) {
		return
	}
	u := valid.Subscriber(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tracks[u]
	if t == nil {
		g.makeRoom(now)
		t = &track{}
		g.tracks[u] = t
	}
	t.forget(now.Add(-g.policy.Within))
	t.at = append(t.at, now)
	if len(t.at) == slowAfter && g.listed(from) || len(t.at) >= g.policy.After && g.listed(from) {
		delete(g.tracks, u)
		return
	}
	if len(t.at) < g.policy.After {
		return
	}
	b := model.Ban{Address: unitName(u), Since: now, Until: now.Add(g.policy.For), Failures: int64(len(t.at)),
		Reason: outcome}
	delete(g.tracks, u)
	g.bans[u] = &b
	g.fresh = append(g.fresh, b)
	select {
	case g.made <- struct{}{}:
	default: // the writer has been signalled already
	}
}

// makeRoom makes room for new tracks when there are maxTracked. It removes those whose window is
// over, and then arbitrary ones until an eighth is free, so that it need not run for every new
// address of a flood. Callers hold mu.
func (g *guard) makeRoom(now time.Time) {
	if len(g.tracks) < maxTracked {
		return
	}
	for u, t := range g.tracks {
		if t.forget(now.Add(-g.policy.Within)); len(t.at) == 0 {
			delete(g.tracks, u)
		}
	}
	for u := range g.tracks {
		if len(g.tracks) <= maxTracked-maxTracked/8 {
			return
		}
		delete(g.tracks, u)
	}
}

// listed reports whether an account's or a user's allow-list contains the address. Callers hold mu.
func (g *guard) listed(from netip.Addr) bool { return g.allowed.Contains(from.Unmap()) }

// load reads the bans in force and the allow-lists. On an error it logs, and keeps those in memory.
func (g *guard) load(now time.Time, log *slog.Logger) {
	q := g.store.Read(context.Background())
	list, err := q.Bans(now, model.Paging{})
	networks, err2 := q.AllowLists()
	if err := errors.Join(err, err2); err != nil {
		log.Error("bans could not be read", "err", err)
		return
	}
	allowed := &bart.Lite{}
	for _, n := range networks {
		if p, err := netip.ParsePrefix(n); err == nil {
			allowed.Insert(p)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.allowed = allowed
	bans := map[netip.Prefix]*model.Ban{}
	for i := range list {
		if u, ok := parseUnit(list[i].Address); ok {
			bans[u] = &list[i]
		}
	}
	for _, b := range g.fresh { // made after the query
		u, _ := parseUnit(b.Address)
		bans[u] = &b
	}
	g.bans = bans
	for u := range g.recorded {
		if bans[u] == nil {
			delete(g.recorded, u)
		}
	}
}

// sync writes new bans to the database, and loads those of other nodes.
func (g *guard) sync(now time.Time, log *slog.Logger) {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	g.mu.Lock()
	fresh, refused := g.fresh, g.refused
	g.fresh, g.refused = nil, map[netip.Prefix]int64{}
	g.mu.Unlock()
	if len(fresh)+len(refused) > 0 {
		err := g.store.Write(context.Background(), func(tx *store.Tx) error {
			for _, b := range fresh {
				if err := tx.SetBan(b); err != nil {
					return err
				}
			}
			for u, n := range refused {
				if err := tx.RefusedByBan(unitName(u), n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			log.Error("bans could not be written", "err", err)
			g.mu.Lock()
			g.fresh = append(fresh, g.fresh...)
			for u, n := range refused {
				g.refused[u] += n
			}
			g.mu.Unlock()
			return
		}
		for _, b := range fresh {
			log.Warn("an address was banned", "address", b.Address, "until", b.Until, "failures", b.Failures, "reason", b.Reason)
		}
	}
	g.load(now, log)
}

// Bans lists the bans in force.
func (r *Service) Bans(ctx context.Context, f model.EveryFilter) ([]model.Ban, error) {
	r.guard.sync(r.o.Clock(), r.o.Log)
	return r.o.Store.Read(ctx).Bans(r.o.Clock(), f.Paging)
}

// Unban ends the ban of an address, and forgets its failures.
func (r *Service) Unban(ctx context.Context, actor, address string) error {
	const op = "connection.Unban"
	u, ok := parseUnit(address)
	if !ok {
		return fault.E(op, fault.Invalid, "%q is not an address.", valid.Printable(address))
	}
	r.guard.sync(r.o.Clock(), r.o.Log)
	// A concurrent sync could load this ban again.
	r.guard.syncing.Lock()
	defer r.guard.syncing.Unlock()
	now := r.o.Clock()
	err := r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.Unban(unitName(u)); err != nil {
			return err
		}
		return tx.Audit(model.AuditRow{ID: r.o.IDs.New(), At: now, Actor: actor, Action: "address.unban",
			Subject: unitName(u)})
	})
	if fault.Is(err, fault.NotFound) {
		return fault.E(op, fault.NotFound, "The address %s is not banned.", unitName(u)).WithAction("list-bans")
	} else if err != nil {
		return err
	}
	r.guard.mu.Lock()
	defer r.guard.mu.Unlock()
	delete(r.guard.bans, u)
	delete(r.guard.tracks, u)
	return nil
}
