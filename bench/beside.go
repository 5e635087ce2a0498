package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// downloadBeside returns the rate of downloads during a retention run, as a part of their rate
// without one.
func downloadBeside(ctx context.Context, b *bench, dir string, z sizes) (float64, error) {
	if err := makeDir(dir); err != nil {
		return 0, err
	}
	s, err := b.startSallyport(ctx, dir)
	if err != nil {
		return 0, err
	}
	data := filepath.Join(dir, "sallyport")
	s.stop()
	if err := oldFiles(ctx, data, z.many); err != nil {
		return 0, err
	}
	if s, err = b.serve(ctx, dir, data); err != nil {
		return 0, err
	}
	defer s.stop()
	if err := uploaded(z.share)(ctx, b, s); err != nil {
		return 0, err
	}
	once := func() (float64, error) {
		began := time.Now()
		err := b.sftp(ctx, s, gcm, "get upload/big /dev/null")
		return float64(z.share) / time.Since(began).Seconds(), err
	}
	manage := func(args ...string) error {
		return runQuiet(exec.CommandContext(ctx, b.binary, append(args, "--data", data)...))
	}
	if err := manage("account", "close", "old"); err != nil { // plans the run
		return 0, err
	}
	var alone, beside []float64
	for range 10 {
		rate, err := once()
		if err != nil {
			return 0, err
		}
		alone = append(alone, rate)
	}
	done := make(chan error, 1)
	go func() { done <- manage("retention", "run") }()
	for {
		rate, err := once()
		if err != nil {
			return 0, errors.Join(err, <-done)
		}
		select {
		case err := <-done:
			if err == nil && len(beside) == 0 {
				err = errors.New("the run ended before a download did")
			}
			return median(beside) / median(alone), err
		default:
			beside = append(beside, rate)
		}
	}
}

// oldFiles adds files to a stopped server, for an account of their own.
func oldFiles(ctx context.Context, data string, files int) error {
	l, err := openLab(ctx, data)
	if err != nil {
		return err
	}
	u, err := l.user(ctx, "old")
	if err == nil {
		err = l.register(ctx, u, files, func(int) time.Time { return time.Now().AddDate(-2, 0, 0) })
	}
	if err != nil {
		err = fmt.Errorf("filling: %w", err)
	}
	return errors.Join(err, l.close())
}
