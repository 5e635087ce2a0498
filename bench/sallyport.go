package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sallyportConfig raises the limits for a single user or address, because here one user is the
// whole load.
const sallyportConfig = `limits:
  half_open: 4096
  half_open_per_address: 4096
  sessions_per_user: 4096
  sessions_per_account: 4096
  sessions_per_address: 4096
  logins_per_hour: 1000000000
  changes_per_hour: 1000000000
retention:
  after_close: 1ms
  require_notice: false
storage:
  quota: 4TiB
  quota_files: 10000000
  account_kept: 100TiB
  account_kept_items: 1000000000
`

// buildSallyport builds the server as for a release.
func buildSallyport(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "./cmd/sallyport")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return runQuiet(cmd)
}

// startSallyport starts Sallyport with its data in dir, and one user.
func (b *bench) startSallyport(ctx context.Context, dir string) (*server, error) {
	return b.startBinary(ctx, b.binary, dir)
}

// startRival starts what Sallyport is compared with: OpenSSH, or the sallyport of -beside.
func (b *bench) startRival(ctx context.Context, dir string) (*server, error) {
	if b.o.beside == "" {
		return b.startOpenSSH(ctx, dir)
	}
	dir = filepath.Join(dir, "beside")
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	s, err := b.startBinary(ctx, b.o.beside, dir)
	if s != nil {
		s.name = "the other Sallyport"
	}
	return s, err
}

func (b *bench) startBinary(ctx context.Context, binary, dir string) (*server, error) {
	data := filepath.Join(dir, "sallyport")
	s, err := b.serveWith(ctx, binary, dir, data)
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"account", "add", "bench", "--name", "Bench"},
		{"user", "add", "--account", "bench"},
		{"key", "add", s.user, b.key + ".pub"},
	} {
		if err := runQuiet(exec.CommandContext(ctx, binary, append(args, "--data", data)...)); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s, nil
}

// serve starts Sallyport on a data folder.
func (b *bench) serve(ctx context.Context, dir, data string) (*server, error) {
	return b.serveWith(ctx, b.binary, dir, data)
}

func (b *bench) serveWith(ctx context.Context, binary, dir, data string) (*server, error) {
	config, text := filepath.Join(dir, "sallyport.yaml"), sallyportConfig
	if b.o.database != "" {
		url, err := b.databaseFor(ctx, data)
		if err != nil {
			return nil, err
		}
		text += "database:\n  url: " + url + "\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{name: ours, user: "bench", port: port, processes: 1}
	cmd := exec.Command(binary, "serve", "--data", data, "--config", config, "--ssh-listen", s.addr())
	if s.process, err = startProcess(cmd, filepath.Join(dir, "sallyport.log"), "sallyport"); err != nil {
		return nil, err
	}
	if err := s.waitUp(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// databaseFor makes a database for a data folder, unless it has one, and returns its URL.
func (b *bench) databaseFor(ctx context.Context, data string) (string, error) {
	u, err := url.Parse(b.o.database)
	if err != nil {
		return "", err
	}
	c, err := pgx.Connect(ctx, b.o.database)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close(ctx) }() // nothing was left undone
	name := fmt.Sprintf("bench_%x", sha256.Sum256([]byte(data)))[:30]
	_, err = c.Exec(ctx, "CREATE DATABASE "+name)
	if there := (*pgconn.PgError)(nil); errors.As(err, &there) && there.Code == "42P04" { // duplicate_database
		err = nil
	}
	u.Path = "/" + name
	return u.String(), err
}

// runQuiet runs a command, and returns its output in the error if it fails.
func runQuiet(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}
