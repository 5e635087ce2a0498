package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

const gib = 1 << 30

// sftp runs the OpenSSH client with commands, as in a batch file. With an empty cipher the client
// chooses.
func (b *bench) sftp(ctx context.Context, s *server, cipher, commands string) error {
	args := []string{"-q", "-b", "-", "-F", "none", "-i", b.key, "-P", strconv.Itoa(s.port),
		"-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null"}
	if cipher != "" {
		args = append(args, "-c", cipher)
	}
	cmd := exec.CommandContext(ctx, "sftp", append(args, s.user+"@127.0.0.1")...)
	cmd.Stdin = strings.NewReader(commands + "\n")
	return runQuiet(cmd)
}

// source makes a file of size random bytes, once.
func (b *bench) source(size int64) (string, error) {
	path := filepath.Join(b.work, fmt.Sprintf("source-%d", size))
	if info, err := os.Stat(path); err == nil && info.Size() == size {
		return path, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	random := rand.NewChaCha8([32]byte{})
	for buf := make([]byte, 1<<20); size > 0; size -= int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), size)]
		_, _ = random.Read(buf) // never fails
		if _, err := f.Write(buf); err != nil {
			return "", err
		}
	}
	return path, nil
}

// uploaded prepares a row that downloads a file.
func uploaded(size int64) func(context.Context, *bench, *server) error {
	return func(ctx context.Context, b *bench, s *server) error {
		path, err := b.source(size)
		if err != nil {
			return err
		}
		return b.sftp(ctx, s, "", "put "+path+" upload/big")
	}
}

// Measures of transfers.
const (
	cpuPerGiB = "server CPU, s/GiB"
	rate      = "MiB/s"
)

// transfer measures work that moves a number of bytes.
func transfer(ctx context.Context, b *bench, s *server, bytes int64, work func() error) (sample, error) {
	took, err := b.meter(ctx, s, work)
	if err != nil {
		return nil, err
	}
	return sample{cpuPerGiB: took.cpu.Seconds() * gib / float64(bytes),
		rate: float64(bytes) / (1 << 20) / took.wall.Seconds()}, nil
}

// download fetches the large file.
func download(size int64, cipher string) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, _ int) (sample, error) {
		return transfer(ctx, b, s, size, func() error { return b.sftp(ctx, s, cipher, "get upload/big /dev/null") })
	}
}

// upload sends the large file, with fsync.
func upload(size int64, cipher string) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, _ int) (sample, error) {
		path, err := b.source(size)
		if err != nil {
			return nil, err
		}
		return transfer(ctx, b, s, size, func() error { return b.sftp(ctx, s, cipher, "put -f "+path+" upload/new") })
	}
}

// parallel runs many sessions at once. command returns a session's command, from its number and the
// path of a file to send.
func parallel(sessions int, size int64,
	command func(source string, session int) string) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, _ int) (sample, error) {
		path, err := b.source(size)
		if err != nil {
			return nil, err
		}
		return transfer(ctx, b, s, int64(sessions)*size, func() error {
			return atOnce(sessions, func(i int) error { return b.sftp(ctx, s, "", command(path, i)) })
		})
	}
}

// atOnce calls work in n goroutines, and returns the first error.
func atOnce(n int, work func(i int) error) error {
	var all sync.WaitGroup
	var once sync.Once
	var first error
	for i := range n {
		all.Go(func() {
			if err := work(i); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	all.Wait()
	return first
}
