package overview_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// told looks once, and returns the events that follow: "need.raised disk now".
func (w *world) told() []string {
	w.Helper()
	w.Must(w.s.Look(context.Background()))
	events, err := store.Change(context.Background(), w.Store, func(tx *store.Tx) ([]model.Event, error) {
		tx.Unaudited("a test looks")
		return tx.Outbox(w.Clock().Add(time.Hour), 100)
	})
	w.Must(err)
	var out []string
	for _, e := range events {
		if d, ok := e.Data.(model.NeedChanged); ok && !w.heard[e.ID] {
			out = append(out, fmt.Sprintf("%s %s %s", e.Type, d.Topic, d.Urgency))
			w.heard[e.ID] = true
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) wantTold(what string, want ...string) {
	w.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		w.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// TestNeedsAreTold: what needs a person is told once, again when it is more urgent, and when it is over.
func TestNeedsAreTold(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := begin(&world{World: testkit.NewWorld(t, url), heard: map[string]bool{}}, t)
		w.wantTold("nothing is wrong")
		w.free = 15e8
		w.wantTold("the disk is nearly full, for the first time")
		w.wantTold("it still is", "need.raised disk today")
		w.wantTold("it still is")
		w.open(false) // a restart
		w.wantTold("after a restart")
		w.free = 1e8
		w.wantTold("uploads are refused", "need.raised disk now")
		w.free = 15e8
		w.wantTold("it is less urgent")
		w.free = 1e12
		w.wantTold("there is room")
		w.free = 1e8
		w.wantTold("there was room for a moment")
		w.free = 1e12
		w.wantTold("there is room again")
		w.wantTold("there still is", "need.over disk now")
		w.wantTold("for good")
		w.free = 1e8
		w.wantTold("a second time")
		w.free = 1e12
		w.wantTold("for less than a minute")
		w.wantTold("for less than a minute")
	})
}

// TestFiguresAreOfTheSameRows: the numbers for a monitor count what status tells of.
func TestFiguresAreOfTheSameRows(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := begin(&world{World: testkit.NewWorld(t, url)}, t)
		w.free = 5e8
		w.partials = []model.Partial{{UserID: "u", Path: "a", Size: 10, At: w.Clock().Add(-3 * time.Hour)},
			{UserID: "u", Path: "b", Size: 5, At: w.Clock()}}
		f, err := w.s.Figures(context.Background())
		w.Must(err)
		if f.Free != 5e8 || f.Floor != 1e9 || f.Partials.Count != 1 && f.Partials.Count != 2 || f.PartialSize < 10 {
			t.Errorf("%+v", f)
		}
		if len(f.Needs) == 0 || f.Needs[0].Topic != "disk" {
			t.Errorf("needs: %+v", f.Needs)
		}
		if f.Unclaimed.Count != 0 || !f.Unclaimed.Oldest.IsZero() || !f.RemovalDue.IsZero() {
			t.Errorf("there is nothing, and yet: %+v", f)
		}
	})
}
