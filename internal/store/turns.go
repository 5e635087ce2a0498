package store

import (
	"context"
	"slices"
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// turns is a line for each party that waits. The lines are served in turn, so
// that a long one delays nobody else. Its owner guards it.
type turns[T any] struct {
	lines map[string][]T
	order []string // parties with somebody in line, whose turn is next first
}

// add puts v at the end of its party's line.
func (t *turns[T]) add(party string, v T) {
	if t.lines == nil {
		t.lines = map[string][]T{}
	}
	if _, ok := t.lines[party]; !ok {
		t.order = append(t.order, party)
	}
	t.lines[party] = append(t.lines[party], v)
}

// putBack puts v at the head of its party's line, and makes that the next.
func (t *turns[T]) putBack(party string, v T) {
	if t.lines == nil {
		t.lines = map[string][]T{}
	}
	t.lines[party] = append([]T{v}, t.lines[party]...)
	if i := slices.Index(t.order, party); i >= 0 {
		t.order = slices.Delete(t.order, i, i+1)
	}
	t.order = append([]string{party}, t.order...)
}

// next takes the head of the line whose turn it is.
func (t *turns[T]) next() (v T, ok bool) {
	return t.nextOf(func(string) bool { return true })
}

// nextOf is next among the parties that may.
func (t *turns[T]) nextOf(may func(party string) bool) (v T, ok bool) {
	for i, party := range t.order {
		if !may(party) {
			continue
		}
		line := t.lines[party]
		v = line[0]
		t.order = slices.Delete(t.order, i, i+1)
		if len(line) == 1 {
			delete(t.lines, party)
		} else {
			t.lines[party] = line[1:]
			t.order = append(t.order, party)
		}
		return v, true
	}
	return v, false
}

// remove takes v out of its party's line; false says that it is in none.
func remove[T comparable](t *turns[T], party string, v T) bool {
	i := slices.Index(t.lines[party], v)
	if i < 0 {
		return false
	}
	if len(t.lines[party]) > 1 {
		t.lines[party] = slices.Delete(slices.Clone(t.lines[party]), i, i+1)
		return true
	}
	delete(t.lines, party)
	t.order = slices.DeleteFunc(t.order, func(p string) bool { return p == party })
	return true
}

// Transactions at a time on PostgreSQL. Those of one user wait for each other's
// mailbox anyway, and each holds a connection meanwhile; some connections are
// always left to those who only read.
const (
	atATime       = 16
	userAtATime   = 3
	serverAtATime = 8
)

// gateway lets transactions in, party by party.
type gateway struct {
	mu      sync.Mutex
	waiting turns[chan struct{}]
	inside  map[string]int
	total   int
}

func (g *gateway) may(party string) bool {
	limit := userAtATime
	if party == "" {
		limit = serverAtATime
	}
	return g.total < atATime && g.inside[party] < limit
}

// enter waits for a turn, until ctx ends; leave must follow.
func (g *gateway) enter(ctx context.Context, party string) error {
	g.mu.Lock()
	if g.inside == nil {
		g.inside = map[string]int{}
	}
	if g.may(party) { // who waits could not go in, or would have
		g.count(party, 1)
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting.add(party, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !remove(&g.waiting, party, turn) {
		g.leaveLocked(party) // the turn came at the same moment
	}
	return exchange.Wrap("store.Write", exchange.Unavailable, ctx.Err())
}

func (g *gateway) leave(party string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaveLocked(party)
}

func (g *gateway) leaveLocked(party string) {
	g.count(party, -1)
	for g.total < atATime {
		var who string
		turn, ok := g.waiting.nextOf(func(p string) bool { who = p; return g.may(p) })
		if !ok {
			return
		}
		g.count(who, 1)
		close(turn)
	}
}

func (g *gateway) count(party string, n int) {
	g.total += n
	if g.inside[party] += n; g.inside[party] == 0 {
		delete(g.inside, party)
	}
}
