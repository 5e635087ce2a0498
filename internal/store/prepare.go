package store

import (
	"context"
	"fmt"
)

// Advisory locks, all of them held by transactions, never by sessions: a
// pooler may give each transaction another session. The numbers are arbitrary.
const (
	migrationLock = 7_214_060_001 // held while the schema is brought up to date
	fenceLock     = 7_214_060_002 // shared by each transaction, exclusive for a take-over
)

// prepare takes the lease and brings the schema up to date. Processes that
// start together take turns: on a new database, both would migrate.
func (s *Store) prepare(ctx context.Context) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	const begin = `begin; set local statement_timeout = '60s'; set local idle_in_transaction_session_timeout = '10min';
		select pg_advisory_xact_lock(%d)`
	if _, err := exec(ctx, conn, fmt.Sprintf(begin, migrationLock)); err != nil {
		return fmt.Errorf("wait for another process that brings the schema up to date: %w", err)
	}
	defer func() { _, _ = exec(context.WithoutCancel(ctx), conn, "rollback") }() // it only held the lock
	known := false
	if err := conn.QueryRowContext(ctx, `SELECT to_regclass('lease') IS NOT NULL`).Scan(&known); err != nil {
		return err
	}
	take := s.lease.acquire
	if s.lease == nil {
		take = func(context.Context) error { return nil }
	}
	if known { // the schema must not change while another holder is alive
		if err := take(ctx); err != nil {
			return err
		}
	}
	if err := migrate(ctx, s.write, s.dialect); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if !known {
		return take(ctx)
	}
	return nil
}
