package feed_test

import (
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var shapeStories = stories{
	"what becomes of odd content is the feed's": func(t *testing.T, w *world) {
		u := w.acme()
		w.refused(to("data", "acme", "a.csv", pdf), fault.Invalid, "that of a pdf")
		set := func(e model.EditFeed) model.Feed {
			t.Helper()
			f, err := w.service.SetFeed(ctx, "test", "data", e)
			testkit.Must(t, err)
			return f
		}
		set(model.EditFeed{Checks: new(model.ChecksFlag)})
		if p := w.publish("data", "acme", "a.csv", pdf); p.Flag == "" {
			t.Fatal("it is not flagged")
		}
		if e := w.Events(model.EventPublished); e[len(e)-1].Field("flag") == nil {
			t.Fatalf("the event is %+v", e)
		}
		if f := set(model.EditFeed{Types: &[]string{"any"}, Checks: new("")}); f.Checks != model.ChecksOff ||
			len(f.Types) != 0 {
			t.Fatalf("the feed is %+v", f)
		}
		if p := w.publish("data", "acme", "b.csv", pdf); p.Flag != "" {
			t.Fatalf("it is flagged %q", p.Flag)
		}
		w.wantFile(u, "/download/data/b.csv", pdf)
		_, err := w.service.SetFeed(ctx, "test", "data", model.EditFeed{Checks: new("perhaps")})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.service.SetFeed(ctx, "test", "data", model.EditFeed{Zone: new("Nowhere/Land")})
		testkit.WantKind(t, err, fault.Invalid)
	},
	"a type is what the configuration says": func(t *testing.T, w *world) {
		w.types = map[string]feed.Type{"cdr": {Extensions: []string{"cdr", "dat"}, Begins: []string{"\x9f"}}, "csv": {}}
		w.open()
		w.acme()
		_, err := w.service.SetFeed(ctx, "test", "data", model.EditFeed{Types: &[]string{"cdr", "csv"}})
		testkit.Must(t, err)
		w.publish("data", "acme", "a.dat", "\x9f\x01")
		w.publish("data", "acme", "a.CDR", "\x9f\x01")
		w.publish("data", "acme", "a.csv", pdf) // the content is not checked any more
		w.refused(to("data", "acme", "b.dat", "text"), fault.Invalid, "called a cdr")
		w.refused(to("data", "acme", "b.pdf", pdf), fault.Invalid, "takes cdr and csv files")
	},
	"dated folders are of the feed's zone, or the configured one": func(t *testing.T, w *world) {
		sydney, err := time.LoadLocation("Australia/Sydney")
		testkit.Must(t, err)
		w.zone = sydney
		w.open()
		u := w.acme()
		_, err = w.service.SetFeed(ctx, "test", "data", model.EditFeed{Folders: new("{yyyy}-{mm}-{dd}")})
		testkit.Must(t, err)
		w.Set(time.Date(2026, 10, 31, 20, 0, 0, 0, time.UTC))
		w.publish("data", "acme", "a.csv", "1")
		w.wantFile(u, "/download/data/2026-11-01/a.csv", "1")
		_, err = w.service.SetFeed(ctx, "test", "data", model.EditFeed{Zone: new("America/New_York")})
		testkit.Must(t, err)
		w.publish("data", "acme", "b.csv", "1")
		w.wantFile(u, "/download/data/2026-10-31/b.csv", "1")
	},
	"an issue that was replaced is owed no more": func(t *testing.T, w *world) {
		w.acme()
		for _, text := range []string{"one", "two", "three"} {
			w.publish("data", "acme", "a.csv", text)
		}
		list := w.deliveries("acme")
		for i, want := range []model.DeliveryState{model.DeliveryReplaced, model.DeliveryReplaced, model.DeliveryPublished} {
			if list[i].State != want || (list[i].EndedAt != nil) != (want == model.DeliveryReplaced) {
				t.Fatalf("issue %d is %+v", i+1, list[i])
			}
		}
		owed, err := w.service.Deliveries(ctx,
			model.DeliveryFilter{Uncollected: w.Clock().Add(time.Hour), Paging: model.Paging{Limit: 10}})
		testkit.Must(t, err)
		if len(owed) != 1 || owed[0].Issue != 3 {
			t.Fatalf("owed are %+v", owed)
		}
	},
	"what a partner has removed keeps its bytes, and the next is its next issue": func(t *testing.T, w *world) {
		w.acme()
		w.publish("data", "acme", "a.csv", "one")
		var held bool
		testkit.Must(t, testkit.Write(ctx, w.Store, func(tx *store.Tx) (err error) {
			var version string
			if version, err = tx.VersionOfDelivery(w.deliveries("acme")[0].ID); err != nil {
				return err
			}
			f, err := tx.FileOfVersion(version)
			if err != nil {
				return err
			}
			if err := tx.RemoveFile(f.DirID, f.Name); err != nil {
				return err
			}
			held, err = w.service.Taken(tx, version)
			return err
		}))
		if !held {
			t.Fatal("its bytes are let go")
		}
		w.publish("data", "acme", "a.csv", "two")
		list := w.deliveries("acme")
		if list[0].TakenAt == nil || list[0].State != model.DeliveryPublished || list[1].Issue != 2 {
			t.Fatalf("%+v", list)
		}
	},
	"rights in the folder of a feed are those of the subscription": func(t *testing.T, w *world) {
		u := w.acme()
		rights := func(dir string) exchange.Rights {
			t.Helper()
			found, err := w.Store.Read(ctx).Walk(u.ID, store.SplitPath(dir))
			testkit.Must(t, err)
			granted := exchange.Rights(0)
			for _, d := range found {
				if d.Rights != nil {
					granted = *d.Rights
				}
			}
			return granted
		}
		look := exchange.Read | exchange.List
		for _, may := range []string{"", model.FeedsRemove, model.FeedsLook, model.FeedsRemove} {
			_, err := w.service.SetSubscription(ctx, "test", "data", "acme", model.EditSubscription{May: &may})
			testkit.Must(t, err)
			if got := rights("/download/data"); got != exchange.FeedRights(may) {
				t.Fatalf("with %q: %v", may, got)
			}
		}
		_, err := w.service.SetSubscription(ctx, "test", "data", "acme", model.EditSubscription{May: new("write")})
		testkit.WantKind(t, err, fault.Invalid)
		// A folder that the partner made keeps its rights.
		all := exchange.AllRights
		testkit.Must(t, testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
			rows, err := mailbox.Lock(tx, u.ID)
			if err != nil {
				return err
			}
			_, err = rows.MakeDirs(mailbox.NewDirs{Path: "/upload", Rights: &all, IDs: w.IDs, At: w.Clock()})
			return err
		}))
		_, err = w.service.SetSubscription(ctx, "test", "data", "acme",
			model.EditSubscription{Dir: new("/upload"), May: new(model.FeedsLook)})
		testkit.Must(t, err)
		if got := rights("/upload"); got != all {
			t.Fatalf("the rights in /upload are %v, want all; look is %v", got, look)
		}
	},
}
