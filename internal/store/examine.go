package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// wrongs is how many complaints of a check are returned at most.
const wrongs = 10

// Examined returns what is wrong with the database; nothing if it is well. SQLite checks its pages and references
// (deep: each index, too, which reads all of it). PostgreSQL is asked whether it keeps what it has committed.
func (s *Store) Examined(ctx context.Context, deep bool) ([]string, error) {
	if !s.dialect.single {
		return s.settingsThatLose(ctx)
	}
	check := "PRAGMA quick_check(10)"
	if deep {
		check = "PRAGMA integrity_check(10)"
	}
	q := s.Read(ctx)
	says, err := collect(q, "Examined", scanString, check)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, line := range says {
		if line != "ok" {
			out = append(out, line)
		}
	}
	broken, err := collect(q, "Examined", func(r *sql.Rows) (line string, err error) {
		var child, parent string
		var row, key any
		err = r.Scan(&child, &row, &parent, &key)
		return fmt.Sprintf("a row of %s refers to a row of %s that is not there", child, parent), err
	}, "PRAGMA foreign_key_check")
	return append(out, broken[:min(len(broken), wrongs)]...), err
}

// settingsThatLose lists settings of PostgreSQL with which a commit may be lost.
func (s *Store) settingsThatLose(ctx context.Context) (out []string, err error) {
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		if err := s.read.QueryRowContext(ctx, "SELECT current_setting('"+name+"')").Scan(&value); err != nil {
			return nil, err
		}
		if strings.EqualFold(value, "off") {
			out = append(out, "PostgreSQL's "+name+" is off: what was committed may be lost")
		}
	}
	return out, nil
}

// Clock returns the time of the database's machine; zero if that is this machine.
func (s *Store) Clock(ctx context.Context) (at time.Time, err error) {
	if s.dialect.single {
		return at, nil
	}
	err = s.read.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&at)
	return at, err
}

// LiveBlobs lists up to limit blobs that something refers to, with ids after one, in their order.
func (q *Q) LiveBlobs(after string, limit int) ([]Blob, error) {
	return collect(q, "LiveBlobs", func(r *sql.Rows) (b Blob, err error) {
		err = r.Scan(&b.ID, &b.Key, &b.Size, &b.SHA256, &b.Owner, &b.Inline)
		return b, err
	}, `SELECT id, key, size, sha256, owner, body IS NOT NULL FROM blobs WHERE state = 'live' AND id > $1
		ORDER BY id LIMIT $2`, after, limit)
}

// CountLive returns the number of blobs that something refers to, and their bytes.
func (q *Q) CountLive() (count, bytes int64, err error) {
	err = q.scanOne("CountLive", `SELECT COUNT(*), COALESCE(SUM(size), 0) FROM blobs WHERE state = 'live'`, nil, &count,
		&bytes)
	return count, bytes, err
}
