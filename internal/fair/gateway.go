package fair

import (
	"context"
	"sync"
)

// Gateway lets a number in at a time, party by party. The zero value lets nobody in;
// its fields are set before its first use.
type Gateway struct {
	All   int                    // at a time
	Party func(party string) int // of one party at a time

	mu      sync.Mutex
	waiting Turns[chan struct{}]
	inside  map[string]int
	total   int
}

func (g *Gateway) may(party string) bool {
	return g.total < g.All && g.inside[party] < g.Party(party)
}

// Enter waits for a turn, until ctx ends; then its error is returned. Leave must
// follow when there is none.
func (g *Gateway) Enter(ctx context.Context, party string) error {
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
	g.waiting.Add(party, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !remove(&g.waiting, party, turn) {
		g.release(party) // the turn came at the same moment
	}
	return ctx.Err()
}

// Leave makes room for the next.
func (g *Gateway) Leave(party string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release(party)
}

func (g *Gateway) release(party string) {
	g.count(party, -1)
	for g.total < g.All {
		var who string
		turn, ok := g.waiting.NextOf(func(p string) bool { who = p; return g.may(p) })
		if !ok {
			return
		}
		g.count(who, 1)
		close(turn)
	}
}

func (g *Gateway) count(party string, n int) {
	g.total += n
	if g.inside[party] += n; g.inside[party] == 0 {
		delete(g.inside, party)
	}
}
