package account_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var keeperStories = stories{
	"people are told 30, 7 and 1 days before a key ends": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Enrol("acme") // a key without expiry
		w.until("acme", 40*day)
		end := w.Clock().Add(40 * day)
		for _, c := range []struct {
			left time.Duration
			told int
		}{{31 * day, 0}, {30*day + time.Minute, 0}, {30 * day, 1}, {30*day - time.Hour, 1}, {8 * day, 1},
			{7*day + time.Minute, 1}, {7 * day, 2},
			{2 * day, 2}, {day + time.Minute, 2}, {day, 3}, {time.Hour, 3}} {
			w.Set(end.Add(-c.left + time.Microsecond))
			w.keep()
			w.keep()
			if n := w.notices(); n["key.expiring"] != c.told || len(n) > 1 {
				t.Fatalf("%v before its end: %v, want to be told %d times", c.left, n, c.told)
			}
		}
	},
	"a key enrolled for two days is told of once": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.until("acme", 2*day)
		w.keep()
		w.keep()
		if n := w.notices(); !maps.Equal(n, map[string]int{"key.expiring": 1}) {
			t.Fatalf("notices: %v", n)
		}
		w.Pass(day)
		w.keep()
		if n := w.notices(); !maps.Equal(n, map[string]int{"key.expiring": 2}) {
			t.Fatalf("a day before its end: %v", n)
		}
	},
	"a key that is being replaced is not asked to be": func(t *testing.T, w *world) {
		w.Customer("acme")
		old := w.until("acme", 20*day)
		w.rotated("acme", old)
		w.keep()
		if n := w.notices(); len(n) > 0 {
			t.Fatalf("the new pair is there, and yet: %v", n)
		}
	},
	"a key of two years is told of once": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Enrol("acme")
		w.Pass(729 * day)
		w.keep()
		if n := w.notices(); len(n) > 0 {
			t.Fatalf("too soon: %v", n)
		}
		w.Pass(day)
		for range 3 {
			w.keep()
			w.Pass(30 * day)
		}
		if n := w.notices(); !maps.Equal(n, map[string]int{"key.old": 1}) {
			t.Fatalf("notices: %v", n)
		}
	},
	"an expired key ends its sessions once": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		p := w.until("acme", day)
		w.Pass(day - time.Minute)
		w.keep()
		if got := w.revocations(u, p); len(got) > 0 {
			t.Fatalf("too soon: %v", got)
		}
		for range 3 {
			w.Pass(time.Minute)
			w.keep()
		}
		if got := w.revocations(u, p); !slices.Equal(got, []string{"the key expired"}) {
			t.Fatalf("revocations: %v", got)
		}
		if n := w.notices(); n["key.expired"] != 1 {
			t.Fatalf("notices: %v", n)
		}
		w.wantStates("acme", map[string]model.KeyState{p.Print: model.KeyExpired}) // not revoked: it can be extended
	},
	// The keepers of two nodes do the same work at once.
	"two keepers do each thing once": func(t *testing.T, w *world) {
		w.Policy.MaxKeys = 100
		w.OpenAccounts()
		u := w.Customer("acme")
		var ended, replaced []testkit.Pair
		for range 10 {
			ended = append(ended, w.until("acme", 3*day))
			old := w.Enrol("acme")
			replaced = append(replaced, old)
			w.rotated("acme", old)
		}
		both := func() {
			t.Helper()
			other := account.New(w.Store, w.Clock, w.IDs, w.Policy)
			var wg sync.WaitGroup
			for _, r := range []*account.Service{w.Accounts, other} {
				wg.Go(func() {
					if err := r.RetireKeys(ctx); err != nil {
						t.Error(err)
					}
					if err := r.NoteKeys(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		both()
		before := w.audits()
		w.Pass(15 * day)
		both()
		both()
		for _, p := range append(ended, replaced...) {
			if got := w.revocations(u, p); len(got) != 1 {
				t.Errorf("%v was done about one key", got)
			}
		}
		if n := w.notices(); !maps.Equal(n, map[string]int{"key.expiring": 10, "key.expired": 10}) {
			t.Fatalf("notices: %v", n)
		}
		count := map[string]int{}
		for _, a := range w.audits()[len(before):] {
			count[a.actor+" "+a.action]++
		}
		if !maps.Equal(count, map[string]int{"system:keeper key.retire": 10, "system:keeper key.expire": 10}) {
			t.Fatalf("audit rows: %v", count)
		}
	},
	"a keeper runs until it is told to stop": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		p := w.until("acme", day)
		w.Pass(2 * day)
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Accounts.Keep(ctx, slog.New(slog.DiscardHandler))
		}()
		testkit.Eventually(t, "the keeper ends an expired key's sessions",
			func() bool { return len(w.revocations(u, p)) == 1 })
		cancel()
		<-done
	},
	"who hears of it: fitting roles, and the holder": func(t *testing.T, w *world) {
		w.Vendor("telco", "acme")
		w.Person("acme", "tech@acme.example")
		w.Person("acme", "safe@acme.example", "security", "billing")
		w.Person("acme", "bill@acme.example", "billing")
		holder := w.Person("acme", "holder@acme.example", "billing")
		gone := w.Person("acme", "gone@acme.example")
		_, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Vendor: "telco", Name: "Ann", Email: "ann@telco.example"})
		testkit.Must(t, err)
		_, err = w.Accounts.AddContact(ctx, "test",
			model.NewContact{Vendor: "telco", Name: "Tech", Email: "Tech@acme.example"})
		testkit.Must(t, err)
		p := w.until("acme-telco", day)
		_, err = w.Accounts.SetKey(ctx, "test", "acme-telco", model.EditKey{Fingerprint: p.Print, Holder: &holder.ID})
		testkit.Must(t, err)
		_, err = w.Accounts.ContactLeaves(ctx, "test", gone.ID)
		testkit.Must(t, err)
		_, err = w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{Region: new("au")})
		testkit.Must(t, err)
		w.keep()
		list, err := w.Accounts.Notices(ctx, model.NoticeFilter{})
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		n := list[0]
		slices.SortFunc(n.To, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
		if want := []string{"ann@telco.example", "holder@acme.example", "safe@acme.example",
			"tech@acme.example"}; !slices.EqualFunc(n.To, want, strings.EqualFold) {
			t.Fatalf("%v are told, want %v", n.To, want)
		}
		if n.User != "acme-telco" || n.Fingerprint != p.Print || !strings.HasSuffix(n.Text, " Help: help@example.com.au.") ||
			!strings.Contains(n.Text, p.Print) {
			t.Fatalf("%+v", n)
		}
	},
	"an address that is the end of another's is told, too": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Person("acme", "joanna@acme.example")
		w.Person("acme", "anna@acme.example")
		w.until("acme", day)
		w.keep()
		list, err := w.Accounts.Notices(ctx, model.NoticeFilter{})
		if err != nil || len(list) != 1 || len(list[0].To) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
	},
	"a notice is done once": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.until("acme", day)
		w.keep()
		list, err := w.Accounts.Notices(ctx, model.NoticeFilter{})
		testkit.Must(t, err)
		testkit.Must(t, w.Accounts.NoticeDone(ctx, "test", list[0].ID))
		testkit.WantKind(t, w.Accounts.NoticeDone(ctx, "test", list[0].ID), fault.NotFound)
		testkit.WantKind(t, w.Accounts.NoticeDone(ctx, "test", "nothing"), fault.NotFound)
		w.keep()
		open, err := w.Accounts.Notices(ctx, model.NoticeFilter{})
		all, err2 := w.Accounts.Notices(ctx, model.NoticeFilter{All: true})
		if err != nil || err2 != nil || len(open) != 0 || len(all) != 1 || all[0].DoneAt == nil {
			t.Fatalf("open %+v, all %+v", open, all)
		}
	},
	"a keeper with very many keys sees all": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		const many = 1200 // more than one batch of a keeper
		testkit.Must(t, testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
			for i := range many {
				at := w.Clock()
				end := at.Add(20 * day)
				if err := tx.AddKey(u.ID, model.Key{ID: w.IDs.New(), Fingerprint: fmt.Sprint("SHA256:", i), CreatedAt: at,
					ExpiresAt: &end}); err != nil {
					return err
				}
			}
			return nil
		}))
		w.keep()
		var told int
		testkit.Must(t, w.DB.QueryRow(`SELECT COUNT(*) FROM notices`).Scan(&told))
		if told != many {
			t.Fatalf("%d of %d keys were told of", told, many)
		}
	},
	"an end that was put off is told of again, when it is near": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		p := w.until("acme", day)
		w.keep()
		w.Pass(2 * day)
		w.keep()
		at := w.Clock().Add(12 * time.Hour)
		_, err := w.Accounts.SetKey(ctx, "test", "acme", model.EditKey{Fingerprint: p.Print, ExpiresAt: &at})
		testkit.Must(t, err)
		w.wantReason("acme", p, model.ReasonOK)
		w.keep()
		w.Pass(day)
		w.keep()
		w.keep()
		if n := w.notices(); n["key.expired"] != 2 || n["key.expiring"] != 2 {
			t.Fatalf("notices: %v", n)
		}
		if got := w.revocations(u, p); len(got) != 2 {
			t.Fatalf("revocations: %v", got)
		}
	},
}

// until enrols a key that expires after a while.
func (w *world) until(user string, d time.Duration) testkit.Pair {
	w.Helper()
	p := testkit.NewPair(w)
	at := w.Clock().Add(d)
	_, err := w.add(user, p.Line, func(n *model.NewKey) { n.ExpiresAt = &at })
	w.Must(err)
	return p
}

// keep runs one round of the keeper.
func (w *world) keep() {
	w.Helper()
	w.Must(w.Accounts.RetireKeys(ctx))
	w.Must(w.Accounts.NoteKeys(ctx))
}
