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

var nameStories = stories{
	"a rename is the name of what nobody has claimed, and is told": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/x.csv.4711", "one")
		w.rename(id, "/upload/x.csv")
		d := w.wantState(id, model.DropNew)
		if d.Path != "/upload/x.csv" {
			t.Fatalf("it lies at %s", d.Path)
		}
		if e := w.emitted(model.EventRenamed); len(e) != 1 || !strings.Contains(e[0], "was:/upload/x.csv.4711") ||
			!strings.Contains(e[0], "name:x.csv ") {
			t.Fatalf("the events are %q", e)
		}
		if c := w.claim("mediation", 1); len(c) != 1 || c[0].Path != "/upload/x.csv" {
			t.Fatalf("claimed is %+v", c)
		}
		w.wantOnceNamed("x.csv.4711", id)
	},
	"a rename of what somebody has claimed is remembered": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "one")
		w.claim("mediation", 1)
		w.rename(id, "/upload/b.csv")
		if d := w.wantState(id, model.DropClaimed); d.Path != "/upload/a.csv" {
			t.Fatalf("it lies at %s", d.Path)
		}
		w.wantOnceNamed("b.csv", id)
		if e := w.emitted(model.EventRenamed); len(e) != 0 {
			t.Fatalf("the events are %q", e)
		}
	},
	"a doubtful name waits, and is handed on after its grace": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/tmp.a.csv", "one")
		d := w.wantState(id, model.DropNew)
		if d.ReadyAt == nil || d.ReadyAt.Sub(d.ReceivedAt) != time.Minute {
			t.Fatalf("it is ready at %v", d.ReadyAt)
		}
		if c := w.claim("mediation", 1); len(c) != 0 {
			t.Fatalf("claimed is %+v", c)
		}
		if _, err := w.service.ClaimOne(ctx, nil, "test", "mediation", id); !fault.Is(err, fault.Conflict) {
			t.Fatalf("claiming it by its id: %v", err)
		}
		if list, err := w.waiting("acme", "mediation"); err != nil || len(list) != 0 {
			t.Fatalf("a program sees %+v, %v", list, err)
		}
		w.Pass(59 * time.Second)
		testkit.Must(t, w.service.After(ctx))
		if e := w.emitted(model.EventReceived); len(e) != 0 {
			t.Fatalf("told too early: %q", e)
		}
		w.Pass(time.Second)
		testkit.Must(t, w.service.After(ctx))
		testkit.Must(t, w.service.After(ctx))
		if e := w.emitted(model.EventReceived); len(e) != 1 || !strings.Contains(e[0], "name:tmp.a.csv") {
			t.Fatalf("the events are %q", e)
		}
		if c := w.claim("mediation", 1); len(c) != 1 || c[0].ReadyAt != nil {
			t.Fatalf("claimed is %+v", c)
		}
	},
	"a doubtful name that becomes a good one is handed on at once": func(t *testing.T, w *world) {
		w.arrive("acme", "/upload/a.csv", "other")
		id := w.arrive("acme", "/upload/tmp.a.csv", "one")
		w.rename(id, "/upload/tmp.b.csv") // another temporary name
		if e := w.emitted(model.EventReceived); len(e) != 1 {
			t.Fatalf("the events are %q", e)
		}
		w.rename(id, "/upload/a.csv")
		e := w.emitted(model.EventReceived)
		if len(e) != 2 || !strings.Contains(e[1], "name:a.csv ") || !strings.Contains(e[1], "duplicate:name") {
			t.Fatalf("the events are %q", e)
		}
		if e := w.emitted(model.EventRenamed); len(e) != 0 {
			t.Fatalf("the events are %q", e)
		}
		if d := w.wantState(id, model.DropNew); d.Duplicate != model.DuplicateName || d.ReadyAt != nil {
			t.Fatalf("the drop is %+v", d)
		}
	},
	"a doubtful name that was replaced or removed in its grace": func(t *testing.T, w *world) {
		replaced, removed := w.arrive("acme", "/upload/tmp.a", "one"), w.arrive("acme", "/upload/tmp.b", "two")
		w.gone(replaced, true)
		w.gone(removed, false)
		w.Pass(time.Minute)
		testkit.Must(t, w.service.After(ctx))
		w.wantState(replaced, model.DropSuperseded)
		w.wantState(removed, model.DropNew)
		if e := w.emitted(model.EventReceived); len(e) != 1 || !strings.Contains(e[0], "name:tmp.b") {
			t.Fatalf("the events are %q", e)
		}
	},
	"many at once are marked as twins of each other": func(t *testing.T, w *world) {
		var list []exchange.Arrival
		u, err := w.Store.Read(ctx).User("acme")
		testkit.Must(t, err)
		for i := range 60 { // more than one statement handles
			list = append(list, w.arrival(u, w.IDs.New(), "/upload/"+strings.Repeat("x", i%30+1), 1, []byte{byte(i)}))
		}
		testkit.Must(t, testkit.Write(ctx, w.Store, func(tx *store.Tx) error { return w.service.Arrived(tx, list) }))
		for i, a := range list {
			want, of := "", ""
			if i >= 30 {
				want, of = model.DuplicateName, list[i-30].VersionID
			}
			if d := w.wantState(a.VersionID, model.DropNew); d.Duplicate != want || d.DuplicateOf != of {
				t.Fatalf("%d is %q of %q, want %q of %q", i, d.Duplicate, d.DuplicateOf, want, of)
			}
		}
		if e := w.emitted(model.EventReceived); len(e) != 60 {
			t.Fatalf("%d events", len(e))
		}
	},
}

func (w *world) wantOnceNamed(name, id string) {
	w.Helper()
	list, err := w.Store.Read(ctx).DropsNamed(name, "acme", 10)
	w.Must(err)
	if len(list) != 1 || list[0].ID != id {
		w.Fatalf("once named %s: %+v", name, list)
	}
}
