package fair

import (
	"context"
	"sync"
)

// Gateway limits how many callers are inside at a time, in total and of each party. Parties that wait
// take turns. All and Party are set before the first use; with the zero value, every caller waits.
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

// Enter waits until the caller is admitted, or returns the error of ctx when that ends first. If it
// returns nil, Leave must follow.
func (g *Gateway) Enter(ctx context.Context, party string) error {
	g.mu.Lock()
	if g.inside == nil {
		g.inside = map[string]int{}
	}
	if g.may(party) { // those that wait may not go in, or release would have admitted them
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

// Leave ends the stay of one caller of a party, and admits those that may enter now.
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
