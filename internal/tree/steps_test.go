package tree_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// run is one run of an operation. There is one user, with a session and two files.
type run struct {
	w    *world
	n    int
	u    model.User
	s    *tree.Session
	left int // number of partials that may exist
}

func (r *run) begin() {
	if r.s != nil {
		r.s.End()
	}
	r.w.Empty()
	r.w.Must(r.w.Blobs.Walk(func(key string, _ int64, _ time.Time) error { return r.w.Blobs.Remove(key) }))
	r.n++
	r.u = r.w.Customer(fmt.Sprintf("u%d", r.n))
	r.s = r.w.login(r.u)
	for _, name := range []string{"/upload/a", "/upload/b"} {
		put(r.w, r.s, name, "the first "+name)
	}
}

func (r *run) check() error {
	return errors.Join(testkit.Books(r.w.DB, r.w.Blobs), testkit.Strays(r.w.DB, r.w.Root, r.left))
}

// end ends the session and describes what the user has then.
func (r *run) end() string {
	r.s.End()
	r.s = r.w.login(r.u)
	var b strings.Builder
	for _, name := range names(r.w, r.s, "/upload") {
		info, err := r.s.Stat("/upload/" + name)
		fmt.Fprintf(&b, "%s: %d bytes, %v\n", name, info.Size, err)
	}
	use, err := r.w.Store.Read(context.Background()).Usage(r.u.ID)
	r.w.Must(err)
	fmt.Fprintf(&b, "%d bytes in %d files\n", use.Bytes, use.Files)
	rows, err := r.w.DB.Query("SELECT state, COUNT(*) FROM drops WHERE user_id = $1 GROUP BY state ORDER BY state", r.u.ID)
	r.w.Must(err)
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int
		r.w.Must(rows.Scan(&state, &n))
		fmt.Fprintf(&b, "%d drops are %s\n", n, state)
	}
	r.w.Must(rows.Err())
	if err := testkit.Strays(r.w.DB, r.w.Root, 0); err != nil {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}

// upload stores a file. With synced, it sends an fsync before the CLOSE.
func (r *run) upload(path, text string, synced bool) error {
	h, err := r.s.Open(path, create, 0)
	if err != nil {
		return err
	}
	err = write(h, text, 0)
	if err == nil && synced {
		_ = wait(h.Sync) // what counts is CLOSE
	}
	return errors.Join(err, closeHandle(h))
}

// changes are the operations on a mailbox. done is the kind of error that a repeated
// operation gets if the first try was stored.
var changes = map[string]struct {
	do   func(r *run) error
	done fault.Kind
}{
	"an upload":       {do: func(r *run) error { return r.upload("/upload/new", "new", false) }},
	"a synced upload": {do: func(r *run) error { return r.upload("/upload/new", "new", true) }},
	"over a file":     {do: func(r *run) error { return r.upload("/upload/a", "newer", false) }},
	"a rename": {do: func(r *run) error { return r.s.Rename("/upload/a", "/upload/c", false) },
		done: fault.NotFound},
	"a rename over": {do: func(r *run) error { return r.s.Rename("/upload/a", "/upload/b", true) },
		done: fault.NotFound},
	"a removal":    {do: func(r *run) error { return r.s.Remove("/upload/a") }, done: fault.NotFound},
	"a new folder": {do: func(r *run) error { return r.s.Mkdir("/upload/d") }, done: fault.Exists},
	"a change of size": {do: func(r *run) error {
		size := int64(4)
		return r.s.Setstat("/upload/a", exchange.Change{Size: &size})
	}},
	"a change in place":  {do: (*run).inPlace},
	"a removed folder":   {do: func(r *run) error { return errors.Join(r.folder(), r.s.Rmdir("/upload/d")) }},
	"out of the staging": {do: (*run).fromStaging},
}

func (r *run) inPlace() error {
	h, err := r.s.Open("/upload/a", update, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(h, "XX", 2), closeHandle(h))
}

// folder makes a folder, unless an earlier try made it.
func (r *run) folder() error {
	if err := r.s.Mkdir("/upload/d"); !fault.Is(err, fault.Exists) {
		return err
	}
	return nil
}

// fromStaging uploads a file to a staging folder and moves it out, so that it is received.
func (r *run) fromStaging() error {
	if _, err := r.s.Stat("/upload/new"); err == nil {
		return nil // an earlier try has done it
	}
	if err := r.upload("/stage/new", "new", false); err != nil {
		return err
	}
	return r.s.Rename("/stage/new", "/upload/new", false)
}

// TestEveryStepOfAMailbox runs each operation with every statement refused once, and with
// the answer of every COMMIT lost once.
func TestEveryStepOfAMailbox(t *testing.T) {
	testkit.OnBothSteps(t, func(t *testing.T, on testkit.Stepped) {
		w := newWorld(t, on.URL)
		w.Asked.Proxy = on.Proxy
		r := &run{w: w, left: 1}
		defer func() {
			if r.s != nil {
				r.s.End()
			}
		}()
		for name, change := range changes {
			t.Run(name, func(t *testing.T) {
				w.TB = t
				t.Logf("%d runs", w.Asked.Steps(t,
					testkit.Operation{Alone: true, Every: 2, From: on.From, Begin: r.begin, Check: r.check, End: r.end,
						Do:   func(context.Context) error { return change.do(r) },
						Done: func(err error) bool { return change.done != 0 && fault.Is(err, change.done) }}))
			})
		}
	})
}
