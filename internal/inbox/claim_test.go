package inbox_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var claimStories = stories{
	"each of 200 drops goes to one of eight consumers": func(t *testing.T, w *world) {
		const drops, consumers = 200, 8
		for i := range drops {
			w.arrive("acme", fmt.Sprintf("/upload/%03d.csv", i), fmt.Sprint(i))
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := map[string][]string{}
		for c := range consumers {
			wg.Go(func() {
				name := fmt.Sprintf("worker-%d", c)
				for {
					list, err := w.service.Claim(ctx, "test", model.NewClaim{Consumer: name, Limit: 1 + c})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for _, d := range list {
						got[d.ID] = append(got[d.ID], name)
					}
					whole := len(got) == drops
					mu.Unlock()
					if len(list) == 0 && whole {
						return
					}
					if t.Failed() {
						return
					}
				}
			})
		}
		wg.Wait()
		if len(got) != drops {
			t.Fatalf("%d drops were handed out", len(got))
		}
		for id, to := range got {
			if len(to) != 1 {
				t.Fatalf("the drop %s was handed to %v", id, to)
			}
			if d := w.wantState(id, model.DropClaimed); d.Consumer != to[0] {
				t.Fatalf("the drop is %s's, and was handed to %s", d.Consumer, to[0])
			}
		}
		if n := len(w.Audited("drop.claim")); n != drops {
			t.Fatalf("%d audit rows", n)
		}
	},
	"the oldest come first, and only those that are asked for": func(t *testing.T, w *world) {
		a := w.arrive("acme", "/upload/a.csv", "a")
		b := w.arrive("beta", "/upload/b.csv", "b")
		c := w.arrive("acme", "/upload/c.csv", "c")
		list, err := w.service.Claim(ctx, "test", model.NewClaim{Consumer: "one", Limit: 5, User: "beta"})
		testkit.Must(t, err)
		if len(list) != 1 || list[0].ID != b {
			t.Fatalf("beta's are %+v", list)
		}
		list, err = w.service.Claim(ctx, "test", model.NewClaim{Consumer: "one", Account: "acme"}) // the default limit is one
		testkit.Must(t, err)
		if len(list) != 1 || list[0].ID != a || list[0].Claim == "" {
			t.Fatalf("acme's first is %+v", list)
		}
		if d := w.claimOne("one"); d.ID != c {
			t.Fatalf("the last is %+v", d)
		}
		if list := w.claim("one", 5); len(list) != 0 {
			t.Fatalf("there are more: %+v", list)
		}
	},
	"a claim that makes no sense is refused": func(t *testing.T, w *world) {
		for _, c := range []model.NewClaim{{}, {Consumer: "Not An ID"}, {Consumer: "one", Limit: -1},
			{Consumer: "one", Limit: 501}, {Consumer: "one", Lease: "1ms"}, {Consumer: "one", Lease: "25h"},
			{Consumer: "one", Lease: "-1h"}} {
			_, err := w.service.Claim(ctx, "test", c)
			testkit.WantKind(t, err, fault.Invalid)
		}
	},
	"a claim that ran out goes to another, and the first one's word counts no more": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		first := w.claimOne("one")
		w.Pass(lease - time.Second)
		if list := w.claim("two", 1); len(list) != 0 {
			t.Fatal("it was handed out twice")
		}
		w.Pass(2 * time.Second)
		second := w.claimOne("two")
		if second.Claim == first.Claim || second.ID != id {
			t.Fatalf("first %+v, second %+v", first, second)
		}
		_, err := w.service.Ack(ctx, "test", id, first.Claim)
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Reject(ctx, "test", id, first.Claim, "bad", "")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Renew(ctx, "test", id, first.Claim, "")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Release(ctx, "test", id, first.Claim)
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Ack(ctx, "test", id, second.Claim)
		testkit.Must(t, err)
		if d := w.wantState(id, model.DropAcked); d.Consumer != "two" {
			t.Fatalf("accepted by %s", d.Consumer)
		}
	},
	"whoever is late and alone may still ack": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		d := w.claimOne("one")
		w.Pass(2 * lease)
		_, err := w.service.Ack(ctx, "test", id, d.Claim)
		testkit.Must(t, err)
		if list := w.claim("two", 1); len(list) != 0 {
			t.Fatal("it was handed out after the ack")
		}
	},
	"a renewed claim lasts from then on": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		d := w.claimOne("one")
		w.Pass(lease - time.Second)
		renewed, err := w.service.Renew(ctx, "test", id, d.Claim, "1h")
		testkit.Must(t, err)
		if !renewed.ClaimUntil.After(d.ClaimUntil.Add(49 * time.Minute)) {
			t.Fatalf("it lasts until %s, was %s", renewed.ClaimUntil, d.ClaimUntil)
		}
		w.Pass(59 * time.Minute)
		if list := w.claim("two", 1); len(list) != 0 {
			t.Fatal("it was handed out twice")
		}
		_, err = w.service.Renew(ctx, "test", id, "", "")
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.service.Ack(ctx, "test", id, d.Claim)
		testkit.Must(t, err)
		_, err = w.service.Renew(ctx, "test", id, d.Claim, "")
		testkit.WantKind(t, err, fault.Conflict)
	},
	"a claim that is given back goes to the next": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		d := w.claimOne("one")
		_, err := w.service.Release(ctx, "test", id, "guessed")
		testkit.WantKind(t, err, fault.Conflict)
		back, err := w.service.Release(ctx, "test", id, d.Claim)
		testkit.Must(t, err)
		if back.State != model.DropNew || back.Consumer != "" || back.ClaimUntil != nil {
			t.Fatalf("given back: %+v", back)
		}
		_, err = w.service.Release(ctx, "test", id, "")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Ack(ctx, "test", id, d.Claim)
		testkit.WantKind(t, err, fault.Conflict)
		if next := w.claimOne("two"); next.ID != id {
			t.Fatalf("the next is %+v", next)
		}
	},
	"a claim is told to whoever claims alone": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		w.claimOne("one")
		list, err := w.service.List(ctx, model.DropFilter{Paging: model.Paging{Limit: 10}})
		testkit.Must(t, err)
		opened, b, err := w.service.Open(ctx, id, "")
		testkit.Must(t, err)
		testkit.Must(t, b.Close())
		if list[0].Claim != "" || w.wantState(id, model.DropClaimed).Claim != "" || opened.Claim != "" {
			t.Fatal("the claim is told")
		}
	},
	"one consumer's sessions share a claim, and others wait": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		first, err := w.service.ClaimOne(ctx, nil, "test", "billing", id)
		testkit.Must(t, err)
		w.Pass(lease / 2)
		again, err := w.service.ClaimOne(ctx, nil, "test", "billing", id)
		testkit.Must(t, err)
		if again.Claim != first.Claim || !again.ClaimUntil.After(*first.ClaimUntil) {
			t.Fatalf("first %+v, again %+v", first, again)
		}
		_, err = w.service.ClaimOne(ctx, nil, "test", "rating", id)
		testkit.WantKind(t, err, fault.Conflict)
		if list, err := w.waiting("acme", "rating"); err != nil || len(list) != 0 {
			t.Fatalf("another one sees %+v, %v", list, err)
		}
		testkit.WantKind(t, w.service.AckOwn(ctx, nil, "test", "rating", id), fault.Denied)
		w.Pass(lease + time.Second)
		if list, err := w.waiting("acme", "rating"); err != nil || len(list) != 1 {
			t.Fatalf("when it ran out, another one sees %+v, %v", list, err)
		}
		_, err = w.service.ClaimOne(ctx, nil, "test", "rating", id)
		testkit.Must(t, err)
		testkit.WantKind(t, w.service.AckOwn(ctx, nil, "test", "billing", id), fault.Denied)
		testkit.Must(t, w.service.AckOwn(ctx, nil, "test", "rating", id))
		w.wantState(id, model.DropAcked)
		_, err = w.service.ClaimOne(ctx, nil, "test", "rating", id)
		testkit.WantKind(t, err, fault.Conflict)
	},
	"a login that was revoked claims and accepts nothing": func(t *testing.T, w *world) {
		first, second := w.arrive("acme", "/upload/a.csv", "a"), w.arrive("acme", "/upload/b.csv", "b")
		g := store.NewGuard(exchange.Login{User: model.User{ID: "BILLING"}, Fingerprint: "SHA256:x"})
		_, err := w.service.ClaimOne(ctx, g, "test", "billing", first)
		testkit.Must(t, err)
		testkit.Must(t, testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
			return tx.Revoke(store.Revocation{UserID: "BILLING", Fingerprint: "SHA256:x", Reason: "lost"}, w.Clock())
		}))
		_, err = w.service.ClaimOne(ctx, g, "test", "billing", second)
		testkit.WantKind(t, err, fault.Denied)
		testkit.WantKind(t, w.service.AckOwn(ctx, g, "test", "billing", first), fault.Denied)
		w.wantState(first, model.DropClaimed)
		w.wantState(second, model.DropNew)
	},
}

var scannerStories = stories{
	"nothing is seen, fetched or claimed before the scanner accepts it": func(t *testing.T, w *world) {
		w.scanner = "clam"
		w.open()
		id := w.arrive("acme", "/upload/a.csv", "text")
		hidden := func() {
			t.Helper()
			if list := w.claim("billing", 5); len(list) != 0 {
				t.Fatalf("claimed: %+v", list)
			}
			_, err := w.service.ClaimOne(ctx, nil, "test", "billing", id)
			if err == nil {
				t.Fatal("claimed by name")
			}
			for _, claim := range []string{"", "guessed"} {
				_, err = w.fetch(id, claim)
				testkit.WantKind(t, err, fault.Denied)
				if _, err = w.service.Ack(ctx, "test", id, claim); err == nil {
					t.Fatal("acked without the scanner's claim")
				}
			}
			if list, err := w.waiting("acme", "billing"); err != nil || len(list) != 0 {
				t.Fatalf("seen: %+v, %v", list, err)
			}
		}
		w.wantState(id, model.DropUnscanned)
		hidden()
		d := w.claimOne("clam")
		hidden()
		w.Pass(2 * lease) // the scanner's claim expires
		hidden()
		d2 := w.claimOne("clam")
		_, err := w.service.Release(ctx, "test", id, d2.Claim)
		testkit.Must(t, err)
		w.wantState(id, model.DropUnscanned)
		hidden()
		d2 = w.claimOne("clam")
		_, err = w.service.Ack(ctx, "test", id, d.Claim) // the expired claim
		testkit.WantKind(t, err, fault.Conflict)
		text, err := w.fetch(id, d2.Claim)
		if err != nil || text != "text" {
			t.Fatalf("the scanner reads %q, %v", text, err)
		}
		_, err = w.service.Ack(ctx, "test", id, d2.Claim)
		testkit.Must(t, err)
		if got := w.wantState(id, model.DropNew); got.Consumer != "" || got.SettledAt != nil {
			t.Fatalf("cleared: %+v", got)
		}
		if list := w.claim("clam", 5); len(list) != 0 {
			t.Fatal("the scanner sees it twice")
		}
		mine := w.claimOne("billing")
		if text, err = w.fetch(id, ""); err != nil || text != "text" {
			t.Fatalf("afterwards one reads %q, %v", text, err)
		}
		_, err = w.service.Release(ctx, "test", id, mine.Claim)
		testkit.Must(t, err)
		w.wantState(id, model.DropNew) // it need not be scanned again
	},
	"what the scanner refuses is never handed on": func(t *testing.T, w *world) {
		w.scanner = "clam"
		w.open()
		id := w.arrive("acme", "/upload/a.csv", "virus")
		d := w.claimOne("clam")
		_, err := w.service.Reject(ctx, "test", id, d.Claim, "it has a virus", "clean your machine")
		testkit.Must(t, err)
		w.wantState(id, model.DropRejected)
		if list := w.claim("billing", 5); len(list) != 0 {
			t.Fatalf("claimed: %+v", list)
		}
		_, err = w.fetch(id, "")
		testkit.WantKind(t, err, fault.Denied)
		_, err = w.fetch(id, d.Claim)
		testkit.WantKind(t, err, fault.Denied)
	},
	"what waits for a scanner waits on when the setting is lost": func(t *testing.T, w *world) {
		w.scanner = "clam"
		w.open()
		id := w.arrive("acme", "/upload/a.csv", "a")
		w.arrive("acme", "/upload/b.csv", "b")
		w.claim("clam", 1)
		w.scanner = ""
		w.open()
		w.keepsFor(func() {})
		if list := w.claim("billing", 5); len(list) != 0 {
			t.Fatalf("somebody else got what nobody scanned: %+v", list)
		}
		if list := w.claim("clam", 5); len(list) != 1 { // the other one is claimed
			t.Fatalf("the scanner that they wait for gets %d", len(list))
		}
		other := w.arrive("acme", "/upload/c.csv", "c") // it arrived when no scanner was configured
		if d := w.claimOne("billing"); d.ID != other {
			t.Fatalf("claimed: %+v", d)
		}
		_, err := w.service.Clear(ctx, "test", "")
		testkit.WantKind(t, err, fault.Invalid)
		n, err := w.service.Clear(ctx, "test", "the scanner was retired")
		if err != nil || n != 2 || len(w.Audited("drop.unscan")) != 1 {
			t.Fatalf("%d were cleared, %v", n, err)
		}
		w.wantState(id, model.DropNew)
	},
	"another scanner scans what waited for the first": func(t *testing.T, w *world) {
		w.scanner = "clam"
		w.open()
		id := w.arrive("acme", "/upload/a.csv", "a")
		w.scanner = "eset"
		w.open()
		_, err := w.service.Clear(ctx, "test", "by mistake")
		testkit.WantKind(t, err, fault.Conflict)
		if d := w.claimOne("eset"); d.ID != id {
			t.Fatalf("claimed: %+v", d)
		}
	},
}
