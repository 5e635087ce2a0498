package feed_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// mailed makes the service keep the letters that it sends, and gives four customers a file each.
func (w *world) mailed() *[]feed.Letter {
	w.Helper()
	letters := &[]feed.Letter{}
	w.remind = func(_ *store.Tx, l feed.Letter) error {
		*letters = append(*letters, l)
		return nil
	}
	w.open()
	w.feed("data")
	for _, name := range []string{"acme", "globex", "hooli", "initech"} {
		w.Customer(name, func(a *model.NewAccount) {
			if name == "acme" {
				a.TimeZone = "Australia/Sydney"
			}
		})
		w.subscribe("data", name)
	}
	w.Person("acme", "jo@acme.example")
	w.Person("acme", "ann@acme.example", model.RoleBilling)
	w.Person("globex", "bo@globex.example", model.RoleBilling)
	w.Person("initech", "ray@initech.example")
	w.publish("data", "all", "a.csv", "one")
	return letters
}

func (w *world) reminded(in model.Remind) map[string]model.Reminder {
	w.Helper()
	list, err := w.service.Remind(ctx, "test", in)
	w.Must(err)
	out := map[string]model.Reminder{}
	for _, r := range list {
		out[r.Account] = r
	}
	return out
}

var remindStories = stories{
	"who has not collected is counted by account, with whom to write to": func(t *testing.T, w *world) {
		w.mailed()
		w.publish("data", "acme", "b.csv", "three")
		list, err := w.service.Uncollected(ctx, model.UncollectedFilter{Paging: model.Paging{Limit: 2}})
		testkit.Must(t, err)
		if len(list) != 2 || list[0].Account != "acme" || list[0].Files != 2 || list[0].Bytes != 8 ||
			!list[0].OldestAt.Equal(w.Clock()) || len(list[0].Contacts) != 1 || list[0].Contacts[0].Email != "jo@acme.example" {
			t.Fatalf("%+v", list)
		}
		if list[1].Account != "globex" || len(list[1].Contacts) != 1 { // without a technical contact, the others
			t.Fatalf("%+v", list[1])
		}
		list, err = w.service.Uncollected(ctx,
			model.UncollectedFilter{Before: w.Clock().Add(-day), Paging: model.Paging{Limit: 10}})
		testkit.Must(t, err)
		if len(list) != 0 {
			t.Fatalf("nothing is a day old yet: %+v", list)
		}
		w.Exec(`UPDATE accounts SET state = 'closed' WHERE id = 'acme'`)
		list, err = w.service.Uncollected(ctx, model.UncollectedFilter{Paging: model.Paging{Limit: 1, Cursor: "acme"}})
		testkit.Must(t, err)
		if len(list) != 1 || list[0].Account != "globex" {
			t.Fatalf("%+v", list)
		}
	},
	"people are reminded once a day at most": func(t *testing.T, w *world) {
		letters := w.mailed()
		w.Exec(`UPDATE accounts SET state = 'suspended' WHERE id = 'initech'`)
		if got := w.reminded(model.Remind{DryRun: true}); len(*letters) != 0 || len(got["acme"].To) != 1 {
			t.Fatalf("a dry run: %v, %+v", *letters, got)
		}
		w.Pass(time.Hour)
		got := w.reminded(model.Remind{})
		if got["acme"].Skipped != "" || got["globex"].Skipped != "" || got["hooli"].Skipped != model.SkippedNobody ||
			got["initech"].Skipped != model.SkippedSuspended || len(*letters) != 2 {
			t.Fatalf("%+v, %+v", got, *letters)
		}
		l := (*letters)[0]
		if l.To.Email != "jo@acme.example" || len(l.Files) != 1 || !l.Oldest.Equal(l.Files[0].PublishedAt) ||
			l.Files[0].Path != "/download/data/a.csv" {
			t.Fatalf("%+v", l)
		}
		if got := w.Audited("delivery.remind"); !slices.Equal(got, []string{"test", "test"}) {
			t.Fatalf("the log has %v", got)
		}
		w.Pass(23 * time.Hour)
		if got := w.reminded(model.Remind{}); got["acme"].Skipped != model.SkippedReminded || len(*letters) != 2 {
			t.Fatalf("%+v", got)
		}
		if got := w.reminded(model.Remind{Force: true, Account: "acme"}); len(got) != 1 || len(*letters) != 3 {
			t.Fatalf("%+v", got)
		}
		w.Pass(23 * time.Hour)
		if got := w.reminded(model.Remind{}); got["acme"].Skipped == "" || got["globex"].Skipped != "" {
			t.Fatalf("acme was reminded 23 hours ago, globex 46: %+v", got)
		}
	},
	"two operators who remind at once send one mail": func(t *testing.T, w *world) {
		letters := w.mailed()
		list, err := w.service.Uncollected(ctx, model.UncollectedFilter{Account: "acme", Paging: model.Paging{Limit: 1}})
		testkit.Must(t, err)
		w.reminded(model.Remind{Account: "acme"})
		var again bool
		again, err = store.Change(ctx, w.Store, func(tx *store.Tx) (bool, error) {
			return tx.Reminded(list[0].Account, w.Clock(), w.Clock().Add(-day))
		})
		testkit.Must(t, err)
		if again || len(*letters) != 1 {
			t.Fatalf("reminded again: %v; %d letters", again, len(*letters))
		}
	},
	"a mail that cannot be queued reminds nobody": func(t *testing.T, w *world) {
		w.mailed()
		w.remind = func(*store.Tx, feed.Letter) error { return fault.E("test", fault.Internal, "no") }
		w.open()
		_, err := w.service.Remind(ctx, "test", model.Remind{})
		testkit.WantKind(t, err, fault.Internal)
		if n := w.Count("reminders"); n != 0 || len(w.Audited("delivery.remind")) != 0 {
			t.Fatalf("%d accounts count as reminded", n)
		}
	},
	"without mail nobody can be reminded": func(t *testing.T, w *world) {
		w.mailed()
		w.remind = nil
		w.open()
		_, err := w.service.Remind(ctx, "test", model.Remind{DryRun: true})
		testkit.WantKind(t, err, fault.Conflict)
	},
	"deliveries are listed of a time, and in either order": func(t *testing.T, w *world) {
		w.acme()
		for i, name := range []string{"a.csv", "b.csv", "c.csv", "d.csv"} {
			if i > 0 {
				w.Pass(day)
			}
			w.publish("data", "acme", name, name)
		}
		start := w.Clock().Add(-3 * day)
		for _, c := range []struct {
			filter model.DeliveryFilter
			want   []string
		}{
			{model.DeliveryFilter{}, []string{"a.csv", "b.csv"}},
			{model.DeliveryFilter{Order: model.Order{Reverse: true}}, []string{"d.csv", "c.csv"}},
			{model.DeliveryFilter{Span: model.Span{Since: start.Add(day)}}, []string{"b.csv", "c.csv"}},
			{model.DeliveryFilter{Span: model.Span{Until: start.Add(day)}}, []string{"a.csv"}},
			{model.DeliveryFilter{Span: model.Span{Since: start.Add(time.Second), Until: start.Add(day + time.Second)},
				Order: model.Order{Reverse: true}}, []string{"b.csv"}},
			{model.DeliveryFilter{Span: model.Span{Since: start.Add(9 * day)}}, nil},
			{model.DeliveryFilter{Uncollected: start.Add(day), Span: model.Span{Since: start}}, []string{"a.csv"}},
		} {
			c.filter.Limit = 2
			list, err := w.service.Deliveries(ctx, c.filter)
			testkit.Must(t, err)
			var names []string
			for _, d := range list {
				names = append(names, d.Name)
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("%+v: %v, want %v", c.filter, names, c.want)
			}
		}
		first, err := w.service.Deliveries(ctx,
			model.DeliveryFilter{Order: model.Order{Reverse: true}, Paging: model.Paging{Limit: 2}})
		testkit.Must(t, err)
		next, err := w.service.Deliveries(ctx,
			model.DeliveryFilter{Order: model.Order{Reverse: true}, Paging: model.Paging{Limit: 2, Cursor: first[1].ID}})
		testkit.Must(t, err)
		if len(next) != 2 || next[0].Name != "b.csv" || next[1].Name != "a.csv" {
			t.Errorf("the second page is %+v", next)
		}
	},
}
