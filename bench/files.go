package main

import (
	"context"
	"fmt"
	"sync/atomic"
)

// fileSize is the size of a small file in bytes.
const fileSize = 4 << 10

// Measures of small files and listings.
const (
	filesPerSecond = "files/s"
	listingCPU     = "server CPU, s"
	listingGrowth  = "peak memory growth, MiB"
)

// puts uploads small files in one session, inFlight at a time.
func puts(c *client, dir string, files, inFlight int, fsync bool) error {
	content := make([]byte, fileSize)
	var next atomic.Int64
	return atOnce(inFlight, func(int) error {
		for i := next.Add(1); i <= int64(files); i = next.Add(1) {
			if err := c.put(fmt.Sprintf("%s/file-%06d", dir, i), content, fsync); err != nil {
				return err
			}
		}
		return nil
	})
}

// manyPuts measures durable uploads of small files.
func manyPuts(files, inFlight int) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, round int) (sample, error) {
		var got sample
		err := b.session(ctx, s, func(c *client) error {
			dir := fmt.Sprintf("upload/round-%d", round)
			if err := c.mkdir(dir); err != nil {
				return err
			}
			took, err := b.busy(s, func() error { return puts(c, dir, files, inFlight, true) })
			got = sample{filesPerSecond: float64(files) / took.wall.Seconds()}
			return err
		})
		return got, err
	}
}

// filled prepares a folder of small files.
func filled(files int) func(context.Context, *bench, *server) error {
	return func(ctx context.Context, b *bench, s *server) error {
		return b.session(ctx, s, func(c *client) error {
			if err := c.mkdir("upload/many"); err != nil {
				return err
			}
			return puts(c, "upload/many", files, 64, false)
		})
	}
}

// manyGets measures downloads of small files, one after another.
func manyGets(files int) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, _ int) (sample, error) {
		var got sample
		err := b.session(ctx, s, func(c *client) error {
			took, err := b.busy(s, func() error {
				for i := range files {
					if err := c.get(fmt.Sprintf("upload/many/file-%06d", i+1), fileSize); err != nil {
						return err
					}
				}
				return nil
			})
			got = sample{filesPerSecond: float64(files) / took.wall.Seconds()}
			return err
		})
		return got, err
	}
}

// listing measures the listing of a large folder.
func listing(files int) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, _ int) (sample, error) {
		var got sample
		err := b.session(ctx, s, func(c *client) error {
			before, err := s.resetPeak()
			if err != nil {
				return err
			}
			took, err := b.busy(s, func() error {
				n, err := c.list("upload/many")
				if err == nil && n < files { // OpenSSH also lists "." and ".."
					err = fmt.Errorf("%d of %d files were listed", n, files)
				}
				return err
			})
			if err != nil {
				return err
			}
			peak, err := s.peak()
			got = sample{listingCPU: took.cpu.Seconds(), listingGrowth: float64(peak-before) / (1 << 20)}
			return err
		})
		return got, err
	}
}
