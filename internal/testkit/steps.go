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

// Operation is an operation that Steps disturbs. A caller that gets an error asks for it again.
type Operation struct {
	Begin func()                          // resets what the operation works on, before each run
	Do    func(ctx context.Context) error // the operation; it is repeated after an error
	// Done reports whether an error of the repeated operation means that the first try was stored.
	// Nil: the repeated operation must succeed.
	Done  func(err error) bool
	Alone bool // the operation does not use the caller's context
	// Besides COMMITs, only each Every-th statement is disturbed, starting with number From. 0
	// means each.
	Every, From int
	Check       func() error  // checks consistency, after each try
	End         func() string // returns the end state, which must not depend on the disturbance
}

// Stepped is the database for a run of Steps.
type Stepped struct {
	URL   string // for the store
	From  int    // for Operation.From: the two databases disturb different statements
	Proxy *Proxy // for Statements.Proxy; nil on SQLite
}

// OnBothSteps is OnBoth for runs of Steps. PostgreSQL is behind a proxy, and does not sync to disk.
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
	refused   = "refused is"             // it is not run; the caller gets an error
	ended     = "its context ends at"    // the context ends before it is run
	unheard   = "unheard is"             // it is run; the caller gets an error
	cutOff    = "the connection ends at" // the connection ends before it arrives
	cutBehind = "no answer comes to"     // it is run; the connection ends before the answer
)

// Steps runs an operation undisturbed. Then it runs it again for each of its statements and each
// way to disturb that; each COMMIT is disturbed in all ways. After each try, Check must succeed.
// After the repetition, the end state must be that of the undisturbed run. Steps returns the number
// of disturbed runs. Unless all tests are to run, it disturbs only a quarter of the other
// statements.
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

// ways returns the ways to disturb the ith statement of an operation.
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

// Strays fails if the folder of blobs has files that nothing refers to: final names without a row,
// or more than underWay stages. If uploads are under way, a file with two names counts as a stage
// that already has its final name.
func Strays(db *sql.DB, root string, underWay int) error {
	stages := 0
	return filepath.WalkDir(root, func(full string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a paused upload has given up its final name
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

// second reports whether a file has more than one name.
func second(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && st.Nlink > 1
}
