package platform_test

import (
	"io"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// states returns the states of all drops, in the order of arrival.
func (w *world) states() (out []model.DropState) {
	w.t.Helper()
	for _, d := range w.node.Drops() {
		out = append(out, d.State)
	}
	return out
}

func (w *world) wantStates(want ...model.DropState) {
	w.t.Helper()
	got := w.states()
	for i, s := range want {
		if len(got) != len(want) || got[i] != s {
			w.t.Fatalf("the drops are %v, want %v", got, want)
		}
	}
}

const cdr = "/inbox/acme/acme/cdr.csv"

// Two files that come one after the other under the same name are different drops.
var acceptStories = stories{
	"a file that another session has just opened under the name is not accepted": func(t *testing.T, w *world) {
		acme := w.as("acme")
		for _, dir := range []string{"/upload/one", "/upload/two"} {
			testkit.Must(t, acme.Mkdir(dir))
		}
		w.put(acme, "/upload/one/cdr.csv", "first")
		one, two := w.as("billing"), w.as("billing")
		w.wantText(one, cdr, "first")
		w.wantText(two, cdr, "first")
		testkit.Must(t, two.Remove(cdr)) // the other worker was faster
		w.put(acme, "/upload/two/cdr.csv", "second")
		f, err := two.Open(cdr)
		testkit.Must(t, err)
		_, err = io.ReadAll(f)
		testkit.Must(t, err)
		wantDenied(t, "what the name shows by now", one.Remove(cdr))
		w.wantStates(model.DropAcked, model.DropClaimed)
		testkit.Must(t, f.Close())
		wantDenied(t, "what another session has read since", one.Remove(cdr))
		w.wantText(one, cdr, "second")
		testkit.Must(t, one.Remove(cdr))
		w.wantStates(model.DropAcked, model.DropAcked)
	},
	"a file that another session is reading is not accepted": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "a;b")
		reader, other := w.as("billing"), w.as("billing")
		f, err := reader.Open(cdr)
		testkit.Must(t, err)
		wantDenied(t, "before it was read", other.Remove(cdr))
		_, err = io.ReadAll(f)
		testkit.Must(t, err)
		wantDenied(t, "while it is open", other.Remove(cdr))
		w.wantStates(model.DropClaimed)
		testkit.Must(t, f.Close())
		testkit.Must(t, other.Remove(cdr)) // a program that uses several connections
		w.wantStates(model.DropAcked)
	},
	"a file that was read in part is not accepted, and one that was read in parts is": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "0123456789")
		part := func(off int64) {
			c := w.as("billing")
			f, err := c.Open(cdr)
			testkit.Must(t, err)
			_, err = f.ReadAt(make([]byte, 5), off)
			testkit.Must(t, err)
			testkit.Must(t, f.Close())
			testkit.Must(t, c.Close())
		}
		part(0)
		c := w.as("billing")
		wantDenied(t, "the first half", c.Remove(cdr))
		w.wantStates(model.DropClaimed)
		part(5)
		testkit.Must(t, c.Remove(cdr))
		w.wantStates(model.DropAcked)
	},
	"an empty file is read by opening it": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "")
		c := w.as("billing")
		wantDenied(t, "unopened", c.Remove(cdr))
		w.wantText(c, cdr, "")
		testkit.Must(t, c.Remove(cdr))
		w.wantStates(model.DropAcked)
	},
	"what was read is forgotten with the process, and read again": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "a;b")
		w.wantText(w.as("billing"), cdr, "a;b")
		w.node.Restart()
		c := w.as("billing")
		wantDenied(t, "after a restart", c.Remove(cdr))
		w.wantText(c, cdr, "a;b")
		testkit.Must(t, c.Remove(cdr))
		w.wantStates(model.DropAcked)
	},
}
