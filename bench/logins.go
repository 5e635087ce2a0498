package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Measures of log-ins and idle sessions.
const (
	loginsPerSecond = "log-ins/s"
	cpuPerLogin     = "server CPU, ms each"
	idleKiB         = "server memory, KiB each"
)

// manyLogins measures connections that log in, open an SFTP session and close.
func manyLogins(during time.Duration, atATime int) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, _ int) (sample, error) {
		var logins atomic.Int64
		took, err := b.meter(ctx, s, func() error {
			end := time.Now().Add(during)
			return atOnce(atATime, func(int) error {
				for time.Now().Before(end) && ctx.Err() == nil {
					c, err := b.dial(s)
					if err != nil {
						return err
					}
					c.close()
					logins.Add(1)
				}
				return nil
			})
		})
		n := float64(logins.Load())
		return sample{loginsPerSecond: n / took.wall.Seconds(), cpuPerLogin: took.cpu.Seconds() * 1000 / n}, err
	}
}

// idleSettle is how long sessions have been idle when their memory is measured.
const idleSettle = 10 * time.Second

// idle measures the memory of logged-in sessions that do nothing.
func idle(sessions int) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, _ int) (sample, error) {
		before, err := s.pss()
		if err != nil {
			return nil, err
		}
		clients := make([]*client, sessions)
		defer func() {
			for _, c := range clients {
				if c != nil {
					c.close()
				}
			}
		}()
		var next atomic.Int64
		err = atOnce(loginsAtOnce, func(int) (err error) {
			for i := next.Add(1) - 1; i < int64(sessions) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if clients[i], err = b.dial(s); err != nil {
					return fmt.Errorf("session %d: %w", i+1, err)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		pause(ctx, idleSettle)
		after, err := s.pss()
		return sample{idleKiB: float64(after-before) / 1024 / float64(sessions)}, err
	}
}
