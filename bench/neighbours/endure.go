package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/test/hostile"
)

var (
	endure = flag.Duration("endure", 0,
		"run all of them in turn beside one server for so long, and print its memory and descriptors")
	turn = flag.Duration("turn", 20*time.Second, "how long each has its turn, with -endure")
)

// round is the effect of one round of all hostile partners on the server.
type round struct {
	memory, descriptors int64 // the maxima of samples taken twice a second
	after, left         int64 // memory and descriptors when the last partner had gone
	slowest             time.Duration
	worst               string
}

// endureAll lets the hostile partners take turns beside an honest one until the time is up. Each
// round has a new pair of users, so that limits reached in one round do not restrain the next.
func endureAll(ctx context.Context) error {
	n, err := startNode(ctx)
	if n != nil {
		defer n.stop()
	}
	if err != nil {
		return err
	}
	fmt.Println("| round | minutes | most MiB | most fds | MiB after | fds after | slowest log-in ms | beside |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	began := time.Now()
	for i := 1; time.Since(began) < *endure; i++ {
		r, err := n.aRound(ctx, i)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %.0f | %d | %d | %d | %d | %d | %s |\n", i, time.Since(began).Minutes(),
			r.memory, r.descriptors, r.after, r.left, r.slowest.Milliseconds(), r.worst)
	}
	return nil
}

func (n *node) aRound(ctx context.Context, number int) (r round, err error) {
	good, bad := fmt.Sprintf("honest-%d", number), fmt.Sprintf("hostile-%d", number)
	honest := hostile.Server{Addr: n.good.Addr, User: good}
	if honest.Key, err = enrol(ctx, n.dir, n.data(), good); err != nil {
		return r, err
	}
	if _, err := enrol(ctx, n.dir, n.data(), bad); err != nil {
		return r, err
	}
	for _, p := range hostile.Partners {
		stop, err := n.act(ctx, p, bad)
		if err != nil {
			return r, err
		}
		done := make(chan struct{})
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for {
				r.memory, r.descriptors = max(r.memory, n.status("VmRSS:")/1024), max(r.descriptors, n.descriptors())
				select {
				case <-done:
					return
				case <-time.After(500 * time.Millisecond):
				}
			}
		}()
		pace, err := hostile.Honest(honest, *turn)
		close(done)
		<-watched
		stop()
		if err != nil {
			return r, fmt.Errorf("beside the one who %s: %w", p.Name, err)
		}
		if pace.WorstLogin > r.slowest {
			r.slowest, r.worst = pace.WorstLogin, p.Name
		}
	}
	time.Sleep(5 * time.Second) // until the last sessions have ended
	r.after, r.left = n.status("VmRSS:")/1024, n.descriptors()
	return r, ctx.Err()
}
