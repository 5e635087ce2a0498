package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"syscall"
	"time"

	_ "modernc.org/sqlite"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// alone starts Sallyport with one user, in a folder of its own.
func alone(b *bench, ctx context.Context, dir string) (*server, error) {
	return b.startNamed(ctx, filepath.Join(dir, "alone"), nil)
}

// crowded starts Sallyport with many users of one key each. The user who logs in has 100 keys.
func crowded(users int) func(*bench, context.Context, string) (*server, error) {
	return func(b *bench, ctx context.Context, dir string) (*server, error) {
		return b.startNamed(ctx, filepath.Join(dir, "crowded"),
			func(data string) error { return fill(filepath.Join(data, "sallyport.db"), users) })
	}
}

// startNamed starts a server with one user. If change is not nil, it stops the server, calls
// change, and starts it again.
func (b *bench) startNamed(ctx context.Context, dir string, change func(data string) error) (*server, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	s, err := b.startSallyport(ctx, dir)
	if err != nil || change == nil {
		return s, err
	}
	s.stop()
	data := filepath.Join(dir, "sallyport")
	if err := change(data); err != nil {
		return nil, err
	}
	return b.serve(ctx, dir, data)
}

// fill writes users and keys directly into a stopped server's database.
func fill(file string, users int) error {
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = tx.Exec(query, args...)
		}
	}
	// Keys are as new as today: old ones would cause notices during the measurement.
	addKey := fmt.Sprintf(`INSERT INTO keys (id, user_id, fingerprint, type, bits, public, comment, origin, created_at)
		VALUES ($1, $2, $3, 'ssh-ed25519', 256, '', '', 'submitted', %d)`,
		time.Now().UnixMicro())
	var bench string
	if err := tx.QueryRow(`SELECT id FROM users WHERE name = 'bench'`).Scan(&bench); err != nil {
		return err
	}
	for i := range 99 {
		exec(addKey, fmt.Sprintf("K%d", i), bench, madeUp(fmt.Sprint("own", i)))
	}
	for i := range users - 1 {
		id, name := fmt.Sprintf("U%024d", i), fmt.Sprintf("user-%06d", i)
		exec(`INSERT INTO accounts (id, name, folded, region, state, created_at) VALUES ($1, $1, $1, '', 'active', 1)`, name)
		exec(`INSERT INTO users (id, name, folded, kind, account_id, enabled, start_dir, allow_ips, created_at)
			VALUES ($1, $2, $2, 'customer', $2, 1, '/', '[]', 1)`, id, name)
		exec(`INSERT INTO mailboxes (user_id, used_bytes, used_files) VALUES ($1, 0, 0)`, id)
		exec(addKey, "X"+id, id, madeUp(name))
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// madeUp returns a fingerprint that no key has.
func madeUp(of string) string {
	sum := sha256.Sum256([]byte(of))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// recordPart is the measure of a log-in's records: their share of the log-in's processor time.
const recordPart = "part of CPU"

// recordShare measures log-ins. Then it measures, in this process, the cost of writing the records
// of a log-in, with the server's service, batches and database.
func recordShare(during time.Duration) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, round int) (sample, error) {
		logins, err := manyLogins(during, loginsAtOnce)(ctx, b, s, round)
		if err != nil {
			return nil, err
		}
		each, err := recordCost(ctx, filepath.Join(b.work, fmt.Sprintf("records-%d-%s", round, s.addr())))
		return sample{recordPart: each.Seconds() * 1000 / logins[cpuPerLogin]}, err
	}
}

// recordCost returns the processor time for the two records of one log-in.
func recordCost(ctx context.Context, dir string) (time.Duration, error) {
	if err := makeDir(dir); err != nil {
		return 0, err
	}
	st, err := store.Open(ctx, store.Options{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer st.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	service := connection.New(ctx,
		connection.Options{Store: st, Clock: time.Now, IDs: exchange.NewIDs(time.Now, rand.Reader),
			Log: slog.New(slog.DiscardHandler), Policy: connection.Policy{KeepFor: time.Hour, KeepFailed: 1000, KeepSeen: 1000}})
	const records = 1500 // about as many as in a second of log-ins, and few enough for the queue
	before := ownCPU()
	for i := range records {
		r := connection.Record{From: netip.MustParseAddr("192.0.2.1"),
			Connection: model.Connection{Reference: fmt.Sprint("r", i), At: time.Now(), Address: "192.0.2.1", User: "bench",
				Client: "SSH-2.0-bench", Algorithms: "mlkem768x25519-sha256 ssh-ed25519 aes128-gcm@openssh.com AEAD ssh-ed25519",
				Offered: []string{madeUp("own")},
				Methods: []string{"none", "publickey"}, Outcome: model.ReasonOK, LoggedIn: true, Fingerprint: madeUp("own"),
				Session: fmt.Sprint("s", i), UserID: "u", KeyID: "k"}}
		service.Note(r)
		now := time.Now()
		r.EndedAt = &now
		service.Note(r)
	}
	stop()
	service.Wait()
	return (ownCPU() - before) / records, nil
}

// ownCPU returns this process's processor time so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
