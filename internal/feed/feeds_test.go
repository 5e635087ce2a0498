package feed_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var feedStories = stories{
	"a feed is checked when it is made": func(t *testing.T, w *world) {
		for what, f := range map[string]model.NewFeed{
			"bad name":              {Name: "A b", Kind: "data"},
			"no kind":               {Name: "a"},
			"bad type":              {Name: "a", Kind: "data", Types: []string{"c/v"}},
			"bad pattern":           {Name: "a", Kind: "data", Pattern: "{what}"},
			"folders that rise":     {Name: "a", Kind: "data", Folders: "../{yyyy}"},
			"folders from the root": {Name: "a", Kind: "data", Folders: "/{yyyy}"},
			"unknown folder field":  {Name: "a", Kind: "data", Folders: "{year}"},
			"bad parent":            {Name: "a", Kind: "data", ParentSees: "everything"},
		} {
			if _, err := w.service.AddFeed(ctx, "test", f); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, f := range map[string]model.NewFeed{
			"producer":  {Name: "a", Kind: "data", Producer: "nobody.here"},
			"recipient": {Name: "a", Kind: "data", Recipients: []string{"nobody.here"}},
		} {
			if _, err := w.service.AddFeed(ctx, "test", f); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		w.feed("a", func(f *model.NewFeed) { f.Types = []string{" .CSV", "csv", "Pdf"} })
		f, err := w.service.Feed(ctx, "a")
		testkit.Must(t, err)
		if !slices.Equal(f.Types, []string{"csv", "pdf"}) || f.ParentSees != model.ParentNothing {
			t.Fatalf("the feed is %+v", f)
		}
		_, err = w.service.AddFeed(ctx, "test", model.NewFeed{Name: "a", Kind: "data"})
		testkit.WantKind(t, err, fault.Exists)
	},
	"a bad feed is refused, too, when its transaction is run again": func(t *testing.T, w *world) {
		// SQLite's writers share transactions. If one fails, all of them run again.
		var crowd, ready sync.WaitGroup
		testkit.Must(t, w.Store.Write(ctx, func(*store.Tx) error { // blocks other writers
			ready.Add(16)
			for i := range 16 {
				crowd.Go(func() {
					ready.Done()
					_, err := w.service.AddFeed(ctx, "test",
						model.NewFeed{Name: fmt.Sprintf("f%d", i), Kind: "data", Types: []string{"c/v"}})
					if !fault.Is(err, fault.Invalid) {
						t.Errorf("f%d: %v", i, err)
					}
				})
			}
			ready.Wait()
			return nil
		}))
		crowd.Wait()
	},
	"a subscription changes in place, for what comes from now on": func(t *testing.T, w *world) {
		acme := w.Customer("acme")
		w.feed("data", func(f *model.NewFeed) { f.Types = []string{"csv", "pdf"} })
		w.subscribe("data", "acme")
		w.publish("data", "acme", "a.csv", "1")
		types, dir, mail := []string{"PDF"}, "/bills", "daily"
		s, err := w.service.SetSubscription(ctx, "op:jo", "data", "acme",
			model.EditSubscription{Types: &types, Dir: &dir, Mail: &mail})
		testkit.Must(t, err)
		if !slices.Equal(s.Types, []string{"pdf"}) || s.Dir != "/bills" || s.Mail != "daily" || s.User != "acme" {
			t.Errorf("it is %+v", s)
		}
		w.refused(to("data", "acme", "b.csv", "2"), fault.NoRecipient, "")
		w.publish("data", "acme", "b.pdf", "%PDF-2")
		w.wantFile(acme, "/download/data/a.csv", "1")
		w.wantFile(acme, "/bills/b.pdf", "%PDF-2")
		_, err = w.service.SetSubscription(ctx, "op:jo", "data", "acme", model.EditSubscription{})
		testkit.Must(t, err)
		for what, e := range map[string]model.EditSubscription{"a type the feed lacks": {Types: &[]string{"xml"}},
			"the root": {Dir: new("/")}, "no such mail": {Mail: new("hourly")}} {
			if _, err := w.service.SetSubscription(ctx, "op:jo", "data", "acme", e); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, who := range [][2]string{{"data", "nobody"}, {"none", "acme"}} {
			_, err := w.service.SetSubscription(ctx, "op:jo", who[0], who[1], model.EditSubscription{})
			testkit.WantKind(t, err, fault.NotFound)
		}
	},
	"a feed is forgotten only while nobody has it and nothing was published": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.feed("typo")
		testkit.Must(t, w.service.RemoveFeed(ctx, "op:jo", "typo"))
		testkit.WantKind(t, w.service.RemoveFeed(ctx, "op:jo", "typo"), fault.NotFound)
		w.feed("data")
		w.subscribe("data", "acme")
		testkit.WantKind(t, w.service.RemoveFeed(ctx, "op:jo", "data"), fault.Conflict)
		w.publish("data", "acme", "a.csv", "1")
		testkit.Must(t, w.service.Unsubscribe(ctx, "op:jo", "data", "acme"))
		testkit.WantKind(t, w.service.RemoveFeed(ctx, "op:jo", "data"), fault.Conflict)
		_, err := w.service.Feed(ctx, "data")
		testkit.Must(t, err)
	},
	"only recipients subscribe, and only they are published to": func(t *testing.T, w *world) {
		acme, beta := w.Customer("acme"), w.Customer("beta")
		w.feed("data", func(f *model.NewFeed) { f.Recipients = []string{"acme"} })
		w.subscribe("data", "acme")
		_, err := w.service.Subscribe(ctx, "test", "data", model.NewSubscription{User: "beta"})
		testkit.WantKind(t, err, fault.Denied)
		w.publish("data", "all", "a.csv", "1")
		w.wantFile(acme, "/download/data/a.csv", "1")
		w.wantNoFile(beta, "/download/data/a.csv")
		w.refused(to("data", "beta", "b.csv", "1"), fault.NoRecipient, "no subscriber in account beta")
	},
	"narrowing a feed bars an old subscriber from its own files": func(t *testing.T, w *world) {
		w.Customer("acme")
		beta := w.Customer("beta")
		w.feed("data")
		w.subscribe("data", "acme", "beta")
		w.publish("data", "beta", "before.csv", "1")
		_, err := w.service.SetFeed(ctx, "test", "data", model.EditFeed{Recipients: &[]string{"acme"}})
		testkit.Must(t, err)
		w.refused(to("data", "beta", "after.csv", "1"), fault.NoRecipient, "beta")
		w.wantFile(beta, "/download/data/before.csv", "1") // what was delivered stays
	},
	"narrowing a feed bars an old subscriber from what goes to all": func(t *testing.T, w *world) {
		acme, beta := w.Customer("acme"), w.Customer("beta")
		w.feed("data")
		w.subscribe("data", "acme", "beta")
		_, err := w.service.SetFeed(ctx, "test", "data", model.EditFeed{Recipients: &[]string{"acme"}})
		testkit.Must(t, err)
		w.publish("data", "all", "a.csv", "1")
		w.wantFile(acme, "/download/data/a.csv", "1")
		w.wantNoFile(beta, "/download/data/a.csv")
	},
	"a subscriber gets the types that it wants": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.feed("data", func(f *model.NewFeed) { f.Types = []string{"csv", "pdf"} })
		_, err := w.service.Subscribe(ctx, "test", "data", model.NewSubscription{User: "acme", Types: []string{"xml"}})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.service.Subscribe(ctx, "test", "data",
			model.NewSubscription{User: "acme", Types: []string{"PDF"}, Dir: "/in/bills"})
		testkit.Must(t, err)
		w.publish("data", "acme", "a.pdf", pdf)
		w.wantFile(u, "/in/bills/a.pdf", pdf)
		w.refused(to("data", "acme", "a.csv", "1"), fault.NoRecipient, "a.csv")
		w.refused(to("data", "acme", "a.zip", "PK\x03\x04"), fault.Invalid, "takes csv and pdf files")
	},
	"an ended subscription gets nothing more, and keeps what it has": func(t *testing.T, w *world) {
		u := w.acme()
		w.publish("data", "acme", "a.csv", "1")
		testkit.Must(t, w.service.Unsubscribe(ctx, "test", "data", "acme"))
		w.refused(to("data", "acme", "b.csv", "1"), fault.NoRecipient, "acme")
		w.wantFile(u, "/download/data/a.csv", "1")
		testkit.WantKind(t, w.service.Unsubscribe(ctx, "test", "data", "acme"), fault.NotFound)
	},
	"a new subscriber gets the last days' files": func(t *testing.T, w *world) {
		w.acme()
		late, other := w.Customer("late"), w.Customer("other")
		w.subscribe("data", "other")
		w.publish("data", "all", "old.csv", "old")
		w.Pass(10 * day)
		w.publish("data", "all", "new.csv", "new")
		w.publish("data", "all", "new.pdf", pdf)
		w.publish("data", "other", "theirs.csv", "theirs")
		w.Pass(day)
		s, err := w.service.Subscribe(ctx, "test", "data",
			model.NewSubscription{User: "late", Types: []string{"csv"}, Days: 5})
		testkit.Must(t, err)
		if s.Backfilled != 1 || len(w.deliveries("late")) != 1 {
			t.Fatalf("%d files were filled in, %d deliveries", s.Backfilled, len(w.deliveries("late")))
		}
		w.wantFile(late, "/download/data/new.csv", "new")
		for _, name := range []string{"old.csv", "new.pdf", "theirs.csv"} {
			w.wantNoFile(late, "/download/data/"+name)
		}
		if use := w.Usage(late); use.Bytes != 3 || use.Files != 1 {
			t.Fatalf("the mailbox counts %+v", use)
		}
		if n := w.Count("audit WHERE action = 'feed.backfill'"); n != 1 {
			t.Fatalf("%d audit rows", n)
		}
		w.wantRefs()
		w.wantFile(other, "/download/data/theirs.csv", "theirs")
	},
	"filling in keeps the order of issues": func(t *testing.T, w *world) {
		w.acme()
		late := w.Customer("late")
		w.publish("data", "all", "a.csv", "first")
		w.publish("data", "all", "a.csv", "second")
		_, err := w.service.Subscribe(ctx, "test", "data", model.NewSubscription{User: "late", Days: 1})
		testkit.Must(t, err)
		w.wantFile(late, "/download/data/a.csv", "second")
		list := w.deliveries("late")
		if len(list) != 2 || list[0].Issue != 1 || list[1].Issue != 2 {
			t.Fatalf("the deliveries are %+v", list)
		}
	},
	"whoever subscribes again is not given the same files twice": func(t *testing.T, w *world) {
		w.acme()
		w.publish("data", "all", "a.csv", "1")
		testkit.Must(t, w.service.Unsubscribe(ctx, "test", "data", "acme"))
		s, err := w.service.Subscribe(ctx, "test", "data", model.NewSubscription{User: "acme", Days: 5})
		testkit.Must(t, err)
		if s.Backfilled != 0 || len(w.deliveries("acme")) != 1 {
			t.Fatalf("%d files were filled in again; %+v", s.Backfilled, w.deliveries("acme"))
		}
	},
	"a daily mail hears of each new file": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.feed("data")
		_, err := w.service.Subscribe(ctx, "test", "data", model.NewSubscription{User: "acme", Mail: "hourly"})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.service.Subscribe(ctx, "test", "data", model.NewSubscription{User: "acme", Mail: "daily"})
		testkit.Must(t, err)
		w.publish("data", "acme", "a.csv", "1")
		if n := w.Count("digests WHERE kind = 'new'"); n != 1 {
			t.Fatalf("%d lines for the mail", n)
		}
	},
	"deliveries go to dated folders, by the day in UTC": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.feed("data", func(f *model.NewFeed) { f.Folders = "{yyyy}/{mm}-{dd}" })
		w.subscribe("data", "acme")
		w.publish("data", "acme", "a.csv", "1")
		w.wantFile(u, "/download/data/2026/10-31/a.csv", "1")
		w.Pass(15*time.Hour - time.Minute)
		w.publish("data", "acme", "a.csv", "2")
		w.Pass(time.Minute)
		w.publish("data", "acme", "a.csv", "3")
		w.wantFile(u, "/download/data/2026/10-31/a.csv", "2")
		w.wantFile(u, "/download/data/2026/11-01/a.csv", "3")
		list := w.deliveries("acme")
		if len(list) != 3 || list[1].Issue != 2 || list[2].Issue != 1 || list[2].Path != "/download/data/2026/11-01/a.csv" {
			t.Fatalf("the deliveries are %+v", list)
		}
	},
	"a parent gets a copy below its child's name": func(t *testing.T, w *world) {
		wholesale, retail, shop := w.Customer("wholesale"), w.Customer("retail", under("wholesale")),
			w.Customer("shop", under("retail"))
		stranger := w.Customer("stranger")
		w.feed("data", func(f *model.NewFeed) { f.ParentSees = model.ParentFiles })
		w.subscribe("data", "wholesale", "retail", "shop", "stranger")
		if p := w.publish("data", "shop", "a.csv", "1"); p.Deliveries != 3 {
			t.Fatalf("%d mailboxes", p.Deliveries)
		}
		w.wantFile(shop, "/download/data/a.csv", "1")
		w.wantFile(retail, "/download/data/shop/a.csv", "1")
		w.wantFile(wholesale, "/download/data/shop/a.csv", "1")
		w.publish("data", "wholesale", "b.csv", "2") // a child gets no copies
		w.wantFile(wholesale, "/download/data/b.csv", "2")
		w.wantNoFile(retail, "/download/data/b.csv")
		if n := len(w.deliveries("stranger")); n != 0 {
			t.Fatalf("a stranger has %d files", n)
		}
		w.wantNoFile(stranger, "/download/data/shop/a.csv")
		w.publish("data", "all", "c.csv", "3") // each subscriber gets one copy
		w.wantFile(wholesale, "/download/data/c.csv", "3")
		w.wantNoFile(wholesale, "/download/data/shop/c.csv")
		w.wantRefs()
	},
	"a parent sees nothing unless the feed says so": func(t *testing.T, w *world) {
		w.Customer("wholesale")
		w.Customer("retail", under("wholesale"))
		w.feed("data")
		w.subscribe("data", "wholesale", "retail")
		if p := w.publish("data", "retail", "a.csv", "1"); p.Deliveries != 1 || len(w.deliveries("wholesale")) != 0 {
			t.Fatalf("%d mailboxes", p.Deliveries)
		}
	},
	"a wholesaler produces for its retailers": func(t *testing.T, w *world) {
		w.Customer("wholesale")
		retail := w.Customer("retail", under("wholesale"))
		w.feed("data", func(f *model.NewFeed) { f.Producer, f.Recipients = "wholesale", []string{"retail"} })
		w.subscribe("data", "retail")
		for account, want := range map[string]bool{"wholesale": true, "retail": false} {
			if yes, err := w.Store.Read(ctx).Produces(account); err != nil || yes != want {
				t.Fatalf("%s produces: %v, %v", account, yes, err)
			}
		}
		w.publish("data", "retail", "a.csv", "1")
		w.wantFile(retail, "/download/data/a.csv", "1")
	},
}
