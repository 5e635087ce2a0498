package feed_test

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var publishStories = stories{
	"content is of the type that its name says": contentIsOfItsType,
	"content may come byte by byte":             contentMayTrickle,
	"UTF-16 may come byte by byte":              utf16MayTrickle,

	"what makes no sense is refused": func(t *testing.T, w *world) {
		w.acme()
		for _, name := range []string{"", ".", "..", "a/b.csv", "a\x00.csv", "a\n.csv", "\xff.csv",
			strings.Repeat("x", 256)} {
			w.refused(to("data", "acme", name, "1"), fault.Invalid, "name")
		}
		p := to("data", "acme", "a.csv", "1")
		p.All = true
		w.refused(p, fault.Invalid, "one account, or to all")
		w.refused(to("none", "acme", "a.csv", "1"), fault.NotFound, "no feed")
		w.refused(to("data", "none", "a.csv", "1"), fault.NotFound, "no account")
		p = to("data", "acme", "a.csv", "12345")
		p.Size = 4
		w.refused(p, fault.Invalid, "has 5 bytes, not the 4")
		p = to("data", "acme", "a.csv", "12345")
		p.SHA256 = testkit.Hash("54321")
		w.refused(p, fault.Invalid, "SHA-256")
		p = to("data", "acme", "a.csv", "12345")
		p.IdempotencyKey = strings.Repeat("k", 201)
		w.refused(p, fault.Invalid, "idempotency key")
		p = to("data", "acme", "a.csv", "")
		p.Body = io.MultiReader(strings.NewReader("123"), failing{})
		w.refused(p, fault.Invalid, "")
		w.maxFile = 4
		w.open()
		w.refused(to("data", "acme", "a.csv", "12345"), fault.TooLarge, "limit of 4 bytes")
		w.wantNoStages()
	},
	"what was declared rightly is taken": func(t *testing.T, w *world) {
		u := w.acme()
		p := to("data", "acme", "a.csv", "12345")
		p.Size, p.SHA256, p.Via = 5, strings.ToUpper(testkit.Hash("12345")), "folder"
		out, err := w.service.Publish(ctx, "billing", p)
		testkit.Must(t, err)
		if out.Size != 5 || out.SHA256 != testkit.Hash("12345") || out.Deliveries != 1 || out.Via != "folder" ||
			out.Repeated {
			t.Fatalf("published %+v", out)
		}
		w.wantFile(u, "/download/data/a.csv", "12345")
		events := w.Events(model.EventPublished)
		if len(events) != 1 || events[0].Account != "acme" || events[0].Field("name") != "a.csv" ||
			events[0].Field("deliveries") != 1.0 {
			t.Fatalf("the events are %+v", events)
		}
		if n := w.Count("audit WHERE action = 'feed.publish' AND actor = 'billing'"); n != 1 {
			t.Fatalf("%d audit rows", n)
		}
		w.wantNoStages()
	},
	"a login that was revoked publishes nothing": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.feed("data", func(*model.NewFeed) {})
		w.subscribe("data", "acme")
		p := to("data", "acme", "a.csv", "1")
		p.Guard = store.NewGuard(exchange.Login{User: model.User{ID: "BILLING"}, Fingerprint: "SHA256:x"})
		testkit.Must(t, testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
			return tx.Revoke(store.Revocation{UserID: "BILLING", Reason: "lost"}, time.Now())
		}))
		w.refused(p, fault.Denied, "This login has ended")
		w.wantNoStages()
	},
	"a name must fit the feed's pattern, and its account": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.feed("data", func(f *model.NewFeed) { f.Pattern = "{account}-{seq}.csv" })
		w.subscribe("data", "acme")
		w.refused(to("data", "acme", "acme.csv", "1"), fault.Invalid, "does not fit the feed's pattern {account}-{seq}.csv")
		w.refused(to("data", "acme", "beta-1.csv", "1"), fault.Invalid, "speaks of account beta, and is published to acme")
		w.publish("data", "acme", "acme-1.csv", "1")
	},
	"a later file of a name is its next issue": func(t *testing.T, w *world) {
		u := w.acme()
		w.publish("data", "acme", "a.csv", "first")
		w.Pass(day)
		w.publish("data", "acme", "a.csv", "the second")
		w.wantFile(u, "/download/data/a.csv", "the second")
		list := w.deliveries("acme")
		if len(list) != 2 || list[0].Issue != 1 || list[1].Issue != 2 || list[0].SHA256 != testkit.Hash("first") {
			t.Fatalf("the deliveries are %+v", list)
		}
		if use := w.Usage(u); use.Bytes != int64(len("the second")) || use.Files != 1 {
			t.Fatalf("the mailbox counts %+v", use)
		}
		found, err := w.Store.Read(ctx).Look(u.ID, []string{"download", "data", "a.csv"})
		testkit.Must(t, err)
		versions, err := w.Store.Read(ctx).Versions(*found.File, model.Paging{})
		testkit.Must(t, err)
		if len(versions) != 2 || !versions[0].Current || versions[1].SHA256 != testkit.Hash("first") {
			t.Fatalf("the versions are %+v", versions)
		}
		old, err := w.Store.Read(ctx).Content(versions[1].ID)
		testkit.Must(t, err)
		if got := w.Bytes(old.Key); got != "first" {
			t.Fatalf("the old issue is %q", got)
		}
		w.wantRefs()
	},
	"a full mailbox still gets what is published": func(t *testing.T, w *world) {
		u := w.acme()
		_, err := w.DB.Exec("UPDATE mailboxes SET quota_bytes = 1, quota_files = 1")
		testkit.Must(t, err)
		w.publish("data", "acme", "a.csv", "12345")
		w.publish("data", "acme", "b.csv", "12345")
		if use := w.Usage(u); use.Bytes != 10 || use.Files != 2 {
			t.Fatalf("the mailbox counts %+v", use)
		}
	},
	"a repeated key publishes nothing again": func(t *testing.T, w *world) {
		w.acme()
		p := to("data", "acme", "a.csv", "1")
		p.IdempotencyKey = "run-7"
		first, err := w.service.Publish(ctx, "test", p)
		testkit.Must(t, err)
		p.Body = strings.NewReader("1")
		again, err := w.service.Publish(ctx, "test", p)
		testkit.Must(t, err)
		if again.ID != first.ID || !again.Repeated || first.Repeated || again.Deliveries != 1 ||
			len(w.deliveries("acme")) != 1 {
			t.Fatalf("first %+v, again %+v", first, again)
		}
		testkit.Must(t, w.service.Unsubscribe(ctx, "test", "data", "acme"))
		p.Body = strings.NewReader("1")
		if again, err = w.service.Publish(ctx, "test", p); err != nil || !again.Repeated {
			t.Fatalf("after the last subscriber left: %+v, %v", again, err)
		}
		if n := len(w.Events(model.EventPublished)); n != 1 {
			t.Fatalf("%d events", n)
		}
		w.wantNoStages()
	},
	"a key that was used for something else is refused": func(t *testing.T, w *world) {
		w.acme()
		w.Customer("beta")
		w.subscribe("data", "beta")
		ask := func(account, name, text string) feed.Publication {
			p := to("data", account, name, text)
			p.IdempotencyKey = "run-7"
			return p
		}
		_, err := w.service.Publish(ctx, "test", ask("acme", "a.csv", "1"))
		testkit.Must(t, err)
		w.refused(ask("acme", "a.csv", "2"), fault.Conflict, "used for another file (a.csv)")
		w.refused(ask("acme", "b.csv", "1"), fault.Conflict, "another file")
		w.refused(ask("beta", "a.csv", "1"), fault.Conflict, "another file")
		w.refused(ask("all", "a.csv", "1"), fault.Conflict, "another file")
		w.wantNoStages()
		w.feed("other") // idempotency keys are per feed
		w.subscribe("other", "beta")
		p := ask("beta", "a.csv", "2")
		p.Feed = "other"
		_, err = w.service.Publish(ctx, "test", p)
		testkit.Must(t, err)
	},
	"many tries of one key at once publish it once": func(t *testing.T, w *world) {
		w.acme()
		var wg sync.WaitGroup
		results := make([]model.Publication, 8)
		errs := make([]error, 8)
		for i := range results {
			wg.Go(func() {
				p := to("data", "acme", "a.csv", "1")
				p.IdempotencyKey = "run-7"
				results[i], errs[i] = w.service.Publish(ctx, "test", p)
			})
		}
		wg.Wait()
		fresh := 0
		for i, r := range results {
			if fault.Is(errs[i], fault.Exists) || fault.Is(errs[i], fault.Unavailable) {
				continue // the client may have to try again, but nothing is published twice
			}
			testkit.Must(t, errs[i])
			if !r.Repeated {
				fresh++
			}
		}
		if fresh != 1 || len(w.deliveries("acme")) != 1 || w.Count("blobs") != 1 {
			t.Fatalf("%d publications, %d deliveries: %+v", fresh, len(w.deliveries("acme")), errs)
		}
	},
	"one mailbox with a folder of that name keeps nobody else waiting": func(t *testing.T, w *world) {
		acme, beta := w.acme(), w.Customer("beta")
		w.subscribe("data", "beta")
		w.mkdir(acme, "/download/data/a.csv")
		w.publish("data", "all", "a.csv", "1")
		w.wantFile(beta, "/download/data/a.csv", "1")
	},
}

// failing is a reader that fails, as when the sender breaks off.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line was cut") }

// sequence returns the state of a feed's numbers for an account.
func (w *world) sequence(account string) model.Sequence {
	w.Helper()
	list, err := w.service.Sequences(ctx, model.FeedFilter{Feed: "data"})
	w.Must(err)
	for _, s := range list {
		if s.Account == account {
			return s
		}
	}
	w.Fatalf("nothing is known of the numbers of %q", account)
	return model.Sequence{}
}
