package feed_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var heldStories = stories{
	"a file on hold is lost to no publication that fails": func(t *testing.T, w *world) {
		u := w.acme()
		_, err := w.service.SetFeed(ctx, "test", "data", model.EditFeed{Folders: new("{yyyy}")})
		testkit.Must(t, err)
		w.failDirs(0)
		w.hold(u, "a.csv", "whole", w.Clock().Add(time.Second))
		w.Pass(2 * time.Second)
		for range 2 {
			in, err := w.service.TakeHeld(u.ID, "/outbound/data/acme/a.csv")
			testkit.Must(t, err)
			if _, err := in.Publish(ctx, "test", feed.Publication{Feed: "data", Account: "acme", Name: "a.csv"}); err == nil {
				t.Fatal("it was published")
			}
			w.wantHeld(u, "a.csv")
			testkit.Must(t, w.service.Overdue(ctx, slog.New(slog.DiscardHandler)))
			w.wantHeld(u, "a.csv")
		}
		w.Asked.Stop()
		w.open() // as a start does
		w.wantHeld(u, "a.csv")
		testkit.Must(t, w.service.Overdue(ctx, slog.New(slog.DiscardHandler)))
		if list := w.deliveries("acme"); len(list) != 1 || list[0].Size != 5 {
			t.Fatalf("%+v", list)
		}
	},
	"what its login may not publish any more is told, and stays": func(t *testing.T, w *world) {
		u := w.acme()
		w.Customer("prod")
		_, err := w.service.SetFeed(ctx, "test", "data", model.EditFeed{Producer: new("prod")})
		testkit.Must(t, err)
		w.hold(u, "a.csv", "1", w.Clock().Add(time.Second))
		w.Pass(2 * time.Second)
		testkit.Must(t, w.service.Overdue(ctx, slog.New(slog.DiscardHandler)))
		testkit.Must(t, w.service.Overdue(ctx, slog.New(slog.DiscardHandler)))
		w.wantHeld(u, "a.csv")
		if e := w.Events(model.EventLeft); len(e) != 1 || e[0].Account != "acme" {
			t.Fatalf("told was %+v", e)
		}
	},
	"names that are no text are held apart, over a restart": func(t *testing.T, w *world) {
		u := w.acme()
		for _, name := range []string{"caf\xe9.tmp", "caf\xe8.tmp"} {
			w.hold(u, name, name, time.Time{})
		}
		w.open()
		for _, name := range []string{"caf\xe9.tmp", "caf\xe8.tmp"} {
			w.wantHeld(u, name)
		}
		if n := len(w.service.HeldIn(u.ID, "/outbound/data/acme")); n != 2 {
			t.Fatalf("%d are held", n)
		}
	},
	"a copy takes the place of what is held when it is held itself": func(t *testing.T, w *world) {
		u := w.acme()
		w.hold(u, "a.tmp", "first", time.Time{})
		in, err := w.service.CopyHeld(u.ID, "/outbound/data/acme/a.tmp")
		testkit.Must(t, err)
		testkit.Must(t, in.WriteAt([]byte("X"), 0))
		testkit.Must(t, in.Discard()) // as when a session ends
		w.wantHeld(u, "a.tmp")
		in, err = w.service.TakeHeld(u.ID, "/outbound/data/acme/a.tmp")
		testkit.Must(t, err)
		p := make([]byte, 5)
		if _, err := in.ReadAt(p, 0); err != nil || string(p) != "first" {
			t.Fatalf("it is %q, %v", p, err)
		}
		in.GiveBack()
		w.wantHeld(u, "a.tmp")
	},
	"more than a thousand are not held": func(t *testing.T, w *world) {
		u := w.acme()
		for i := range 1000 {
			w.hold(u, fmt.Sprintf("%d.tmp", i), "", time.Time{})
		}
		in, err := w.service.NewIncoming()
		testkit.Must(t, err)
		testkit.WantKind(t, w.service.Hold(in, held(u, "last.tmp", time.Time{})), fault.Busy)
		testkit.Must(t, in.Discard())
		w.hold(u, "7.tmp", "again", time.Time{})
	},
	"what somebody opened meanwhile is not taken back by a rename": func(t *testing.T, w *world) {
		u := w.acme()
		first := w.publish("data", "acme", "upload-7.csv", "12345")
		testkit.Must(t, w.service.Served(&exchange.Login{User: u}, w.version(u, "/download/data/upload-7.csv"),
			exchange.Spans{{From: 0, To: 2}}))
		_, err := w.service.Republish(ctx, "test", first.ID, feed.Publication{Feed: "data", Account: "acme", Name: "a.csv"})
		testkit.WantKind(t, err, fault.Denied)
	},
}

func held(u model.User, name string, due time.Time) feed.Held {
	return feed.Held{UserID: u.ID, User: u.Name, Account: u.Account, Path: "/outbound/data/acme/" + name, Feed: "data",
		To: "acme", Name: name, Due: due}
}

func (w *world) hold(u model.User, name, text string, due time.Time) {
	w.Helper()
	in, err := w.service.NewIncoming()
	w.Must(err)
	w.Must(in.WriteAt([]byte(text), 0))
	h := held(u, name, due)
	h.Service = due != (time.Time{}) && !w.produced()
	w.Must(w.service.Hold(in, h))
}

// produced reports whether the feed has a producer.
func (w *world) produced() bool {
	f, err := w.service.Feed(ctx, "data")
	w.Must(err)
	return f.Producer != ""
}

func (w *world) wantHeld(u model.User, name string) {
	w.Helper()
	if _, ok := w.service.HeldAt(u.ID, "/outbound/data/acme/"+name); !ok {
		w.Fatalf("%q is not on hold", name)
	}
}
