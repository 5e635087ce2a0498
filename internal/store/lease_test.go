package store_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver, for a look at the tables themselves

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// open opens a store as the node with a name; the node's lock has the same name.
func open(url, name string) (*store.Store, error) {
	return store.Open(context.Background(),
		store.Options{URL: url, Holder: &store.Holder{Name: name, Lock: name, Log: slog.New(slog.DiscardHandler)}})
}

// mustOpen is open; the store is closed when the test ends.
func mustOpen(t *testing.T, url, name string) *store.Store {
	t.Helper()
	s, err := open(url, name)
	testkit.Must(t, err)
	t.Cleanup(func() { testkit.Must(t, s.Close()) })
	return s
}

func set(s *store.Store, name, value string) error {
	return s.Write(context.Background(), func(tx *store.Tx) error { return tx.SetSetting(name, value) })
}

func setting(t *testing.T, s *store.Store, name string) string {
	t.Helper()
	v, err := s.Read(context.Background()).Setting(name)
	testkit.Must(t, err)
	return v
}

func wantLost(t *testing.T, s *store.Store) {
	t.Helper()
	if err := set(s, "late", "x"); !errors.Is(err, store.ErrLeaseLost) || !fault.Is(err, fault.Unavailable) {
		t.Fatalf("a transaction of an old term: %v", err)
	}
	select {
	case <-s.Lost():
	default:
		t.Fatal("the store does not know that its lease is lost")
	}
}

// withIdle bounds how long the server keeps a transaction whose client is
// silent, so that tests need not wait for the product's own bound.
func withIdle(url string) string { return url + "?idle_in_transaction_session_timeout=1500" }

// TestLease: one store at a time writes into a PostgreSQL database.
func TestLease(t *testing.T) {
	pg := testkit.Postgres(t)

	t.Run("a second one is refused with the first one's name", func(t *testing.T) {
		t.Parallel()
		url := pg.Database(t)
		first := mustOpen(t, url, "first")
		_, err := open(url, "second")
		if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.PublicText(err), "first, since 20") ||
			fault.HintIn(err) == "" {
			t.Fatalf("the second was told %v (hint: %s)", err, fault.HintIn(err))
		}
		t.Logf("the second was told: %s", fault.PublicText(err))
		testkit.Must(t, set(first, "a", "1"))
		looker, err := store.Inspect(context.Background(), store.Options{URL: url})
		testkit.Must(t, err)
		if setting(t, looker, "a") != "1" {
			t.Fatal("looking beside the holder shows something else")
		}
		testkit.Must(t, looker.Close())
	})

	t.Run("a clean stop frees it", func(t *testing.T) {
		t.Parallel()
		url := pg.Database(t)
		for _, name := range []string{"first", "second", "first"} {
			began := time.Now()
			s, err := open(url, name)
			testkit.Must(t, err)
			if took := time.Since(began); took > 5*time.Second {
				t.Fatalf("%s waited for %v", name, took)
			}
			testkit.Must(t, set(s, "a", name))
			testkit.Must(t, s.Close())
		}
	})

	t.Run("two that start together on a new database", func(t *testing.T) {
		t.Parallel()
		for round := range 5 {
			url := pg.Database(t)
			var opened [2]*store.Store
			var failed [2]error
			var start sync.WaitGroup
			for i, name := range []string{"left", "right"} {
				start.Go(func() { opened[i], failed[i] = open(url, name) })
			}
			start.Wait()
			serving := 0
			for i, s := range opened {
				switch {
				case failed[i] == nil:
					serving++
					testkit.Must(t, set(s, "a", "1"))
					testkit.Must(t, s.Close())
				case !fault.Is(failed[i], fault.Conflict):
					t.Fatalf("round %d: %v", round, failed[i])
				}
			}
			if serving != 1 {
				t.Fatalf("round %d: %d serve", round, serving)
			}
		}
	})

	t.Run("stores without a holder that start together on a new database", func(t *testing.T) {
		t.Parallel()
		url := pg.Database(t)
		var start sync.WaitGroup
		for range 4 {
			start.Go(func() {
				s, err := store.Open(context.Background(), store.Options{URL: url})
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(set(s, "a", "1"), s.Close()); err != nil {
					t.Error(err)
				}
			})
		}
		start.Wait()
	})

	t.Run("its own lease is taken over at once, and the older term is refused", func(t *testing.T) {
		t.Parallel()
		url := pg.Database(t)
		old := mustOpen(t, url, "same")
		began := time.Now()
		now := mustOpen(t, url, "same")
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("it waited for %v", took)
		}
		wantLost(t, old)
		testkit.Must(t, set(now, "a", "1"))
	})

	t.Run("the holder notices without writing", func(t *testing.T) {
		t.Parallel()
		url := pg.Database(t)
		old := mustOpen(t, url, "same")
		mustOpen(t, url, "same")
		select {
		case <-old.Lost():
		case <-time.After(20 * time.Second):
			t.Fatal("it did not notice")
		}
	})

	t.Run("a take-over waits for a transaction that is being committed", func(t *testing.T) {
		t.Parallel()
		url := pg.Database(t)
		p := testkit.PostgresProxy(t, url)
		old := mustOpen(t, p.URL, "same")
		held, release := p.Hold(testkit.Commit)
		outcome := make(chan error, 1)
		go func() { outcome <- set(old, "a", "old") }()
		<-held
		taken := make(chan *store.Store, 1)
		go func() {
			s, err := open(url, "same")
			if err != nil {
				t.Error(err)
			}
			taken <- s
		}()
		waiting := func() bool { return locksWanted(t, url) > 0 }
		testkit.Eventually(t, "the new one waits for the old transaction", waiting)
		release()
		testkit.Must(t, <-outcome)
		now := <-taken
		defer now.Close()
		if v := setting(t, now, "a"); v != "old" {
			t.Fatalf("the new one sees %q", v)
		}
		wantLost(t, old)
	})

	t.Run("the expired lease of a node that is cut off is taken over, and its open transaction is gone",
		func(t *testing.T) {
			t.Parallel()
			url := withIdle(pg.Database(t))
			p := testkit.PostgresProxy(t, url)
			old := mustOpen(t, p.URL, "old")
			began := make(chan struct{})
			resume := make(chan struct{})
			outcome := make(chan error, 1)
			go func() {
				outcome <- testkit.Write(context.Background(), old, func(tx *store.Tx) error {
					if err := tx.SetSetting("a", "old"); err != nil {
						return err
					}
					close(began)
					<-resume
					return nil
				})
			}()
			<-began
			p.Blackhole(true)
			start := time.Now()
			now := mustOpen(t, url, "new")
			took := time.Since(start)
			t.Logf("the new one served after %v", took.Round(100*time.Millisecond))
			if took > 25*time.Second {
				t.Fatal("that is too long")
			}
			if v := setting(t, now, "a"); v != "" {
				t.Fatalf("the new one sees %q of an open transaction", v)
			}
			testkit.Must(t, set(now, "b", "new"))
			close(resume)
			err := <-outcome
			if err == nil {
				t.Fatal("the old one's COMMIT was answered")
			}
			t.Logf("the old one was told: %v", err)
			p.Blackhole(false) // what it sent arrives now
			select {
			case <-old.Lost():
			case <-time.After(30 * time.Second):
				t.Fatal("the old one did not notice")
			}
			wantLost(t, old)
			if v := setting(t, now, "a"); v != "" {
				t.Fatalf("the old transaction has taken effect: %q", v)
			}
		})

	t.Run("a pooler's reconnect does not lose it", func(t *testing.T) {
		t.Parallel()
		url := pg.Database(t)
		p := testkit.PostgresProxy(t, url)
		s := mustOpen(t, p.URL, "first")
		for range 3 {
			p.Cut()
			testkit.Eventually(t, "it writes again", func() bool { return set(s, "a", "1") == nil })
		}
		if _, err := open(url, "second"); !fault.Is(err, fault.Conflict) {
			t.Fatalf("a second one: %v", err)
		}
		testkit.Must(t, set(s, "a", "2"))
	})

	t.Run("a database that was away for longer than the lease", func(t *testing.T) {
		t.Parallel()
		url := pg.Database(t)
		p := testkit.PostgresProxy(t, url)
		s := mustOpen(t, p.URL, "first")
		p.Down(true)
		testkit.Eventually(t, "the lease has run out", func() bool {
			err := set(s, "a", "1")
			return strings.Contains(fault.PublicText(err), "cannot store anything now")
		})
		p.Down(false)
		testkit.Eventually(t, "it is renewed, since nobody has taken it", func() bool { return set(s, "a", "2") == nil })
	})
}

// locksWanted counts the waiters for advisory locks in a database.
func locksWanted(t *testing.T, url string) (n int) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	testkit.Must(t, err)
	defer db.Close()
	testkit.Must(t, db.QueryRow(`SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&n))
	return n
}

// TestLeaseSurvivesRestart crashes PostgreSQL under load: the holder keeps the lease.
func TestLeaseSurvivesRestart(t *testing.T) {
	pg := testkit.Postgres(t)
	url := pg.Database(t)
	s := mustOpen(t, url, "first")
	stop := make(chan struct{})
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = set(s, "load", "x") // fails while the database is away
				}
			}
		})
	}
	for range 3 {
		pg.Restart(t)
		testkit.Eventually(t, "it writes again", func() bool { return set(s, "a", "1") == nil })
	}
	close(stop)
	work.Wait()
	select {
	case <-s.Lost():
		t.Fatal("the lease was lost")
	default:
	}
	if _, err := open(url, "second"); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a second one: %v", err)
	}
}

// TestOutcome: the outcome of a failed COMMIT is never guessed. Each fault is compared with what is in
// the database.
func TestOutcome(t *testing.T) {
	pg := testkit.Postgres(t)
	url := pg.Database(t)
	p := testkit.PostgresProxy(t, url)
	s := mustOpen(t, p.URL, "first")
	testkit.Must(t, set(s, "a", "0")) // so that the statements are prepared
	check := func(what string, err error, unknown, stored bool) {
		t.Helper()
		if err == nil || errors.Is(err, store.ErrOutcomeUnknown) != unknown || !fault.Is(err, fault.Unavailable) {
			t.Fatalf("%s: %v", what, err)
		}
		v := ""
		testkit.Eventually(t, "the database answers", func() (ok bool) {
			var readErr error
			v, readErr = s.Read(context.Background()).Setting(what)
			return readErr == nil
		})
		if (v != "") != stored {
			t.Fatalf("%s: stored %q", what, v)
		}
	}
	p.CutBefore(testkit.Containing("insert into settings"))
	check("cut before a statement", set(s, "cut before a statement", "x"), false, false)
	p.LoseAnswer(testkit.Containing("insert into settings"))
	check("a statement's answer lost", set(s, "a statement's answer lost", "x"), false, false)
	p.CutBefore(testkit.Commit)
	check("cut before COMMIT", set(s, "cut before COMMIT", "x"), true, false)
	p.LoseAnswer(testkit.Commit)
	check("COMMIT's answer lost", set(s, "COMMIT's answer lost", "x"), true, true)

	// BEGIN is tried again on another connection.
	p.CutBefore(testkit.Begin)
	testkit.Must(t, set(s, "begin", "x"))
	p.LoseAnswer(testkit.Begin)
	testkit.Must(t, set(s, "begin", "y"))

	// A transaction that goes on after a failed statement is not committed.
	err := testkit.Write(context.Background(), s, func(tx *store.Tx) error {
		_ = tx.SetSetting("ignored", "x")
		_ = tx.AddBlob(store.Blob{ID: "twice", SHA256: []byte{}}, 1, time.UnixMicro(1))
		// the key is taken: the statement fails
		_ = tx.AddBlob(store.Blob{ID: "twice", SHA256: []byte{}}, 1, time.UnixMicro(1))
		return nil
	})
	if err == nil || errors.Is(err, store.ErrOutcomeUnknown) || setting(t, s, "ignored") != "" {
		t.Fatalf("after a failed statement: %v", err)
	}

	// The server refuses COMMIT, because of a deferred constraint.
	db, err := sql.Open("pgx", url)
	testkit.Must(t, err)
	defer db.Close()
	for _, q := range []string{
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$`,
		`CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON settings DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.name = 'refused') EXECUTE FUNCTION refuse()`} {
		_, err := db.Exec(q)
		testkit.Must(t, err)
	}
	check("refused", set(s, "refused", "x"), false, false)
}

// TestSilence drops packets without a TCP reset: no call waits longer than its limit, and everything
// recovers by itself.
func TestSilence(t *testing.T) {
	pg := testkit.Postgres(t)
	url := pg.Database(t)
	p := testkit.PostgresProxy(t, url)
	s := mustOpen(t, p.URL, "first")
	fill := func() { // opens connections until the pool is full
		var work sync.WaitGroup
		for range 24 {
			work.Go(func() { _ = set(s, "a", "1") })
		}
		work.Wait()
	}
	timed := func(what string, limit time.Duration, do func() error) error {
		t.Helper()
		began := time.Now()
		err := do()
		took := time.Since(began)
		t.Logf("%s: %v after %v", what, err, took.Round(100*time.Millisecond))
		if took > limit {
			t.Fatalf("%s took %v", what, took)
		}
		return err
	}
	read := func() error {
		_, err := s.Read(context.Background()).Setting("a")
		return err
	}
	fill()
	p.Blackhole(true)
	for i, limit := range []time.Duration{6 * time.Second, 2 * time.Second, 2 * time.Second} {
		if err := timed("a read", limit, read); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("read %d: %v", i, err)
		}
	}
	err := timed("a transaction", 21*time.Second, func() error { return set(s, "b", "1") })
	if err == nil || errors.Is(err, store.ErrOutcomeUnknown) {
		t.Fatalf("a transaction that could not begin: %v", err)
	}
	p.Blackhole(false)
	testkit.Eventually(t, "it writes again", func() bool { return set(s, "b", "2") == nil })
	_ = timed("a read after the cut", time.Second, read)

	// The cut begins when COMMIT is on its way.
	held, release := p.Hold(testkit.Commit)
	outcome := make(chan error, 1)
	began := time.Now()
	go func() { outcome <- set(s, "c", "1") }()
	<-held
	p.Blackhole(true)
	err = <-outcome
	t.Logf("a COMMIT: %v after %v", err, time.Since(began).Round(100*time.Millisecond))
	if !errors.Is(err, store.ErrOutcomeUnknown) || time.Since(began) > 21*time.Second {
		t.Fatalf("a COMMIT that nothing answers: %v after %v", err, time.Since(began))
	}
	release()
	p.Blackhole(false)

	// Old connections stay dead, although new ones work.
	testkit.Eventually(t, "it writes again", func() bool { return set(s, "d", "1") == nil })
	select {
	case <-s.Lost():
		t.Fatal("the lease was lost, and nobody took it")
	default:
	}
}
