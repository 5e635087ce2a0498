package testkit

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk/disktest"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Power records every change to a folder of blobs, and copies the SQLite database that refers to
// them. It then simulates a power loss after every step.
type Power struct {
	t       testing.TB
	Disk    *disktest.Recorder // for disk.OpenOn, with Blobs
	Blobs   string
	dir     string // folder of the database
	watch   *sql.Conn
	copy    *sql.DB
	version int64

	copies map[snapshot]*database
	seen   map[string]bool
}

// database is an opened copy of the database.
type database struct {
	store *store.Store
	db    *sql.DB
	rows  []row // rows of the blobs whose bytes must exist
}

// snapshot is the path of a copy of the database. As a mark it says that the database has changed.
type snapshot string

// NewPower starts recording. dir contains the database, which must be open already.
func NewPower(t testing.TB, dir string) *Power {
	t.Helper()
	top := t.TempDir()
	p := &Power{t: t, Blobs: filepath.Join(top, "blobs"), dir: dir, copies: map[snapshot]*database{},
		seen: map[string]bool{}}
	var err error
	p.Disk, err = disktest.Record(top)
	Must(t, err)
	source := "file:" + filepath.Join(dir, "sallyport.db") + "?_pragma=busy_timeout(5000)"
	p.copy, err = sql.Open("sqlite", source)
	Must(t, err)
	p.watch, err = p.copy.Conn(context.Background())
	Must(t, err)
	p.Disk.Before = p.changed
	p.Disk.Mark("the beginning")
	t.Cleanup(func() {
		for _, c := range p.copies {
			Must(t, c.db.Close())
			Must(t, c.store.Close())
		}
		Must(t, p.watch.Close())
		Must(t, p.copy.Close())
	})
	return p
}

// changed copies the database if a transaction has committed since the last copy. The disk does not
// change meanwhile. It returns the copy's snapshot, or nil.
func (p *Power) changed() any {
	var version int64
	if err := p.watch.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&version); err != nil {
		p.t.Error(err)
		return nil
	}
	if version == p.version {
		return nil
	}
	p.version = version
	name := snapshot(filepath.Join(p.t.TempDir(), "sallyport.db"))
	if _, err := p.copy.ExecContext(context.Background(), "VACUUM INTO ?", string(name)); err != nil {
		p.t.Error(err)
	}
	return name
}

// Crash is the state after a power loss, as the next process finds it.
type Crash struct {
	T     testing.TB
	What  string // where and how the power was lost, to reproduce it
	Disk  *disktest.Recorder
	Blobs string
	Store *store.Store // the database at that time; several crashes may share it
	DB    *sql.DB
	Marks []any // the test's marks before the loss
	marks []any // those, and Power's
	rows  []row
	// Fresh opens a copy of the database that no other crash uses.
	Fresh func() *store.Store
}

// Fail fails the test, and says where the power was lost.
func (c *Crash) Fail(format string, args ...any) {
	c.T.Helper()
	c.T.Fatalf("power lost %s: %s", c.What, fmt.Sprintf(format, args...))
}

// Stored fails unless the bytes of every live blob row exist.
func (c *Crash) Stored(blobs blob.Store) {
	c.T.Helper()
	if err := stored(c.rows, blobs); err != nil {
		c.Fail("%v", err)
	}
}

// Covered counts what a run has checked: steps, different images after the first loss, and after a
// second one.
type Covered struct{ Steps, Images, Second int }

// Losses says how a run loses the power.
type Losses struct {
	Seed     uint64
	Mixtures int            // random images at each step, besides the extreme ones
	Bare     bool           // syncing a file does not make its own names durable
	Second   int            // for every how many images a second loss during recovery is tried; 0: never
	Check    func(c *Crash) // recovers as a new process does, and checks the result
	After    func(c *Crash) // what a client does next, without a power loss; may be nil
}

// Each loses the power after every recorded step, and checks the images that result. Equal images
// with the same number of marks are checked once.
func (p *Power) Each(l Losses) (did Covered) {
	p.t.Helper()
	p.Disk.Mark("the end")
	for n := p.Disk.First() + 1; n <= p.Disk.Len(); n++ { // the first event is the initial database
		did.Steps++
		for _, loss := range disktest.Losses(l.Seed, l.Mixtures, n) {
			loss.OwnNames = !l.Bare
			image := p.Disk.Replay(n, loss)
			marks := p.Disk.Marks(n)
			what := fmt.Sprintf("after step %d of %d, %s survives", n, p.Disk.Len(), loss.Name)
			if !p.fresh(image, marks) {
				continue
			}
			did.Images++
			c := p.crash(image, marks, what)
			l.Check(c)
			if l.Second > 0 && did.Images%l.Second == 0 {
				did.Second += p.again(l, c)
			}
			if l.After != nil {
				l.After(c)
			}
			_ = os.RemoveAll(filepath.Dir(c.Blobs))
		}
	}
	return did
}

// again loses the power a second time, after every step of a recovery.
func (p *Power) again(l Losses, first *Crash) (images int) {
	rec := first.Disk
	for n := rec.First(); n <= rec.Len(); n++ {
		for _, loss := range disktest.Losses(l.Seed, 1, n) {
			loss.OwnNames = !l.Bare
			image := rec.Replay(n, loss)
			if !p.fresh(image, first.marks) {
				continue
			}
			images++
			c := p.crash(image, first.marks,
				first.What+fmt.Sprintf(", and again after step %d of its recovery, %s survives", n, loss.Name))
			l.Check(c)
			if l.After != nil {
				l.After(c)
			}
			_ = os.RemoveAll(filepath.Dir(c.Blobs))
		}
	}
	return images
}

// fresh reports whether an image with as many marks is new.
func (p *Power) fresh(image *disktest.Image, marks []any) bool {
	key := fmt.Sprint(image.Sum(), len(marks))
	known := p.seen[key]
	p.seen[key] = true
	return !known
}

func (p *Power) crash(image *disktest.Image, marks []any, what string) *Crash {
	p.t.Helper()
	top, err := os.MkdirTemp(p.dir, "crash-")
	Must(p.t, err)
	Must(p.t, image.Write(top))
	rec, err := disktest.Record(top)
	Must(p.t, err)
	rec.NoAttrs = p.Disk.NoAttrs
	c := &Crash{T: p.t, What: what, Disk: rec, Blobs: filepath.Join(top, "blobs")}
	var last snapshot
	for _, m := range marks {
		if s, ok := m.(snapshot); ok {
			last = s
		} else {
			c.Marks = append(c.Marks, m)
		}
	}
	d := p.open(last)
	c.Store, c.DB, c.marks, c.rows = d.store, d.db, marks, d.rows
	c.Fresh = func() *store.Store {
		dir, err := os.MkdirTemp(top, "database-")
		Must(p.t, err)
		Must(p.t, os.WriteFile(filepath.Join(dir, "sallyport.db"), MustRead(p.t, string(last)), 0o600))
		s, err := store.Open(context.Background(), store.Options{Dir: dir})
		Must(p.t, err)
		return s
	}
	return c
}

// open opens a copy of the database. Crashes share it, because a recovery does not change it.
func (p *Power) open(name snapshot) *database {
	p.t.Helper()
	if d := p.copies[name]; d != nil {
		return d
	}
	s, err := store.Open(context.Background(), store.Options{Dir: filepath.Dir(string(name))})
	Must(p.t, err)
	db, err := sql.Open("sqlite", "file:"+string(name)+"?_pragma=busy_timeout(5000)")
	Must(p.t, err)
	rows, err := booksOf(db)
	Must(p.t, err)
	p.copies[name] = &database{s, db, rows}
	return p.copies[name]
}
