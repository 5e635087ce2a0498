package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// row is one kind of work, and what is asked of it.
type row struct {
	name string
	disk bool // the data is on disk, whatever the options say
	// fresh starts new servers for every round: what is uploaded again and
	// again would fill the memory.
	fresh bool
	// mine and rival start the two servers; nil are Sallyport and OpenSSH.
	mine, rival func(b *bench, ctx context.Context, dir string) (*server, error)
	// prepare puts files in place, and may be nil.
	prepare func(ctx context.Context, b *bench, s *server) error
	// run does the work once; round tells the turns apart.
	run  func(ctx context.Context, b *bench, s *server, round int) (sample, error)
	bars []bar
}

// sample is what was measured in one turn, by the bar's measure.
type sample map[string]float64

// result is all samples of a row, by server: ours, and theirs or whatever the
// row puts in its place.
type result map[string][]sample

// median is the middle of a server's samples.
func (r result) median(server, measure string) float64 {
	var all []float64
	for _, s := range r[server] {
		all = append(all, s[measure])
	}
	return median(all)
}

// ratio is the middle of the rounds' ratios: a machine that is slower for a
// while is so for both turns of a round.
func (r result) ratio(measure string) float64 {
	var all []float64
	for i, s := range r[ours] {
		all = append(all, s[measure]/r[theirs][i][measure])
	}
	return median(all)
}

func median(all []float64) float64 {
	slices.Sort(all)
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

// pair is one server of each kind.
type pair []*server

func (p pair) stop() {
	for _, s := range p {
		s.stop()
	}
}

// start starts both servers with data of their own and what the row needs.
func (b *bench) start(ctx context.Context, r row) (p pair, dir string, err error) {
	base := b.work
	if r.disk {
		base = b.diskWork
	}
	if dir, err = os.MkdirTemp(base, "servers-"); err != nil {
		return nil, "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, dir, err
	}
	mine, rival := r.mine, r.rival
	if mine == nil {
		mine = (*bench).startSallyport
	}
	if rival == nil {
		rival = (*bench).startOpenSSH
	}
	for _, begin := range []func(*bench, context.Context, string) (*server, error){mine, rival} {
		s, err := begin(b, ctx, dir)
		if err != nil {
			return p, dir, err
		}
		p = append(p, s)
		if r.prepare != nil {
			if err := r.prepare(ctx, b, s); err != nil {
				return p, dir, fmt.Errorf("%s: %w%s", s.name, err, s.logTail())
			}
		}
	}
	return p, dir, nil
}

// measure gives both servers a row's work in turns.
func (b *bench) measure(ctx context.Context, r row) (result, error) {
	got := result{}
	times, rounds := 1, b.o.rounds
	if r.fresh {
		times, rounds = rounds, 1
	}
	for t := range times {
		if err := b.turns(ctx, r, t, rounds, got); err != nil {
			return nil, err
		}
	}
	return got, ctx.Err()
}

// turns starts a pair of servers for a number of rounds, and removes them.
func (b *bench) turns(ctx context.Context, r row, first, rounds int, got result) error {
	p, dir, err := b.start(ctx, r)
	defer os.RemoveAll(dir)
	defer p.stop()
	if err != nil {
		return err
	}
	for round := first; round < first+rounds; round++ {
		for i, s := range p {
			for _, other := range p { // is not to work for the last turn in this one
				other.settle(ctx, other.processes)
			}
			one, err := r.run(ctx, b, s, round)
			if err != nil {
				return fmt.Errorf("%s: %w%s", s.name, err, s.logTail())
			}
			side := []string{ours, theirs}[i]
			got[side] = append(got[side], one)
			fmt.Fprintf(os.Stderr, "%s, round %d: %s %v\n", r.name, round+1, s.name, one)
		}
	}
	return nil
}

// spent is what some work took.
type spent struct {
	wall, cpu time.Duration
}

// meter does the work and says how long it took, and what processor time it
// cost the server, with what the sessions' ends cost: none is left when the
// work is done.
func (b *bench) meter(ctx context.Context, s *server, work func() error) (spent, error) {
	return b.account(s, work, func() { s.settle(ctx, s.processes) })
}

// busy is meter for work within a session that stays.
func (b *bench) busy(s *server, work func() error) (spent, error) {
	return b.account(s, work, func() {})
}

func (b *bench) account(s *server, work func() error, settle func()) (spent, error) {
	before, err := s.cpu()
	if err != nil {
		return spent{}, err
	}
	began := time.Now()
	if err := work(); err != nil {
		return spent{}, err
	}
	took := time.Since(began)
	settle()
	after, err := s.cpu()
	if err != nil {
		return spent{}, err
	}
	used := after.minus(before)
	b.counted.group += used.group
	b.counted.proc += used.proc
	return spent{took, used.best()}, nil
}
