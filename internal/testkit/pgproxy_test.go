package testkit_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestPostgresProxy: every fault has the effect that is documented, and no other.
func TestPostgresProxy(t *testing.T) {
	pg := testkit.Postgres(t)
	straight := pg.Database(t)
	p := testkit.PostgresProxy(t, straight)
	db, err := sql.Open("pgx", p.URL)
	testkit.Must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	beside, err := sql.Open("pgx", straight)
	testkit.Must(t, err)
	t.Cleanup(func() { _ = beside.Close() })
	_, err = db.Exec("CREATE TABLE x (n BIGINT)")
	testkit.Must(t, err)
	insert := func() error {
		_, err := db.Exec("INSERT INTO x (n) VALUES ($1)", 1)
		return err
	}
	commit := func() error {
		tx, err := db.Begin()
		testkit.Must(t, err)
		_, err = tx.Exec("INSERT INTO x (n) VALUES ($1)", 1)
		testkit.Must(t, err)
		return tx.Commit()
	}
	rows := func(want int) {
		t.Helper()
		n := -1
		testkit.Must(t, beside.QueryRow("SELECT COUNT(*) FROM x").Scan(&n))
		if n != want {
			t.Fatalf("%d rows, want %d", n, want)
		}
	}
	testkit.Must(t, insert()) // the statement is prepared now
	rows(1)

	t.Run("a prepared statement cut before it arrives", func(t *testing.T) {
		cut := p.CutBefore(testkit.Containing("insert into x"))
		if err := insert(); err == nil {
			t.Fatal("it was answered")
		}
		<-cut
		rows(1)
		testkit.Must(t, insert())
		rows(2)
	})
	t.Run("COMMIT cut before it arrives", func(t *testing.T) {
		p.CutBefore(testkit.Commit)
		if err := commit(); err == nil {
			t.Fatal("it was answered")
		}
		rows(2)
	})
	t.Run("the answer of COMMIT is lost", func(t *testing.T) {
		lost := p.LoseAnswer(testkit.Commit)
		if err := commit(); err == nil {
			t.Fatal("it was answered")
		}
		<-lost
		rows(3)
	})
	t.Run("the second of a kind", func(t *testing.T) {
		p.CutBefore(testkit.Nth(2, testkit.Containing("insert into x")))
		testkit.Must(t, insert())
		if err := insert(); err == nil {
			t.Fatal("the second was answered")
		}
		rows(4)
	})
	t.Run("held until released", func(t *testing.T) {
		held, release := p.Hold(testkit.Containing("insert into x"))
		answer := make(chan error, 1)
		go func() { answer <- insert() }()
		<-held
		rows(4)
		select {
		case err := <-answer:
			t.Fatalf("it was answered: %v", err)
		default:
		}
		release()
		testkit.Must(t, <-answer)
		rows(5)
	})
	t.Run("packets vanish", func(t *testing.T) {
		p.Blackhole(true)
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if err := db.PingContext(ctx); ctx.Err() == nil {
			t.Fatalf("an answer instead of silence: %v", err)
		}
		p.Blackhole(false)
		testkit.Eventually(t, "packets flow again", func() bool { return db.Ping() == nil })
	})
	t.Run("down", func(t *testing.T) {
		p.Down(true)
		if err := insert(); err == nil {
			t.Fatal("it was answered")
		}
		p.Down(false)
		testkit.Eventually(t, "up again", func() bool { return db.Ping() == nil })
		rows(5)
	})
}
