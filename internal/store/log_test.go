package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// TestTheLogSurvivesWhateverIsWritten writes transactions of every size, which are committed or rolled back, over the
// connection that keeps the log's frames in memory, and beside it over one that does not. What was committed must be
// there, and the file sound, for a reader beside, and for a process that comes later.
func TestTheLogSurvivesWhateverIsWritten(t *testing.T) {
	dir := t.TempDir()
	ctx, undo := context.Background(), errors.New("undo")
	s := openPages(t, dir)
	odds := rand.New(rand.NewPCG(1, 2))
	want := map[string]int64{}
	for i := range 300 {
		rows, size := 1+odds.IntN(4), 1+odds.IntN(8<<10)
		if i%25 == 0 {
			rows, size = 30, 1<<20 // more than the cache of pages has room for
		}
		switch odds.IntN(4) {
		case 0: // the other connection
			if _, err := s.Jobs().Exec(`INSERT INTO pages (by, bytes) VALUES ('job', $1)`, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			want["job"] += int64(size)
		case 1: // rolled back
			if err := s.Write(ctx, insertPages(rows, size, undo)); !errors.Is(err, undo) {
				t.Fatal(err)
			}
		default:
			if err := s.Write(ctx, insertPages(rows, size, nil)); err != nil {
				t.Fatal(err)
			}
			want["writer"] += int64(rows * size)
		}
		if i%20 == 0 {
			checkPages(t, s.read, want)
		}
	}
	for range 5 { // what a rolled-back transaction has written gives way to what another connection commits
		if err := s.Write(ctx, insertPages(15, 1<<20, undo)); !errors.Is(err, undo) {
			t.Fatal(err)
		}
		if _, err := s.Jobs().Exec(`INSERT INTO pages (by, bytes) VALUES ('job', $1)`, make([]byte, 20<<20)); err != nil {
			t.Fatal(err)
		}
		if err := s.Write(ctx, insertPages(1, 100, nil)); err != nil {
			t.Fatal(err)
		}
		want["job"], want["writer"] = want["job"]+(20<<20), want["writer"]+100
		checkPages(t, s.read, want)
	}
	checkLater(t, s, dir, want)
}

func insertPages(rows, size int, end error) func(tx *Tx) error {
	return func(tx *Tx) error {
		for i := range rows {
			if _, err := tx.book("test", `INSERT INTO pages (by, bytes) VALUES ('writer', $1)`, make([]byte, size)); err != nil {
				return fmt.Errorf("row %d: %w", i, err)
			}
		}
		return end
	}
}

// checkPages compares what a reader finds with what was committed.
func checkPages(t *testing.T, db *sql.DB, want map[string]int64) {
	t.Helper()
	for by, sum := range want {
		var got int64
		if err := db.QueryRow(`SELECT SUM(LENGTH(bytes)) FROM pages WHERE by = $1`, by).Scan(&got); err != nil || got != sum {
			t.Fatalf("%s has %d bytes, want %d: %v", by, got, sum, err)
		}
	}
}

// openPages opens a store with a table of pages.
func openPages(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	const table = `CREATE TABLE pages (id INTEGER PRIMARY KEY, by TEXT NOT NULL, bytes BYTEA NOT NULL)`
	if _, err := s.Jobs().Exec(table); err != nil {
		t.Fatal(err)
	}
	return s
}

// checkLater closes a store, and looks at its file as a process does that comes later.
func checkLater(t *testing.T, s *Store, dir string, want map[string]int64) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := openSQLite(filepath.Join(dir, "sallyport.db"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	checkPages(t, db, want)
	var says string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&says); err != nil || says != "ok" {
		t.Fatalf("the file is damaged: %s, %v", says, err)
	}
}
