package deposit_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// desk is a desk over a real database and a real folder.
type desk struct {
	*testkit.World
	desk *deposit.Desk
	late chan error
}

func newDesk(t *testing.T, url string) *desk {
	d := &desk{World: testkit.NewWorld(t, url), late: make(chan error, 1)}
	d.OpenBlobs()
	d.desk = deposit.New(d.Store, slog.New(slog.DiscardHandler))
	t.Cleanup(d.desk.Close)
	return d
}

// staged makes a deposit of a text.
func (d *desk) staged(id, text string) deposit.Deposit {
	d.Helper()
	stage, err := d.Blobs.Stage(id)
	d.Must(err)
	d.Cleanup(func() { _ = stage.Close() })
	_, err = stage.WriteAt([]byte(text), 0)
	d.Must(err)
	b := blobOf(id, text)
	return deposit.Deposit{Stage: stage, Blob: b, Late: func(err error) { d.late <- err },
		Record: func(tx *store.Tx, b store.Blob) error { return tx.AddBlob(b, 1, time.UnixMicro(1)) }}
}

func blobOf(id, text string) store.Blob {
	sum := sha256.Sum256([]byte(text))
	return store.Blob{ID: id, Key: blob.Key("owner", id, "", time.Unix(0, 0)), Size: int64(len(text)), SHA256: sum[:]}
}

// wantStored fails unless a deposit's bytes and row are there.
func (d *desk) wantStored(in deposit.Deposit, text string) {
	d.Helper()
	if is, err := d.desk.Look(in.Blob); err != nil || !is {
		d.Fatalf("there is no row: %v", err)
	}
	if got := d.Bytes(in.Blob.Key); got != text {
		d.Fatalf("stored %q", got)
	}
	if err := in.Stage.(blob.Stage).Discard(); !errors.Is(err, blob.ErrSealed) {
		d.Fatalf("stored bytes were discarded: %v", err)
	}
}

// wantStage fails unless a deposit is a stage without a row, and then stores it.
func (d *desk) wantStage(in deposit.Deposit, text string) {
	d.Helper()
	if is, err := d.desk.Look(in.Blob); err != nil || is {
		d.Fatalf("there is a row: %v", err)
	}
	_, err := in.Stage.(blob.Stage).WriteAt([]byte(text), 0)
	d.Must(err)
	in.Blob = blobOf(in.Blob.ID, text)
	d.Must(d.desk.Commit(in))
	d.wantStored(in, text)
}

func TestARefusedDepositIsAStageAgain(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		d := newDesk(t, url)
		in := d.staged("01REFUSED", "text")
		record := in.Record
		in.Record = func(tx *store.Tx, b store.Blob) error {
			if err := record(tx, b); err != nil {
				return err
			}
			return fault.E("test", fault.Quota, "no room")
		}
		testkit.WantKind(t, d.desk.Commit(in), fault.Quota)
		in.Record = record
		d.wantStage(in, "TEXT")
	})
}

func TestALostAnswerIsLookedFor(t *testing.T) {
	p := testkit.PostgresProxy(t, testkit.Postgres(t).Database(t))
	d := newDesk(t, p.URL)
	in := d.staged("01LOST", "text")
	p.LoseAnswer(testkit.Commit)
	testkit.Must(t, d.desk.Commit(in))
	d.wantStored(in, "text")

	in = d.staged("01CUT", "text")
	p.CutBefore(testkit.Commit)
	if err := d.desk.Commit(in); err == nil || errors.Is(err, deposit.ErrUnknown) {
		t.Fatalf("the database never heard of the commit: %v", err)
	}
	d.wantStage(in, "TEXT")
}

// TestADatabaseThatGoesAwayBehindACommit: the answer is lost, and the database is unreachable for
// longer than a caller waits.
func TestADatabaseThatGoesAwayBehindACommit(t *testing.T) {
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		t.Run(name, func(t *testing.T) {
			p := testkit.PostgresProxy(t, testkit.Postgres(t).Database(t))
			d := newDesk(t, p.URL)
			d.desk.Wait(200 * time.Millisecond)
			in := d.staged("01AWAY", "text")
			if committed {
				p.LoseAndStayDown(testkit.Commit)
			} else {
				p.CutAndStayDown(testkit.Commit)
			}
			if err := d.desk.Commit(in); !errors.Is(err, deposit.ErrUnknown) || !fault.Is(err, fault.Unavailable) {
				t.Fatalf("the outcome is %v", err)
			}
			if err := in.Stage.(blob.Stage).Discard(); !errors.Is(err, blob.ErrSealed) {
				t.Fatalf("bytes of unknown outcome were discarded: %v", err)
			}
			p.Down(false)
			err := <-d.late
			if (err == nil) != committed {
				t.Fatalf("late: %v", err)
			}
			if committed {
				d.wantStored(in, "text")
			} else {
				d.wantStage(in, "TEXT")
			}
		})
	}
}

// TestALookWaitsForACommitInFlight: a SELECT on another connection sees no row while COMMIT is in
// flight.
func TestALookWaitsForACommitInFlight(t *testing.T) {
	s, db := testkit.OpenStore(t, testkit.Postgres(t).Database(t))
	d := deposit.New(s, slog.New(slog.DiscardHandler))
	defer d.Close()
	for name, commit := range map[string]bool{"commits": true, "rolls back": false} {
		b := blobOf("01FLIGHT"+name[:1], "text")
		tx, err := db.Begin()
		testkit.Must(t, err)
		_, err = tx.Exec(`INSERT INTO blobs (id, key, size, sha256, refs, state, created_at)
			VALUES ($1, $2, 4, $3, 1, 'live', 1)`, b.ID, b.Key, b.SHA256)
		testkit.Must(t, err)
		seen := make(chan bool, 1)
		go func() {
			is, err := d.Look(b)
			if err != nil {
				t.Error(err)
			}
			seen <- is
		}()
		testkit.Eventually(t, "it waits for the row", func() bool {
			var n int
			testkit.Must(t, db.QueryRow(`SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&n))
			return n > 0
		})
		if commit {
			testkit.Must(t, tx.Commit())
		} else {
			testkit.Must(t, tx.Rollback())
		}
		if is := <-seen; is != commit {
			t.Errorf("it %s, and the look says %v", name, is)
		}
	}
}

// TestAClaimOfTheSweepIsNoRow: the sweep claimed the bytes as an orphan.
func TestAClaimOfTheSweepIsNoRow(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		d := newDesk(t, url)
		in := d.staged("01CLAIM", "text")
		testkit.Must(t, testkit.Write(context.Background(), d.Store, func(tx *store.Tx) error {
			_, err := tx.ClaimOrphan(in.Blob, time.UnixMicro(1))
			return err
		}))
		if is, err := d.desk.Look(in.Blob); err != nil || is {
			t.Fatalf("a claim is taken for a row: %v", err)
		}
		testkit.WantKind(t, d.desk.Commit(in), fault.Exists)
	})
}

func TestLeftoversWithARowAreSettled(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		d := newDesk(t, url)
		stored, half := d.staged("01STORED", "stored"), d.staged("01HALF", "half")
		for _, in := range []*deposit.Deposit{&stored, &half} {
			testkit.Must(t, in.Stage.(blob.Stage).Sync(in.Blob.Size, []byte("note"), in.Blob.Key))
			testkit.Must(t, in.Stage.Commit(in.Blob.Key, in.Blob.Size))
			in.Blob.Body = in.Stage.(blob.Carrier).Carry()
		}
		testkit.Must(t, d.Store.Write(context.Background(), func(tx *store.Tx) error {
			return stored.Record(tx, stored.Blob)
		})) // and the process dies
		left, err := deposit.Leftovers(d.Store, d.Blobs, slog.New(slog.DiscardHandler))
		testkit.Must(t, err)
		if len(left) != 1 || left[0].ID != "01HALF" {
			t.Fatalf("left over: %+v", left)
		}
		d.wantStored(stored, "stored")
		if all, err := d.Blobs.Leftovers(); err != nil || len(all) != 1 {
			t.Fatalf("staging has %+v, %v", all, err)
		}
	})
}
