package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
)

// fileSize is the size of a small file in bytes, unless a row says otherwise.
const fileSize = 4 << 10

// Measures of small files and listings.
const (
	filesPerSecond = "files/s"
	cpuPerFile     = "server CPU, µs a file"
	listingCPU     = "server CPU, s"
	listingGrowth  = "peak memory growth, MiB"
)

// puts uploads small files in one session, inFlight at a time.
func puts(c *client, dir string, files, size, inFlight int, fsync bool) error {
	return inTurn(files, inFlight, func(i int) error {
		content := make([]byte, size)
		copy(content, fmt.Sprint(dir, i)) // each file is another one
		return c.put(fmt.Sprintf("%s/file-%06d", dir, i), content, fsync)
	})
}

// inTurn calls work for 1 to n, inFlight calls at a time.
func inTurn(n, inFlight int, work func(i int) error) error {
	var next atomic.Int64
	return atOnce(inFlight, func(int) error {
		for i := next.Add(1); i <= int64(n); i = next.Add(1) {
			if err := work(int(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// who says which server is asked for fsync. Sallyport's CLOSE is durable without it.
type who int

const (
	both who = iota
	theirsAlone
)

// manyPuts measures durable uploads of small files.
func manyPuts(files, size, inFlight int, fsync who) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, round int) (sample, error) {
		var got sample
		err := b.session(ctx, s, func(c *client) error {
			dir := fmt.Sprintf("upload/round-%d", round)
			if err := c.mkdir(dir); err != nil {
				return err
			}
			took, err := b.busy(s, func() error {
				return puts(c, dir, files, size, inFlight, fsync == both || s.name == theirs)
			})
			got = perFile(took, files)
			return err
		})
		return got, err
	}
}

func perFile(took spent, files int) sample {
	return sample{filesPerSecond: float64(files) / took.wall.Seconds(),
		cpuPerFile: float64(took.cpu.Microseconds()) / float64(files)}
}

// filled prepares a folder of small files.
func filled(files int) func(context.Context, *bench, *server) error {
	return func(ctx context.Context, b *bench, s *server) error {
		return b.session(ctx, s, func(c *client) error {
			if err := c.mkdir("upload/many"); err != nil {
				return err
			}
			return puts(c, "upload/many", files, fileSize, 64, false)
		})
	}
}

// manyGets measures downloads of small files.
func manyGets(files, inFlight int) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, _ int) (sample, error) {
		var got sample
		err := b.session(ctx, s, func(c *client) error {
			took, err := b.busy(s, func() error {
				return inTurn(files, inFlight, func(i int) error {
					return c.get(fmt.Sprintf("upload/many/file-%06d", i), fileSize)
				})
			})
			got = perFile(took, files)
			return err
		})
		return got, err
	}
}

// job has a program transfer many small files between a folder here and the server.
type job func(ctx context.Context, b *bench, s *server, files string, round int) error

// batch measures a program's transfer of small files.
func batch(files int, do job) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, round int) (sample, error) {
		dir, err := b.smallFiles(files)
		if err != nil {
			return nil, err
		}
		took, err := b.meter(ctx, s, func() error { return do(ctx, b, s, dir, round) })
		return perFile(took, files), err
	}
}

// smallFiles makes a folder of small files, once.
func (b *bench) smallFiles(files int) (string, error) {
	dir := filepath.Join(b.work, fmt.Sprintf("small-%d", files))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := makeDir(dir); err != nil {
		return "", err
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%06d", i+1)), smallText(i), 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func mget(ctx context.Context, b *bench, s *server, _ string, _ int) error {
	to, err := os.MkdirTemp(b.work, "got-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(to)
	return b.sftp(ctx, s, gcm, "lcd "+to+"\nmget upload/many/*")
}

func mput(ctx context.Context, b *bench, s *server, files string, round int) error {
	dir := fmt.Sprintf("upload/round-%d", round)
	return b.sftp(ctx, s, gcm, "mkdir "+dir+"\ncd "+dir+"\nmput "+files+"/*")
}

func rclone(ctx context.Context, b *bench, s *server, files string, round int) error {
	return copyRclone(ctx, b, s, true, files, fmt.Sprintf("upload/round-%d", round))
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
