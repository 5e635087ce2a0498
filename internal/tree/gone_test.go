package tree_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/tree"
)

// TestAFolderIsRemovedMeanwhile: a folder is removed by one session while another, which knows it, puts a file
// there. The file is refused, or it is where it was put.
func TestAFolderIsRemovedMeanwhile(t *testing.T) {
	t.Run("an OPEN while RMDIR is answered", func(t *testing.T) {
		w, knows, removes := folderOfTwo(t)
		var h *tree.Handle
		var err error
		w.during("COMMIT", true, func() { h, err = knows.Open("/upload/sub/f", create, 0) }, func() {
			must(t, removes.Rmdir("/upload/sub"))
		})
		if err == nil {
			if err = write(h, "text", 0); err == nil {
				err = closeHandle(h)
			}
		}
		neverLost(t, knows, "/upload/sub/f", err)
	})
	t.Run("a rename to it", func(t *testing.T) {
		w, knows, removes := folderOfTwo(t)
		put(t, knows, "/upload/f", "text")
		done := make(chan error, 1)
		w.during("COMMIT", false, func() {
			asked := &w.asked
			before := asked.Load()
			go func() { done <- knows.Rename("/upload/f", "/upload/sub/f", false) }()
			for last := before; last == before || asked.Load() > last; time.Sleep(50 * time.Millisecond) {
				last = asked.Load() // until it has looked at both names, and waits for its turn to write
			}
		}, func() { must(t, removes.Rmdir("/upload/sub")) })
		err := <-done
		neverLost(t, knows, "/upload/sub/f", err)
		if err != nil && get(t, knows, "/upload/f") != "text" {
			t.Error("it is not under its old name")
		}
	})
}

// neverLost: what was answered with success is there.
func neverLost(t *testing.T, s *tree.Session, path string, err error) {
	t.Helper()
	if err != nil {
		t.Log("refused:", err)
		return
	}
	if got := get(t, s, path); got != "text" {
		t.Errorf("it reads %q", got)
	}
}

// interrupted is a world whose statements are interrupted once.
type interrupted struct {
	*world
	asked atomic.Int64
}

// folderOfTwo makes a folder that a session knows, and another session.
func folderOfTwo(t *testing.T) (w *interrupted, knows, removes *tree.Session) {
	w = &interrupted{world: newWorld(t, "")}
	u := w.Customer("acme")
	knows, removes = w.login(u), w.login(u)
	t.Cleanup(knows.End)
	t.Cleanup(removes.End)
	must(t, knows.Mkdir("/upload/sub"))
	for _, name := range []string{"a", "b", "c"} { // until the session looks names up in the folder alone
		put(t, knows, "/upload/sub/"+name, "text")
		must(t, knows.Remove("/upload/sub/"+name))
	}
	return w, knows, removes
}

// during calls do once, before or after the first statement of that text in work.
func (w *interrupted) during(statement string, ran bool, do, work func()) {
	w.Helper()
	var once atomic.Bool
	w.Asked.Watch(func(_ int, text string, is bool) error {
		if !is {
			w.asked.Add(1)
		}
		if is == ran && strings.HasPrefix(text, statement) && once.CompareAndSwap(false, true) {
			do()
		}
		return nil
	})
	work()
	w.Asked.Stop()
	if !once.Load() {
		w.Fatal(errors.New("the statement was not run: " + statement))
	}
}
