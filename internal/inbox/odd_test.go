package inbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// finds has every file named odd-… found odd in one way.
func (w *world) finds(odd exchange.Odd) {
	w.odd = func(_ *store.Q, f exchange.Received) (exchange.Odd, error) {
		if strings.HasPrefix(f.Name, "odd-") && f.User.Name == "acme" && f.User.ID != "" && !f.At.IsZero() {
			return odd, nil
		}
		return exchange.Odd{}, nil
	}
	w.open()
}

var refusal = exchange.Odd{Words: "larger than expected", Refuse: true, Reason: "It is larger than agreed.",
	Advice: "split it"}

// wantRefused fails unless a drop was refused for what was expected, and nobody was told that it came.
func (w *world) wantRefused(id string) {
	w.Helper()
	d := w.wantState(id, model.DropRejected)
	if d.Flag != refusal.Words || d.Reason != refusal.Reason || d.Advice != refusal.Advice ||
		d.Consumer != exchange.OddConsumer || d.SettledAt == nil {
		w.Fatalf("%+v", d)
	}
	if n := len(w.Events(model.EventReceived)); n != 0 {
		w.Fatalf("%d events of a received file", n)
	}
	if n := len(w.Events(model.EventRejected)); n != 1 {
		w.Fatalf("%d events of a refused file", n)
	}
	if n := len(w.Audited("drop.reject")); n != 1 {
		w.Fatalf("%d audit rows", n)
	}
	if list := w.claim("rating", 10); len(list) != 0 {
		w.Fatalf("a consumer gets %+v", list)
	}
	w.wantState(id, model.DropRejected)
}

var oddStories = stories{
	"what is odd is marked, and handed on": func(t *testing.T, w *world) {
		w.finds(exchange.Odd{Words: "larger than expected", Tell: &model.Event{ID: w.IDs.New(), Type: model.EventLarger,
			At: w.Clock(), Account: "acme", User: "acme", Data: model.ExpectationChanged{Words: "it is larger"}}})
		id := w.arrive("acme", "/upload/odd-1.csv", "a")
		if d := w.wantState(id, model.DropNew); d.Flag != "larger than expected" {
			t.Fatalf("%+v", d)
		}
		if d := w.wantState(w.arrive("acme", "/upload/1.csv", "b"), model.DropNew); d.Flag != "" {
			t.Fatalf("%+v", d)
		}
		if len(w.Events(model.EventReceived)) != 2 || len(w.Events(model.EventLarger)) != 1 {
			t.Fatalf("%+v", w.Events())
		}
	},
	"what is refused reaches no consumer, and its sender is told": func(t *testing.T, w *world) {
		w.finds(refusal)
		id := w.arrive("acme", "/upload/odd-1.csv", "a")
		w.wantRefused(id)
		w.follow()
		if did := strings.Join(w.boxes.did, "\n"); !strings.Contains(did, "write /upload/refused/odd-1.csv.txt") ||
			!strings.Contains(did, "Reason: It is larger than agreed.") || !strings.Contains(did, "What to do: split it, then") {
			t.Fatalf("in the mailbox: %s", did)
		}
		_, err := w.service.Ack(ctx, "test", id, "")
		testkit.WantKind(t, err, fault.Conflict)
	},
	"the name counts that a file gets at last": func(t *testing.T, w *world) {
		w.finds(refusal)
		id := w.arrive("acme", "/upload/tmp.1", "a")
		w.wantState(id, model.DropNew)
		w.rename(id, "/upload/odd-1.csv")
		w.wantRefused(id)
	},
	"a doubtful name that stays counts, too": func(t *testing.T, w *world) {
		w.names.Doubtful = []string{"odd-*"}
		w.finds(refusal)
		id := w.arrive("acme", "/upload/odd-1", "a")
		w.wantState(id, model.DropNew)
		w.Pass(2 * time.Minute)
		testkit.Must(t, w.service.After(ctx))
		w.wantRefused(id)
	},
	"a scanner need not look at what is refused": func(t *testing.T, w *world) {
		w.scanner = "clam"
		w.finds(refusal)
		w.wantRefused(w.arrive("acme", "/upload/odd-1.csv", "a"))
	},
}
