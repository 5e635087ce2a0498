package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// row is one kind of work, and the limits for it.
type row struct {
	name string
	disk bool // data must be on disk, whatever the options say
	// fresh starts new servers for every round, because repeated uploads would fill the memory.
	fresh bool
	// mine and rival start the two servers. Nil means Sallyport and OpenSSH.
	mine, rival func(b *bench, ctx context.Context, dir string) (*server, error)
	// prepare makes the files that the row needs; it may be nil.
	prepare func(ctx context.Context, b *bench, s *server) error
	// run does the work once. round is different in each round.
	run  func(ctx context.Context, b *bench, s *server, round int) (sample, error)
	bars []bar
}

// sample is the result of one turn, by measure.
type sample map[string]float64

// result has all samples of a row, by server: ours, and theirs, which may also be a second
// Sallyport (row.rival).
type result map[string][]sample

// median returns the median of a server's samples.
func (r result) median(server, measure string) float64 {
	var all []float64
	for _, s := range r[server] {
		all = append(all, s[measure])
	}
	return median(all)
}

// ratio returns the median of the rounds' ratios. If the machine is slower for a while, both turns
// of a round are.
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

// pair is the two servers that are compared.
type pair []*server

func (p pair) stop() {
	for _, s := range p {
		s.stop()
	}
}

// start starts both servers with data of their own, and prepares what the row needs.
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
		rival = (*bench).startRival
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

// measure gives a row's work to both servers in turns.
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

// turns starts both servers, runs a number of rounds, and removes the servers.
func (b *bench) turns(ctx context.Context, r row, first, rounds int, got result) error {
	p, dir, err := b.start(ctx, r)
	defer b.remove(dir, r.disk)
	defer p.stop()
	if err != nil {
		return err
	}
	for round := first; round < first+rounds; round++ {
		for i := range p {
			i := (i + round) % len(p) // who comes first finds the machine as the other left it, so they take turns
			s := p[i]
			for _, other := range p { // no server may still be busy with its last turn
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

// remove removes the servers' data: at once from memory, which would fill, and at the end from a disk. A
// file system may look at inodes that were deleted lately whenever it makes a file (ext4 does, for minutes).
func (b *bench) remove(dir string, disk bool) {
	if disk || b.o.disk != "" {
		return // close does it
	}
	_ = os.RemoveAll(dir)
}

// spent is the time that some work took.
type spent struct {
	wall, cpu time.Duration
}

// meter runs work, and measures its duration and the server's processor time. This includes the
// cost of ending sessions: all have ended when the work is done.
func (b *bench) meter(ctx context.Context, s *server, work func() error) (spent, error) {
	return b.account(s, work, func() { s.settle(ctx, s.processes) })
}

// busy is meter for work within a session that stays open.
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
