package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/model"
)

// experiment is a measurement in a lab or with a server, with its limit.
type experiment struct {
	name, measure string
	limit         float64
	atLeast       bool
	run           func(ctx context.Context, dir string, z sizes) (float64, error)
	serve         func(ctx context.Context, b *bench, dir string, z sizes) (float64, error) // replaces run; has a server
}

// experiments measure everything except the transfer of bytes.
var experiments = []experiment{
	{"publish 1 MiB to 10,000 subscribers, one blob", "CPU µs a delivery", 100, false, fanOut, nil},
	{"open and stat among 1,000,000 files, of that among 1,000", "ratio of CPU", 1.2, false, openAndStat, nil},
	{"list 1,000 files among 1,000,000, of that among 1,000", "ratio of CPU", 1.2, false, listOne, nil},
	{"forecast of the 1,000 oldest, due among 1,000,000 files, of that among 1,000", "ratio of CPU", 1.2, false, forecast,
		nil},
	{"retention run of 100,000 files", "CPU µs a file", 300, false, purge, nil},
	{"downloads while a retention run removes 100,000 files, of those alone", "part of the rate", 0.8, true, nil,
		downloadBeside},
	{"stat in a mailbox of 1,000 files, beside others' 1,000,000, of that alone", "ratio of CPU", 1.15, false,
		smallMailbox(statOne), nil},
	{"open in a mailbox of 1,000 files, beside others' 1,000,000, of that alone", "ratio of CPU", 1.15, false,
		smallMailbox(openOne), nil},
	{"growth: work among 1,000,000 × 4 KiB, half in the database, of that among 1,000", "greatest ratio of CPU", 1.2,
		false, growth, nil},
	{"publish 10,000 different files of 4 KiB, one mailbox each", "files/s", 3000, true, nil,
		onDisk(publishDifferent)},
	{"drops: upload, claim, fetch, ack by 4 consumers", "drops/s", 5000, true, dropsPerSecond, nil},
	{"audit row and outbox, of a batched commit", "part of CPU", 0.2, false, auditShare, nil},
	{"sealing the audit log", "rows/s", 5000, true, sealing, nil},
	{"verifying the audit log", "rows/s", 100_000, true, verifying, nil},
	{"rename of a folder with 10,000 files out of a staging folder", "s", 2, false, leaveStaging, nil},
}

// experiment runs an experiment once per round, each time in a new folder, and returns the median.
func (b *bench) experiment(ctx context.Context, e experiment) (float64, error) {
	var all []float64
	for round := range b.o.rounds {
		dir, err := os.MkdirTemp(b.work, "lab-")
		if err != nil {
			return 0, err
		}
		var v float64
		if e.serve != nil {
			v, err = e.serve(ctx, b, dir, sizesFor(b.o.quick))
		} else {
			v, err = e.run(ctx, dir, sizesFor(b.o.quick))
		}
		err = errors.Join(err, os.RemoveAll(dir))
		if err != nil {
			return 0, fmt.Errorf("round %d: %w", round+1, err)
		}
		all = append(all, v)
	}
	return median(all), nil
}

// onDisk does work in a new folder on disk, which is removed at the end of all measurements: ext4 looks at inodes
// that were deleted lately whenever it makes a file.
func onDisk(work func(context.Context, string, sizes) (float64, error)) func(context.Context, *bench, string, sizes) (
	float64, error) {
	return func(ctx context.Context, b *bench, _ string, z sizes) (float64, error) {
		dir, err := os.MkdirTemp(b.diskWork, "lab-")
		if err != nil {
			return 0, err
		}
		return work(ctx, dir, z)
	}
}

// busy returns the processor time of this process during fn.
func busy(fn func() error) (time.Duration, error) {
	before := ownCPU()
	err := fn()
	return ownCPU() - before, err
}

// fanOut measures a publication to many subscribers.
func fanOut(ctx context.Context, dir string, z sizes) (float64, error) {
	l, err := openLab(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer l.close()
	subscribers := z.users / 10
	if _, err := l.feeds.AddFeed(ctx, "bench", model.NewFeed{Name: "report", Kind: "report"}); err != nil {
		return 0, err
	}
	for i := range subscribers {
		u, err := l.user(ctx, fmt.Sprintf("user-%06d", i))
		if err != nil {
			return 0, err
		}
		if _, err := l.feeds.Subscribe(ctx, "bench", "report", model.NewSubscription{User: u.Name}); err != nil {
			return 0, err
		}
	}
	used, err := busy(func() error {
		p, err := l.feeds.Publish(ctx, "bench",
			feed.Publication{Feed: "report", All: true, Name: "report.csv",
				Body: bytes.NewReader(bytes.Repeat([]byte("a,b\n"), 1<<18)), Size: 1 << 20})
		if err == nil && p.Deliveries != subscribers {
			err = fmt.Errorf("%d deliveries of %d", p.Deliveries, subscribers)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	blobs := 0
	err = filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, "staging") {
			blobs++
		}
		return err
	})
	if blobs != 1 {
		err = errors.Join(err, fmt.Errorf("%d blobs on disk", blobs))
	}
	return float64(used.Microseconds()) / float64(subscribers), err
}

// registries returns the numbers of files in the two databases that are compared.
func registries(z sizes) (many, few int) { return z.many * 10, 1000 }

// compareRegistries does the same work with many files in the database and with few, in turns. It
// returns the ratio of processor time.
func compareRegistries(ctx context.Context, dir string, z sizes, storedAt func(total int) func(i int) time.Time,
	work func(l *lab, u model.User) error) (float64, error) {
	many, few := registries(z)
	labs, users := make([]*lab, 2), make([]model.User, 2)
	for i, n := range []int{many, few} {
		l, err := openLab(ctx, filepath.Join(dir, fmt.Sprint(n)))
		if err != nil {
			return 0, err
		}
		defer l.close()
		if users[i], err = l.user(ctx, "bench"); err != nil {
			return 0, err
		}
		if err := l.register(ctx, users[i], n, storedAt(n)); err != nil {
			return 0, err
		}
		labs[i] = l
	}
	var ratios []float64
	for range 5 {
		var used [2]time.Duration
		for i := range labs {
			var err error
			if used[i], err = busy(func() error { return work(labs[i], users[i]) }); err != nil {
				return 0, err
			}
		}
		ratios = append(ratios, used[0].Seconds()/used[1].Seconds())
	}
	return median(ratios), nil
}

func lately(int) func(int) time.Time {
	now := time.Now()
	return func(i int) time.Time { return now.Add(-time.Duration(i) * time.Second) }
}

func openAndStat(ctx context.Context, dir string, z sizes) (float64, error) {
	return compareRegistries(ctx, dir, z, lately, func(l *lab, u model.User) error {
		s := l.tree.Begin(exchange.Login{User: u, Operator: "bench"}, nil)
		defer s.End()
		for range 2000 {
			path := fmt.Sprintf("/dir-000000/file-%06d.csv", rand.IntN(1000))
			if _, err := s.Stat(path); err != nil {
				return err
			}
			h, err := s.Open(path, exchange.FlagRead, 0)
			if err != nil {
				return err
			}
			h.Close(func(error) {})
		}
		return nil
	})
}

func listOne(ctx context.Context, dir string, z sizes) (float64, error) {
	return compareRegistries(ctx, dir, z, lately, func(l *lab, u model.User) error {
		return l.listAll(u, "/dir-000000", 50)
	})
}

// listAll lists a folder a number of times.
func (l *lab) listAll(u model.User, path string, times int) error {
	s := l.tree.Begin(exchange.Login{User: u, Operator: "bench"}, nil)
	defer s.End()
	for range times {
		d, err := s.OpenDir(path)
		for err == nil {
			_, err = d.Next()
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// forecast measures the forecast with a thousand due files in both databases. The due files are the
// oldest.
func forecast(ctx context.Context, dir string, z sizes) (float64, error) {
	old := time.Now().AddDate(-2, 0, 0)
	due := func(int) func(i int) time.Time {
		return func(i int) time.Time {
			if i < 1000 {
				return old.Add(time.Duration(i) * time.Millisecond)
			}
			return time.Now()
		}
	}
	return compareRegistries(ctx, dir, z, due, func(l *lab, _ model.User) error {
		for range 5 {
			f, err := l.retain.Forecast(ctx, model.ForecastQuery{})
			if err != nil || f.Files != 1000 {
				return errors.Join(err, fmt.Errorf("%d files are due", f.Files))
			}
		}
		return nil
	})
}

// purge measures the removal of many files: planning, notices and the run.
func purge(ctx context.Context, dir string, z sizes) (float64, error) {
	l, u, err := openLabWithUser(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer l.close()
	if err := l.register(ctx, u, z.many, func(int) time.Time { return time.Now().AddDate(-2, 0, 0) }); err != nil {
		return 0, err
	}
	used, err := busy(func() error {
		if _, err := l.account.SetState(ctx, "bench", u.Account, model.AccountClosed); err != nil {
			return err
		}
		if _, err := l.retain.PlanClosing(ctx, u.Account); err != nil {
			return err
		}
		runs, err := l.retain.RunNow(ctx)
		if err == nil && (len(runs) != 1 || runs[0].RemovedFiles != int64(z.many)) {
			err = fmt.Errorf("the run is not as expected: %+v", runs)
		}
		return err
	})
	return float64(used.Microseconds()) / float64(z.many), err
}

// dropsPerSecond measures how many files per second get through while partners upload, and four
// consumers claim, fetch and accept.
func dropsPerSecond(ctx context.Context, dir string, z sizes) (float64, error) {
	l, u, err := openLabWithUser(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer l.close()
	total := int64(z.files) * 2
	began := time.Now()
	var sent, done atomic.Int64
	var handed sync.Map
	var work sync.WaitGroup
	fail := make(chan error, 16)
	for p := range 8 {
		work.Go(func() {
			s := l.tree.Begin(exchange.Login{User: u, Fingerprint: "SHA256:bench"}, nil)
			defer s.End()
			for n := sent.Add(1); n <= total; n = sent.Add(1) {
				if err := s.Store(fmt.Sprintf("/upload/p%d-%d.csv", p, n),
					strings.NewReader(fmt.Sprintf("%d %d\n", p, n))); err != nil {
					fail <- err
					return
				}
			}
		})
	}
	for c := range 4 {
		work.Go(func() {
			if err := consume(ctx, l, fmt.Sprint("c", c), &done, total, &handed); err != nil {
				fail <- err
			}
		})
	}
	work.Wait()
	took := time.Since(began).Seconds()
	select {
	case err := <-fail:
		return 0, err
	default:
		return float64(total) / took, nil
	}
}

// consume claims, fetches and accepts until all files are done. It fails if a file comes twice.
func consume(ctx context.Context, l *lab, name string, done *atomic.Int64, total int64, handed *sync.Map) error {
	for done.Load() < total {
		list, err := l.inbox.Claim(ctx, "bench", model.NewClaim{Consumer: name, Limit: 20})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			time.Sleep(time.Millisecond)
		}
		for _, d := range list {
			if by, twice := handed.LoadOrStore(d.ID, name); twice {
				return fmt.Errorf("%s was handed to %v and to %s", d.ID, by, name)
			}
			_, r, err := l.inbox.Open(ctx, d.ID, d.Claim)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, io.NewSectionReader(r, 0, r.Size()))
			if err := errors.Join(err, r.Close()); err != nil {
				return err
			}
			if _, err := l.inbox.Ack(ctx, "bench", d.ID, d.Claim); err != nil {
				return err
			}
			done.Add(1)
		}
	}
	return nil
}
