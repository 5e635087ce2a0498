package testkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Operation is one that a caller asks for, and asks for again if it is told that
// it failed.
type Operation struct {
	Begin func()                          // makes what the operation works on, anew for each run
	Do    func(ctx context.Context) error // the operation; a caller repeats it after an error
	// Done are kinds of refusals that tell a caller who repeats it that the first
	// try was stored; nil: the repeated operation succeeds.
	Done  func(err error) bool
	Alone bool // no context of a caller's reaches it
	// Beside COMMITs, only each Every-th statement is taken, from number From on; 0:
	// each.
	Every, From int
	Check       func() error  // the books, after each try
	End         func() string // the end state, the same whatever happened on the way
}

// Stepped is a database for runs of Steps.
type Stepped struct {
	URL   string // for the store
	From  int    // for Operation.From: the two databases share the statements of an operation
	Proxy *Proxy // for Statements.Proxy; nil on SQLite
}

// OnBothSteps is OnBoth for runs of Steps. PostgreSQL is behind a proxy, and waits
// for no disk.
func OnBothSteps(t *testing.T, run func(t *testing.T, on Stepped)) {
	OnBoth(t, func(t *testing.T, url string) {
		if url == "" {
			run(t, Stepped{})
			return
		}
		p := PostgresProxy(t, url+"?synchronous_commit=off")
		run(t, Stepped{URL: p.URL, From: 1, Proxy: p})
	})
}

// The ways to disturb a statement.
const (
	refused   = "refused is"             // an error takes its place
	ended     = "its context ends at"    // before it is run
	unheard   = "unheard is"             // it ran, and an error takes its answer's place
	cutOff    = "the connection ends at" // before it arrives
	cutBehind = "no answer comes to"     // it ran, and the connection ends
)

// Steps runs an operation undisturbed, and then once for each statement that it
// had and each way to disturb it. COMMIT is disturbed in all ways. After each try
// the books are right, and after the repeated one the end is that of the run that
// nothing disturbed. It returns how many runs there were. Unless all tests are asked
// for, a quarter of the statements is taken.
func (s *Statements) Steps(t *testing.T, o Operation) (runs int) {
	t.Helper()
	o.Begin()
	s.Watch(func(int, string, bool) error { return nil })
	err := o.Do(context.Background())
	texts := s.Stop()
	if err != nil || len(texts) == 0 {
		t.Fatalf("undisturbed, with %d statements: %v", len(texts), err)
	}
	if err := o.Check(); err != nil {
		t.Fatalf("undisturbed: %v", err)
	}
	want := o.End()
	every := max(o.Every, 1)
	if !Everything() {
		every *= 4
		t.Logf("left out: three statements of four; make test disturbs all")
	}
	for i, text := range texts {
		commit := text == "COMMIT"
		if !commit && every > 1 && i%every != o.From {
			continue
		}
		for _, h := range s.ways(o, i, commit) {
			runs++
			s.step(t, o, i+1, h, fmt.Sprintf("%s statement %d of %d, %.60q", h, i+1, len(texts),
				strings.Join(strings.Fields(text), " ")), want)
		}
	}
	return runs
}

// ways are those to disturb the ith statement of an operation.
func (s *Statements) ways(o Operation, i int, commit bool) []string {
	how := []string{refused}
	if !o.Alone {
		how = append(how, ended)
	}
	switch {
	case commit && s.Proxy != nil:
		how = append(how, unheard, cutOff, cutBehind)
	case commit:
		how = append(how, unheard)
	case s.Proxy != nil:
		how = append(how, []string{cutOff, cutBehind}[i/max(o.Every, 1)%2])
	}
	return how
}

func (s *Statements) step(t *testing.T, o Operation, at int, how, what, want string) {
	t.Helper()
	o.Begin()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := false
	s.Watch(func(n int, _ string, ran bool) error {
		if done || n != at || ran != (how == unheard) {
			return nil
		}
		done = true
		switch how {
		case ended:
			cancel()
		case cutOff:
			s.Proxy.CutBefore(Next)
		case cutBehind:
			s.Proxy.LoseAnswer(Next)
		default:
			return ErrStatement
		}
		return nil
	})
	first := o.Do(ctx)
	s.Stop()
	if s.Proxy != nil {
		s.Proxy.Clear()
	}
	if !done {
		t.Fatalf("%s: it was not reached", what)
	}
	if err := o.Check(); err != nil {
		t.Fatalf("%s, answered with %v: %v", what, first, err)
	}
	if first != nil {
		err := o.Do(context.Background())
		if err != nil && (o.Done == nil || !o.Done(err)) {
			t.Fatalf("%s, answered with %v: then again: %v", what, first, err)
		}
		if err := o.Check(); err != nil {
			t.Fatalf("%s, answered with %v, and again: %v", what, first, err)
		}
	}
	if got := o.End(); got != want {
		t.Fatalf("%s, answered with %v: in the end there is\n%s\nwant\n%s", what, first, got, want)
	}
}

// Strays fails if files below a folder of blobs are there that nobody speaks of:
// final names that have no row, and stages, but for as many as are under way. The
// final name that such a stage was given already is its own.
func Strays(db *sql.DB, root string, underWay int) error {
	stages := 0
	return filepath.WalkDir(root, func(full string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a partial that rests has given its final name back
		}
		if err != nil || e.IsDir() {
			return err
		}
		path, err := filepath.Rel(root, full)
		if err != nil || strings.HasSuffix(path, ".note") {
			return err
		}
		if second(full) && underWay > 0 {
			return nil
		}
		if filepath.Dir(path) == "staging" {
			if stages++; stages > underWay {
				return fmt.Errorf("the stage %s is left", path)
			}
			return nil
		}
		var n int
		err = db.QueryRow("SELECT COUNT(*) FROM blobs WHERE key = $1", path).Scan(&n)
		if _, gone := os.Lstat(full); err == nil && n == 0 && errors.Is(gone, fs.ErrNotExist) {
			return nil
		}
		if err != nil || n != 1 {
			return fmt.Errorf("%s has %d rows, %v", path, n, err)
		}
		return nil
	})
}

// second reports whether a file has another name.
func second(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && st.Nlink > 1
}
