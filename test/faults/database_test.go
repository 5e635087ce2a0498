package faults

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	_ "modernc.org/sqlite" // the driver, for a second connection

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestDatabaseLocked holds SQLite's lock while a client works: what is live
// waits or fails clearly, and goes on by itself.
func TestDatabaseLocked(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, "")
	key := s.user("acme")
	c := s.mustSFTP("acme", key)
	if err := put(c, "/upload/before", []byte("x")); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "sallyport.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 1)
	go func() { outcome <- put(c, "/upload/during", []byte("y")) }()
	select {
	case err := <-outcome:
		t.Fatalf("a commit got past the lock: %v", err)
	case <-time.After(300 * time.Millisecond): // it is a wait that is looked for here
	}
	if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; err != nil {
		t.Fatalf("after the lock was gone: %v", err)
	}
	if got, err := get(c, "/upload/during"); err != nil || string(got) != "y" {
		t.Fatalf("%q, %v", got, err)
	}
	s.term()
}

// TestPostgresRestarted crashes PostgreSQL in the middle of commits: what was
// acknowledged is there, what was not is absent or whole, and log-ins and
// uploads recover without a restart of ours.
func TestPostgresRestarted(t *testing.T) {
	pg := testkit.Postgres(t)
	s := start(t, filepath.Join(t.TempDir(), "data"), "database: {url: \""+pg.Database(t)+"\"}\n")
	key := s.user("acme")
	l := &ledger{sent: map[string][]byte{}, acked: map[string]bool{}}
	var work sync.WaitGroup
	for round := range 3 {
		l.round, l.after, l.enough = round, 20, make(chan struct{})
		stop := make(chan struct{})
		for i := range uploaders {
			work.Go(func() { l.keepUploading(s, key, i, stop) })
		}
		<-l.enough
		pg.Restart(t)
		testkit.Eventually(t, "uploads work again", func() bool {
			c, err := s.sftp("acme", key)
			if err != nil {
				return false
			}
			defer c.Close()
			return put(c, fmt.Sprintf("/upload/back%d.tmp", round), []byte("x")) == nil
		})
		close(stop)
		work.Wait()
		l.check(t, s, key)
	}
	t.Logf("%d uploads begun, %d acknowledged, all whole and listed", len(l.sent), len(l.acked))
	s.term()
}

// keepUploading goes on through failures until told to stop.
func (l *ledger) keepUploading(s *server, key ssh.Signer, worker int, stop chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		c, err := s.sftp("acme", key)
		for i := 0; err == nil; i++ {
			select {
			case <-stop:
				_ = c.Close()
				return
			default:
			}
			p := fmt.Sprintf("/upload/r%d-w%d-%d-%d", l.round, worker, n, i)
			content := bytes.Repeat([]byte(p), 100)
			l.begin(p, content)
			if err = put(c, p, content); err == nil {
				l.ack(p)
			}
		}
		if c != nil {
			_ = c.Close()
		}
	}
}
