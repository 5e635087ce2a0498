package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// Measurements of many small files.

// publishersAtOnce is how many publications are under way at a time.
const publishersAtOnce = 64

// publishDifferent measures how many different files of 4 KiB per second are published, each to a mailbox of
// its own, durably.
func publishDifferent(ctx context.Context, dir string, z sizes) (float64, error) {
	l, err := openLab(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer l.close()
	if _, err := l.feeds.AddFeed(ctx, "bench", model.NewFeed{Name: "invoices", Kind: "invoice"}); err != nil {
		return 0, err
	}
	total := z.users / 10
	for i := range total {
		u, err := l.user(ctx, fmt.Sprintf("user-%06d", i))
		if err == nil {
			_, err = l.feeds.Subscribe(ctx, "bench", "invoices", model.NewSubscription{User: u.Name})
		}
		if err != nil {
			return 0, err
		}
	}
	began := time.Now()
	err = inTurn(total, publishersAtOnce, func(n int) error {
		i := n - 1
		text := smallText(i)
		sum := sha256.Sum256(text)
		p, err := l.feeds.Publish(ctx, "bench", feed.Publication{Feed: "invoices", Account: fmt.Sprintf("user-%06d", i),
			Name: fmt.Sprintf("invoice-%06d.csv", i), Body: bytes.NewReader(text), Size: fileSize,
			SHA256: hex.EncodeToString(sum[:])})
		if err == nil && p.Deliveries != 1 {
			err = fmt.Errorf("%d deliveries", p.Deliveries)
		}
		return err
	})
	return float64(total) / time.Since(began).Seconds(), err
}

// smallMailbox compares work in a mailbox of a thousand files when others have a million, and when nobody
// else has any.
func smallMailbox(work func(s *tree.Session, path string) error) func(context.Context, string, sizes) (float64, error) {
	return func(ctx context.Context, dir string, z sizes) (float64, error) {
		many, few := registries(z)
		var labs [2]*lab
		var users [2]model.User
		for i, others := range []int{many, 0} {
			l, err := openLab(ctx, filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				return 0, err
			}
			defer l.close()
			if others > 0 {
				u, err := l.user(ctx, "others")
				if err := errors.Join(err, l.register(ctx, u, others, lately(others))); err != nil {
					return 0, err
				}
			}
			u, err := l.user(ctx, "bench")
			if err := errors.Join(err, l.register(ctx, u, few, lately(few))); err != nil {
				return 0, err
			}
			labs[i], users[i] = l, u
		}
		return compare(labs, func(l *lab, i int) error {
			s := l.tree.Begin(exchange.Login{User: users[i], Operator: "bench"}, nil)
			defer s.End()
			for range 5000 {
				if err := work(s, fmt.Sprintf("/dir-000000/file-%06d.csv", rand.IntN(few))); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// compare does work in two labs in turns, and returns the ratio of processor time.
func compare(labs [2]*lab, work func(l *lab, i int) error) (float64, error) {
	var ratios []float64
	for turn := range 7 {
		var used [2]time.Duration
		for i := range labs {
			i := (i + turn) % 2
			var err error
			if used[i], err = busy(func() error { return work(labs[i], i) }); err != nil {
				return 0, err
			}
		}
		if turn > 0 { // the first reads what the database keeps in memory
			ratios = append(ratios, used[0].Seconds()/used[1].Seconds())
		}
	}
	return median(ratios), nil
}

func statOne(s *tree.Session, path string) error {
	_, err := s.Stat(path)
	return err
}

func openOne(s *tree.Session, path string) error {
	h, err := s.Open(path, exchange.FlagRead, 0)
	if err == nil {
		h.Close(func(error) {})
	}
	return err
}

// growth compares work among a million files of 4 KiB, half of whose bytes are in the database, with the same
// among a thousand. It returns the greatest ratio of processor time: of open, stat, put and list. It prints
// how large the database is and how long a backup of it takes.
func growth(ctx context.Context, dir string, z sizes) (float64, error) {
	many, few := registries(z)
	var labs [2]*lab
	var users [2]model.User
	for i, files := range []int{many, few} {
		l, u, err := openLabWithUser(ctx, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return 0, err
		}
		defer l.close()
		if err := l.fillSmall(u, files); err != nil {
			return 0, err
		}
		labs[i], users[i] = l, u
	}
	greatest := 0.0
	for name, work := range map[string]func(l *lab, i int) error{
		"open": inMailbox(&users, func(l *lab, s *tree.Session, path string) error { return openOne(s, path) }),
		"stat": inMailbox(&users, func(l *lab, s *tree.Session, path string) error { return statOne(s, path) }),
		"put": inMailbox(&users, func(l *lab, s *tree.Session, path string) error {
			return s.Store("/upload/"+l.ids.New(), bytes.NewReader(make([]byte, fileSize)))
		}),
		"list": func(l *lab, i int) error { return l.listAll(users[i], "/dir-000000", 50) },
	} {
		ratio, err := compare(labs, work)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(os.Stderr, "growth, %s: %.2f\n", name, ratio)
		greatest = max(greatest, ratio)
	}
	for i, files := range []int{many, few} {
		size, err := labs[i].store.Read(ctx).DatabaseSize()
		if err != nil {
			return 0, err
		}
		began := time.Now()
		if err := labs[i].copyTo(filepath.Join(dir, fmt.Sprint("copy-", i))); err != nil {
			return 0, err
		}
		fmt.Fprintf(os.Stderr, "growth, %d files: the database has %d MiB, its copy took %.1f s\n", files, size.Bytes>>20,
			time.Since(began).Seconds())
	}
	return greatest, nil
}

// inMailbox does work on random files of a mailbox.
func inMailbox(users *[2]model.User, work func(l *lab, s *tree.Session, path string) error) func(l *lab, i int) error {
	return func(l *lab, i int) error {
		s := l.tree.Begin(exchange.Login{User: users[i], Operator: "bench"}, nil)
		defer s.End()
		for range 1000 {
			if err := work(l, s, fmt.Sprintf("/dir-000000/file-%06d.csv", rand.IntN(1000))); err != nil {
				return err
			}
		}
		return nil
	}
}

// copyTo copies the database as a backup does.
func (l *lab) copyTo(path string) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(l.dir, "sallyport.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("VACUUM INTO $1", path)
	return err
}
