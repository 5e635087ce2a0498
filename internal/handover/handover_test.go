package handover_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var linkStories = testkit.Stories[*world]{
	"a waiting link is mailed to its contact, to whoever has its secret": func(t *testing.T, w *world) {
		p, other := keys.Empty(), keys.Empty()
		l, err := w.ask(model.LinkKey, w.jo.ID, func(n *model.NewLink) { n.Token = p.Token })
		testkit.Must(t, err)
		_, err = w.service.MailLink(ctx, "op:jo", l.ID, model.MailLink{Secret: p.Secret}) // its function may run twice
		if want := []string{"jo@acme.example key " + p.Secret}; err != nil || !slices.Equal(slices.Compact(w.mailed), want) {
			t.Fatalf("%q, %v; want %q", w.mailed, err, want)
		}
		if rows := w.Audited("link.mail"); len(rows) != 1 || rows[0] != "op:jo" {
			t.Errorf("the log has %v", rows)
		}
		for what, c := range map[string]struct {
			id, secret string
			kind       fault.Kind
		}{"another's secret": {l.ID, other.Secret, fault.NotFound}, "no secret": {l.ID, "x", fault.Invalid},
			"another link": {"01KB10SWWC66V2R0H1XQ2D6Y8N", p.Secret, fault.NotFound}} {
			if _, err := w.service.MailLink(ctx, "op:jo", c.id, model.MailLink{Secret: c.secret}); !fault.Is(err, c.kind) {
				t.Errorf("%s: %v", what, err)
			}
		}
		w.refuses = fault.E("mail", fault.Invalid, "No mail server is configured.")
		_, err = w.service.MailLink(ctx, "op:jo", l.ID, model.MailLink{Secret: p.Secret})
		testkit.WantKind(t, err, fault.Invalid)
		w.Exec("UPDATE contacts SET bounced_at = 1 WHERE id = $1", w.jo.ID)
		_, err = w.service.MailLink(ctx, "op:jo", l.ID, model.MailLink{Secret: p.Secret})
		testkit.WantKind(t, err, fault.Conflict)
		w.Exec("UPDATE contacts SET bounced_at = NULL")
		testkit.Must(t, w.service.Open(ctx, p.Token, "203.0.113.7", func(model.Link, []byte) error { return nil }))
		w.refuses = nil
		_, err = w.service.MailLink(ctx, "op:jo", l.ID, model.MailLink{Secret: p.Secret})
		testkit.WantKind(t, err, fault.NotFound)
		if n := w.Count("audit WHERE action = 'link.mail'"); n != 1 {
			t.Errorf("the log has %d mails", n)
		}
	},
	"a link is made, looked at and opened once": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		if l.State != model.LinkWaiting || l.Contact != "jo@acme.example" || l.ExpiresAt.Sub(l.CreatedAt) != 72*time.Hour {
			t.Fatalf("%+v", l)
		}
		for range 3 { // Waiting does not use the link up
			got, err := w.service.Waiting(ctx, l.token)
			if err != nil || got.ID != l.ID || got.User != "acme" || got.Kind != model.LinkKey {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		w.wantRow(l, "waiting", "sealed key")
		held, err := w.open(l)
		if err != nil || string(held) != "sealed key" {
			t.Fatalf("%q, %v", held, err)
		}
		w.wantRow(l, "opened", "")
		w.wantGone(l)
		if made, opened := w.Audited("link.make"), w.Audited("link.open"); len(made) != 1 || made[0] != "test" ||
			len(opened) != 1 || opened[0] != "contact:jo@acme.example" {
			t.Fatalf("audit: made by %v, opened by %v", made, opened)
		}
	},
	"key file and passphrase go to different people": func(t *testing.T, w *world) {
		w.make(model.LinkKey, w.jo)
		_, err := w.ask(model.LinkPassphrase, w.jo.ID)
		testkit.WantKind(t, err, fault.Denied)
		_, err = w.ask(model.LinkPassphrase, "JO@acme.example")
		testkit.WantKind(t, err, fault.Denied)
		phrase := w.make(model.LinkPassphrase, w.ann)
		_, err = w.ask(model.LinkKey, w.ann.ID)
		testkit.WantKind(t, err, fault.Denied)
		_, err = w.open(phrase) // an opened link counts as delivered
		testkit.Must(t, err)
		_, err = w.ask(model.LinkKey, w.ann.ID)
		testkit.WantKind(t, err, fault.Denied)
		w.make(model.LinkKey, w.jo) // the same half to the same person is allowed
		_, err = w.ask(model.LinkKey, w.ann.ID, func(n *model.NewLink) { n.Fingerprint = print("other") })
		testkit.Must(t, err)

		// A link that was never opened does not count as delivered.
		third := w.Verified("acme", "sam@acme.example")
		l := w.make(model.LinkKey, third)
		_, err = w.service.Revoke(ctx, "test", l.ID)
		testkit.Must(t, err)
		w.make(model.LinkPassphrase, third)
	},
	"two links made at once keep their people apart": func(t *testing.T, w *world) {
		for i := range 10 {
			key := func(n *model.NewLink) { n.Fingerprint = print(fmt.Sprint(i)) }
			var wg sync.WaitGroup
			var made atomic.Int32
			for j, kind := range []model.LinkKind{model.LinkKey, model.LinkPassphrase} {
				token := sha256.Sum256(fmt.Append(nil, i, j))
				n := model.NewLink{Kind: kind, User: "acme", Contact: w.jo.ID, Token: token[:], Sealed: []byte("x")}
				key(&n)
				wg.Go(func() {
					if _, err := w.service.Make(ctx, "test", n); err == nil {
						made.Add(1)
					} else if !fault.Is(err, fault.Denied) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if made.Load() != 1 {
				t.Fatalf("%d halves went to one person", made.Load())
			}
		}
	},
	"what is refused": func(t *testing.T, w *world) {
		new, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Account: "acme", Name: "New", Email: "new@acme.example"})
		testkit.Must(t, err)
		sam := w.Verified("globex", "sam@globex.example")
		gone := w.Verified("acme", "gone@acme.example")
		_, err = w.Accounts.ContactLeaves(ctx, "test", gone.ID)
		testkit.Must(t, err)
		for name, c := range map[string]struct {
			kind   model.LinkKind
			change func(*model.NewLink)
			want   fault.Kind
		}{
			"an address that is not verified": {model.LinkKey, func(n *model.NewLink) { n.Contact = new.ID }, fault.Conflict},
			"another account's contact":       {model.LinkKey, func(n *model.NewLink) { n.Contact = sam.ID }, fault.NotFound},
			"who has left": {model.LinkKey, func(n *model.NewLink) { n.Contact = gone.Email },
				fault.NotFound},
			"nobody":        {model.LinkKey, func(n *model.NewLink) { n.Contact = "" }, fault.NotFound},
			"nobody's user": {model.LinkKey, func(n *model.NewLink) { n.User = "initech" }, fault.NotFound},
			"no user":       {model.LinkKey, func(n *model.NewLink) { n.User = "" }, fault.Invalid},
			"no key": {model.LinkPassphrase, func(n *model.NewLink) { n.Fingerprint = "" },
				fault.Invalid},
			"a mistyped key": {model.LinkKey, func(n *model.NewLink) { n.Fingerprint = n.Fingerprint[1:] },
				fault.Invalid},
			"an unknown kind": {"poem", func(*model.NewLink) {}, fault.Invalid},
			"a short token":   {model.LinkKey, func(n *model.NewLink) { n.Token = n.Token[:31] }, fault.Invalid},
			"nothing in it":   {model.LinkKey, func(n *model.NewLink) { n.Sealed = nil }, fault.Invalid},
			"something in a proof": {model.LinkVerify, func(n *model.NewLink) { n.Sealed = []byte("x") },
				fault.Invalid},
			"far too much in it": {model.LinkKey, func(n *model.NewLink) { n.Sealed = make([]byte, 300<<10) },
				fault.Invalid},
		} {
			if _, err := w.ask(c.kind, w.jo.ID, c.change); !fault.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		if list, err := w.service.Links(ctx, model.OfUserFilter{}); err != nil || len(list) > 0 ||
			len(w.Audited("link.make")) > 0 {
			t.Fatalf("%v, %v", list, err)
		}
		l := w.make(model.LinkKey, w.jo)
		_, err = w.ask(model.LinkKey, w.jo.ID, func(n *model.NewLink) { n.Token = l.token })
		testkit.WantKind(t, err, fault.Exists)
	},
	"of fifty at once one wins": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		var wg sync.WaitGroup
		var won, lost atomic.Int32
		begin := make(chan struct{})
		for range 50 {
			wg.Go(func() {
				<-begin
				var held []byte
				err := w.service.Open(ctx, l.token, "203.0.113.7",
					func(_ model.Link, sealed []byte) error { held = sealed; return nil })
				switch {
				case err == nil && string(held) == "sealed key":
					won.Add(1)
				case fault.Is(err, fault.NotFound):
					lost.Add(1)
				default:
					t.Errorf("%q, %v", held, err)
				}
			})
		}
		close(begin)
		wg.Wait()
		if won.Load() != 1 || lost.Load() != 49 || len(w.Audited("link.open")) != 1 {
			t.Fatalf("%d won, %d lost, %v", won.Load(), lost.Load(), w.Audited("link.open"))
		}
		w.wantRow(l, "opened", "")
	},
	"content that does not fit leaves the link waiting": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		for _, want := range []error{fault.E("t", fault.NotFound, "This link does not work."), errors.New("boom")} {
			err := w.service.Open(ctx, l.token, "203.0.113.7", func(model.Link, []byte) error { return want })
			if fault.KindIn(err) != fault.KindIn(want) {
				t.Fatalf("%v, want %v", err, want)
			}
			w.wantRow(l, "waiting", "sealed key")
		}
		if len(w.Audited("link.open")) > 0 {
			t.Fatal("it was noted as opened")
		}
		held, err := w.open(l)
		if err != nil || string(held) != "sealed key" {
			t.Fatalf("%q, %v", held, err)
		}
	},
	"it is over after exactly 72 hours": func(t *testing.T, w *world) {
		early, late := w.make(model.LinkKey, w.jo), w.make(model.LinkPassphrase, w.ann)
		w.Pass(72*time.Hour - time.Microsecond)
		testkit.Must(t, w.service.Expire(ctx))
		_, err := w.service.Waiting(ctx, early.token)
		testkit.Must(t, err)
		held, err := w.open(early)
		if err != nil || string(held) != "sealed key" {
			t.Fatalf("a microsecond before its end: %q, %v", held, err)
		}
		w.Pass(time.Microsecond)
		w.wantGone(late) // even before Expire runs
		w.wantRow(late, "waiting", "sealed passphrase")
		testkit.Must(t, w.service.Expire(ctx))
		testkit.Must(t, w.service.Expire(ctx))
		w.wantRow(late, "expired", "")
		w.wantGone(late)
		if got := w.Audited("link.expire"); len(got) != 1 || got[0] != "system:keeper" {
			t.Fatalf("audit: %v", got)
		}
		w.make(model.LinkKey, w.ann) // the revoked link was never opened
	},
	"a revoked link is forgotten": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		got, err := w.service.Revoke(ctx, "boss", l.ID)
		if err != nil || got.State != model.LinkRevoked {
			t.Fatalf("%+v, %v", got, err)
		}
		w.wantRow(l, "revoked", "")
		w.wantGone(l)
		_, err = w.service.Revoke(ctx, "boss", l.ID)
		testkit.WantKind(t, err, fault.Conflict)
		o := w.make(model.LinkKey, w.jo)
		_, err = w.open(o)
		testkit.Must(t, err)
		_, err = w.service.Revoke(ctx, "boss", o.ID)
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Revoke(ctx, "boss", "nothing")
		testkit.WantKind(t, err, fault.NotFound)
		if got := w.Audited("link.revoke"); len(got) != 1 || got[0] != "boss" {
			t.Fatalf("audit: %v", got)
		}
	},
	"an opened link proves the address": func(t *testing.T, w *world) {
		c, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Account: "acme", Name: "New", Email: "new@acme.example"})
		testkit.Must(t, err)
		l := w.make(model.LinkVerify, c)
		w.Pass(time.Hour)
		held, err := w.open(l)
		if err != nil || held != nil {
			t.Fatalf("%q, %v", held, err)
		}
		if c, err = w.Accounts.Contact(ctx, c.ID); err != nil || c.VerifiedAt == nil || !c.VerifiedAt.Equal(w.Clock()) ||
			c.Verified != "by link" {
			t.Fatalf("%+v, %v", c, err)
		}
		w.wantGone(l)
		w.make(model.LinkKey, c)
	},
	"an address that two have is verified for the one meant": func(t *testing.T, w *world) {
		twin := w.Verified("globex", "jo@acme.example")
		_, err := w.ask(model.LinkVerify, "jo@acme.example")
		testkit.WantKind(t, err, fault.Conflict)
		l, err := w.ask(model.LinkVerify, twin.ID)
		if err != nil || l.ContactID != twin.ID {
			t.Fatalf("%+v, %v", l, err)
		}
		_, err = w.ask(model.LinkKey, "jo@acme.example") // the contact of this user is chosen
		testkit.Must(t, err)
	},
	"links are listed with their states": func(t *testing.T, w *world) {
		links := []link{w.make(model.LinkKey, w.jo), w.make(model.LinkPassphrase, w.ann), w.make(model.LinkVerify, w.jo)}
		_, err := w.open(links[0])
		testkit.Must(t, err)
		_, err = w.service.Revoke(ctx, "test", links[1].ID)
		testkit.Must(t, err)
		w.Pass(72 * time.Hour)
		list, err := w.service.Links(ctx, model.OfUserFilter{})
		testkit.Must(t, err)
		if len(list) != 3 || list[0].State != model.LinkExpired || list[1].State != model.LinkRevoked ||
			list[2].State != model.LinkOpened ||
			list[2].OpenedFrom != "203.0.113.7" || list[2].EndedAt == nil || list[2].User != "acme" || list[0].User != "" {
			t.Fatalf("%+v", list)
		}
		if list, err = w.service.Links(ctx, model.OfUserFilter{User: "acme"}); err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		if list, err = w.service.Links(ctx, model.OfUserFilter{User: "globex"}); err != nil || len(list) != 0 {
			t.Fatalf("%+v, %v", list, err)
		}
	},
	"two keepers expire a link once": func(t *testing.T, w *world) {
		for range 20 {
			w.make(model.LinkKey, w.jo)
		}
		w.Pass(72 * time.Hour)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := w.service.Expire(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := w.Audited("link.expire"); len(got) != 20 {
			t.Fatalf("20 links wrote %d rows", len(got))
		}
	},
	"a keeper expires links until it is told to stop": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		w.Pass(73 * time.Hour)
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.service.Keep(ctx, slog.New(slog.DiscardHandler))
		}()
		testkit.Eventually(t, "the keeper expires a link", func() bool { state, _ := w.row(l); return state == "expired" })
		cancel()
		<-done
	},
	// The database refuses the audit row, after the content was read.
	"a failed transaction hands nothing over, and can be tried": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		_, err := w.DB.Exec("ALTER TABLE audit RENAME TO away")
		testkit.Must(t, err)
		_, err = w.open(l)
		testkit.WantKind(t, err, fault.Unavailable)
		_, err = w.DB.Exec("ALTER TABLE away RENAME TO audit")
		testkit.Must(t, err)
		w.wantRow(l, "waiting", "sealed key")
		held, err := w.open(l)
		if err != nil || string(held) != "sealed key" {
			t.Fatalf("%q, %v", held, err)
		}
	},
	"a lost answer hands over what was used up": func(t *testing.T, w *world) {
		for _, kind := range []model.LinkKind{model.LinkKey, model.LinkVerify} {
			l := w.make(kind, w.jo)
			w.Asked.LoseCommits(true, 1)
			held, err := w.open(l)
			w.Asked.Stop()
			if want := map[model.LinkKind]string{model.LinkKey: "sealed key"}[kind]; err != nil || string(held) != want {
				t.Fatalf("%s: the link is used up, and was handed over as %q, %v", kind, held, err)
			}
			w.wantRow(l, "opened", "")
			w.wantGone(l)
		}
		if n := len(w.Audited("link.open")); n != 2 {
			t.Fatalf("2 openings wrote %d rows", n)
		}
	},
	"a lost opening leaves the link waiting": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		w.Asked.LoseCommits(false, 1)
		_, err := w.open(l)
		w.Asked.Stop()
		testkit.WantKind(t, err, fault.Unavailable)
		if errors.Is(err, handover.ErrUnknown) {
			t.Fatalf("it is known that the link waits: %v", err)
		}
		w.wantRow(l, "waiting", "sealed key")
		held, err := w.open(l)
		if err != nil || string(held) != "sealed key" {
			t.Fatalf("%q, %v", held, err)
		}
	},
	"whose opening was lost may find another's": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		lost := false
		w.Asked.Watch(func(_ int, statement string, ran bool) error {
			switch {
			case statement == "COMMIT" && !ran && !lost:
				lost = true
				return testkit.ErrStatement
			case lost && !ran && strings.HasPrefix(statement, "BEGIN"): // the first query
				_, err := w.DB.Exec("UPDATE links SET state = 'opened', sealed = NULL WHERE id = $1", l.ID)
				return err
			}
			return nil
		})
		_, err := w.open(l)
		w.Asked.Stop()
		testkit.WantKind(t, err, fault.NotFound)
	},
	"an outcome that stays unknown is called so": func(t *testing.T, w *world) {
		l := w.make(model.LinkKey, w.jo)
		lost := false
		w.Asked.Watch(func(_ int, statement string, ran bool) error {
			if lost || statement == "COMMIT" && ran {
				lost = true
				return testkit.ErrStatement
			}
			return nil
		})
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		err := w.service.Open(short, l.token, "203.0.113.7", func(model.Link, []byte) error { return nil })
		looks := len(w.Asked.Stop())
		if !errors.Is(err, handover.ErrUnknown) || looks < 6 {
			t.Fatalf("after %d statements: %v", looks, err)
		}
		w.wantRow(l, "opened", "")
	},
}

func TestLinks(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, linkStories)
	})
}

// TestEveryStepOfALink runs each operation with its context ended at each statement, with each
// statement refused, and with the answer of each COMMIT lost.
func TestEveryStepOfALink(t *testing.T) {
	testkit.OnBothSteps(t, func(t *testing.T, on testkit.Stepped) {
		w := newWorld(t, on.URL).begin(t)
		w.Asked.Proxy = on.Proxy
		var l link
		var held []byte
		made := func() { l, held = w.make(model.LinkKey, w.jo), nil }
		for name, o := range map[string]testkit.Operation{
			"made": {Begin: func() { w.made++ }, Do: func(c context.Context) error {
				token := sha256.Sum256(fmt.Append(nil, w.made))
				l.token, held = token[:], nil
				_, err := w.service.Make(c, "test", model.NewLink{Kind: model.LinkKey, User: "acme", Contact: w.jo.ID,
					Fingerprint: print("new"), Token: l.token, Sealed: []byte("sealed key")})
				return err
			}, Done: func(err error) bool { return fault.Is(err, fault.Exists) }},
			"opened": {Begin: made, Do: func(c context.Context) error {
				return w.service.Open(c, l.token, "203.0.113.7",
					func(_ model.Link, sealed []byte) error { held = sealed; return nil })
			}},
			"revoked": {Begin: made, Do: func(c context.Context) error {
				_, err := w.service.Revoke(c, "test", l.ID)
				return err
			}, Done: func(err error) bool { return fault.Is(err, fault.Conflict) }},
		} {
			t.Run(name, func(t *testing.T) {
				w.TB = t
				o.Check = func() error { return nil }
				o.End = func() string {
					var state string
					var sealed []byte
					testkit.Must(t, w.DB.QueryRow("SELECT state, sealed FROM links WHERE token = $1", l.token).Scan(&state, &sealed))
					return fmt.Sprintf("%s with %q, handed over %q", state, sealed, held)
				}
				t.Logf("%d runs", w.Asked.Steps(t, o))
			})
		}
	})
}
