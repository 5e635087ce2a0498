// Package hostile is partners at their worst, and an honest one beside them: for tests
// and benchmarks of what one may do to the others.
package hostile

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Partner is one who is logged in and careless, broken or bought.
type Partner struct {
	Name     string
	Sessions int
	do       func(s Server) func(ctx context.Context, i int) error // one round of a session
}

// Partners are all of them.
var Partners = []Partner{
	{"leaves thousands of unfinished uploads", 3, leavesPartials},
	{"uploads and removes", 3, putsAndRemoves},
	{"replaces one file from many handles", 2, replacesFromMany},
	{"works deep in folders", 3, worksDeep},
	{"closes hundreds of files at once", 4, closesMany},
	{"closes files that fail", 3, closesFailing},
	{"renames to and fro", 4, renames},
	{"makes directories and removes them", 4, mkdirs},
	{"changes times", 3, setstats},
	{"floods channels that ask for nothing", 2, floods},
	{"sends requests and reads no answers", 2, readsNothing},
	{"writes holes", 2, holes},
	{"voids a hash again and again", 2, voids},
	{"changes the middle of a large file", 2, changesMiddle},
	{"logs in as fast as it can", 4, logsIn},
	{"lists a large directory", 3, lists},
	{"breaks off costly key exchanges", 8, breaksOff},
}

// Run has the partner do its worst in several sessions, until stop is called, which
// says how often it came round.
func (p Partner) Run(ctx context.Context, s Server) (stop func() (rounds int64)) {
	do := p.do(s)
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	var rounds atomic.Int64
	for i := range p.Sessions {
		wait.Go(func() {
			for ctx.Err() == nil {
				if do(ctx, i) != nil {
					time.Sleep(10 * time.Millisecond) // it was turned away: again
					continue
				}
				rounds.Add(1)
			}
		})
	}
	return func() int64 {
		cancel()
		wait.Wait()
		return rounds.Load()
	}
}
