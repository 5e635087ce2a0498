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

// Power records what happens to a folder of blobs, and to the SQLite database
// that speaks of them, and lets the power fail at every step of it.
type Power struct {
	t       testing.TB
	Disk    *disktest.Recorder // for disk.OpenOn, with Blobs
	Blobs   string
	dir     string // of the database
	watch   *sql.Conn
	copy    *sql.DB
	version int64

	copies map[snapshot]*database
	seen   map[string]bool
}

// database is a copy that was opened.
type database struct {
	store *store.Store
	db    *sql.DB
	rows  []row // of the bytes that must be there
}

// snapshot marks that the database has changed: the name of its copy.
type snapshot string

// NewPower records from now on. dir has the database, which is open already.
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

// changed copies the database if a transaction has committed since it was copied
// last. What is on the disk has not changed meanwhile.
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

// Crash is what a power loss left, and a process finds.
type Crash struct {
	T     testing.TB
	What  string // where and how, to find it again
	Disk  *disktest.Recorder
	Blobs string
	Store *store.Store // as it was then; the same for several crashes
	DB    *sql.DB
	Marks []any // what the test had marked
	marks []any // with what Power marked
	rows  []row
	// Fresh gives the crash a copy of the database of its own.
	Fresh func() *store.Store
}

// Fail takes a failure down, with where the power was lost.
func (c *Crash) Fail(format string, args ...any) {
	c.T.Helper()
	c.T.Fatalf("power lost %s: %s", c.What, fmt.Sprintf(format, args...))
}

// Stored fails unless the bytes of every row that lives are there.
func (c *Crash) Stored(blobs blob.Store) {
	c.T.Helper()
	if err := stored(c.rows, blobs); err != nil {
		c.Fail("%v", err)
	}
}

// Covered says how much a run of power losses looked at: steps, different images
// after them, and after a second loss.
type Covered struct{ Steps, Images, Second int }

// Losses is how a run loses the power.
type Losses struct {
	Seed     uint64
	Mixtures int            // at each step, beside the extremes
	Bare     bool           // a file's own sync keeps none of its names
	Second   int            // at every how many images the power is lost again during recovery; 0: never
	Check    func(c *Crash) // starts a process, as which it recovers, and checks what it has
	After    func(c *Crash) // what a client does next, after which no power is lost; may be nil
}

// Each loses the power after every recorded step. Images that are the same, with
// the same database and marks, are looked at once.
func (p *Power) Each(l Losses) (did Covered) {
	p.t.Helper()
	p.Disk.Mark("the end")
	for n := p.Disk.First() + 1; n <= p.Disk.Len(); n++ { // the first event is the database as it was
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

// again loses the power once more, at every step of a recovery.
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

// fresh reports whether an image was not looked at before, with the marks that
// were there.
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

// open opens a copy of the database; crashes share it, as a recovery changes
// nothing in it.
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
