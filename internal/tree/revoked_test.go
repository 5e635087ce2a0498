package tree_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestNothingIsChangedAfterARevocationIsAnswered makes each kind of change wait for a lock
// that another transaction holds, as a fan-out or another upload would. Meanwhile the login
// is revoked. After the revocation is answered, nothing may be changed any more.
func TestNothingIsChangedAfterARevocationIsAnswered(t *testing.T) {
	w := newWorld(t, testkit.Postgres(t).Database(t))
	mtime := time.Unix(1_000_000_000, 0)
	for name, change := range map[string]func(s *tree.Session, h *tree.Handle) error{
		"store": func(_ *tree.Session, h *tree.Handle) error { return wait(h.Close) },
		"rename": func(s *tree.Session,
			_ *tree.Handle) error {
			return s.Rename("/upload/old", "/upload/new", false)
		},
		"rename over": func(s *tree.Session,
			_ *tree.Handle) error {
			return s.Rename("/upload/old", "/upload/older", true)
		},
		"rename folder": func(s *tree.Session,
			_ *tree.Handle) error {
			return s.Rename("/upload/dir", "/upload/new", false)
		},
		"remove":          func(s *tree.Session, _ *tree.Handle) error { return s.Remove("/upload/old") },
		"make a folder":   func(s *tree.Session, _ *tree.Handle) error { return s.Mkdir("/upload/new") },
		"remove a folder": func(s *tree.Session, _ *tree.Handle) error { return s.Rmdir("/upload/dir") },
		"set a time": func(s *tree.Session, _ *tree.Handle) error {
			return s.Setstat("/upload/old", exchange.Change{Mtime: &mtime})
		},
		"cut": func(s *tree.Session, _ *tree.Handle) error {
			return s.Setstat("/upload/old", exchange.Change{Size: new(int64)})
		},
		"store by a name": func(s *tree.Session,
			_ *tree.Handle) error {
			return s.Store("/upload/old", strings.NewReader("new"))
		},
		"cut to something": func(s *tree.Session, _ *tree.Handle) error {
			return s.Setstat("/upload/older", exchange.Change{Size: new(int64(2))})
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := w.Customer(strings.ToLower(w.IDs.New()))
			s := w.login(u)
			defer s.End()
			put(t, s, "/upload/old", "old")
			put(t, s, "/upload/older", "older")
			must(t, s.Mkdir("/upload/dir"))
			h := open(t, s, "/upload/stolen", create)
			must(t, write(h, "a stolen key writes this", 0))
			rows := w.audited(u)

			held, release, other := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				other <- testkit.Write(context.Background(), w.Store, func(tx *store.Tx) error {
					if _, err := tx.LockMailbox(u.ID); err != nil {
						return err
					}
					dirs, err := tx.Walk(u.ID, []string{"upload"})
					if err != nil {
						return err
					}
					f, err := tx.File(dirs[1].ID, "old")
					if err != nil {
						return err
					}
					err = tx.SetFileTimes(u.ID, f.DirID, f.Name, f.Mtime, f.Mode) // holds the file's row
					close(held)
					<-release
					return err
				})
			}()
			<-held
			changed := make(chan error, 1)
			go func() { changed <- change(s, h) }()
			testkit.Eventually(t, "the change waits", func() bool { return w.waiting() > 0 })
			must(t, testkit.Write(context.Background(), w.Store, func(tx *store.Tx) error {
				return tx.Revoke(store.Revocation{UserID: u.ID, Reason: "laptop lost"}, w.Clock())
			}))
			close(release)
			must(t, <-other)
			if err := <-changed; !fault.Is(err, fault.Denied) {
				t.Errorf("after the revocation was answered: %v", err)
			}
			if now := w.audited(u); now != rows {
				t.Errorf("%d changes were made after the revocation was answered", now-rows)
			}
		})
	}
}

// audited returns the number of a user's audit rows.
func (w *world) audited(u model.User) int {
	w.Helper()
	rows, err := w.Store.Read(context.Background()).AuditOf(u.ID, "", 1000)
	w.Must(err)
	return len(rows)
}

// waiting returns how many connections wait for a lock in PostgreSQL.
func (w *world) waiting() (n int) {
	w.Helper()
	w.Must(w.Store.Jobs().QueryRow(`SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
		AND datname = current_database()`).Scan(&n))
	return n
}
