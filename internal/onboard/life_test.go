package onboard_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var life = testkit.Stories[*world]{
	"from the form to the first file": func(t *testing.T, w *world) {
		w.Customer("globex")
		_, err := w.feeds.AddFeed(ctx, "test", model.NewFeed{Name: "cdr", Kind: "cdr", Types: []string{"csv"}})
		w.Must(err)
		_, err = w.feeds.Subscribe(ctx, "test", "cdr", model.NewSubscription{User: "globex"})
		w.Must(err)
		_, err = w.feeds.Publish(ctx, "test", feed.Publication{Feed: "cdr", All: true, Name: "old.csv", Size: -1,
			Body: strings.NewReader("a,b\n")})
		w.Must(err)

		reference, status := w.confirmed(func(n *model.NewRequest) { n.Feeds, n.Types = []string{"cdr"}, []string{"csv"} })
		if got := w.kinds(); !slices.Equal(got, []string{onboard.MailNew, onboard.MailReceived, onboard.MailVerify}) {
			t.Fatal(got)
		}
		_, err = w.service.Ask(ctx, "op:kim", reference, model.AskRequest{Text: "Which <b>account</b>?"})
		w.Must(err)
		s, err := w.service.Status(ctx, status)
		if err != nil || s.Question != "Which <b>account</b>?" || !s.MayAnswer {
			t.Fatalf("%+v, %v", s, err)
		}
		s, err = w.service.Answer(ctx, status, "Ours.")
		if err != nil || s.State != model.RequestNew || len(s.Talk) != 2 {
			t.Fatalf("%+v, %v", s, err)
		}
		r, err := w.service.Approve(ctx, "op:kim", reference, model.Approval{CreateAccount: true, Days: 30})
		if err != nil || r.State != model.RequestReady || r.User != "acme" || r.Account != "acme" || r.Approver != "op:kim" {
			t.Fatalf("%+v, %v", r, err)
		}
		if n := w.Count("deliveries d JOIN users u ON u.id = d.user_id WHERE u.name = 'acme'"); n != 1 {
			t.Errorf("%d earlier files", n)
		}
		list, err := w.Accounts.Keys(ctx, "acme")
		if err != nil || len(list) != 1 || list[0].Holder != "jo@acme.example" || list[0].Fingerprint != r.Key.Fingerprint {
			t.Errorf("%+v, %v", list, err)
		}
		c, err := w.Accounts.Contact(ctx, "jo@acme.example")
		if err != nil || c.VerifiedAt == nil || !strings.Contains(c.Verified, reference) {
			t.Errorf("%+v, %v", c, err)
		}
		w.login("acme")
		w.Must(w.service.Step(ctx))
		if got := w.state(reference); got != model.RequestFirstLogin {
			t.Fatal(got)
		}
		w.arrived("acme")
		w.Must(w.service.Step(ctx))
		r, err = w.service.Request(ctx, reference)
		var steps []string
		for _, h := range r.History {
			steps = append(steps, h.Action)
		}
		want := []string{"submit", "verify", "ask", "answer", "approve", "ready", "first_login", "first_file"}
		if err != nil || r.State != model.RequestFirstFile || !slices.Equal(steps, want) || !r.Since.Equal(w.Clock()) {
			t.Errorf("%v %v %v", r.State, steps, err)
		}
		for _, step := range want {
			if n := len(w.Audited("request." + step)); n != 1 {
				t.Errorf("%d audit rows of %s", n, step)
			}
			if n := len(w.Events("request." + step)); n != 1 {
				t.Errorf("%d events of %s", n, step)
			}
		}
		if s, err := w.service.Status(ctx, status); err != nil || s.Username != "acme" || s.MayWithdraw {
			t.Errorf("%+v, %v", s, err)
		}
	},
	"every step that a state does not allow is refused, and changes nothing": func(t *testing.T, w *world) {
		w.policy.PerHour, w.policy.PerAddress = 1000, 1000
		w.open()
		all := []model.RequestState{model.RequestUnverified, model.RequestNew, model.RequestNeedsAnswer,
			model.RequestApproved, model.RequestReady, model.RequestFirstLogin, model.RequestFirstFile,
			model.RequestWithdrawn, model.RequestRejected, model.RequestExpired}
		allowed := map[string]string{"verify": "unverified", "answer": "asked",
			"approve": "new asked approved", "ask": "new asked approved",
			"reject": "unverified new asked approved", "withdraw": "unverified new asked approved",
			"withdraw page": "new asked approved",
			"assign":        "unverified new asked approved ready entered",
			"remind":        "unverified new asked approved ready"}
		for _, state := range all {
			for step, in := range allowed {
				ref, secret := w.inState(state)
				before := w.Count("request_steps")
				_, err := map[string]func() (any, error){
					"verify": func() (any, error) { return w.service.Verify(ctx, secret) },
					"answer": func() (any, error) { return w.service.Answer(ctx, secret, "Yes.") },
					"approve": func() (any, error) {
						return w.service.Approve(ctx, "op:lee", ref, createUnless(state))
					},
					"ask": func() (any, error) { return w.service.Ask(ctx, "op:lee", ref, model.AskRequest{Text: "?"}) },
					"reject": func() (any, error) {
						return w.service.Reject(ctx, "op:lee", ref, model.RejectRequest{Reason: "No."})
					},
					"withdraw": func() (any, error) {
						return w.service.WithdrawFor(ctx, "op:lee", ref, model.WithdrawRequest{Reason: "She called."})
					},
					"withdraw page": func() (any, error) { return w.service.Withdraw(ctx, secret) },
					"assign": func() (any, error) {
						return w.service.Assign(ctx, "op:lee", ref, model.AssignRequest{Owner: "lee"})
					},
					"remind": func() (any, error) { return w.service.Remind(ctx, "op:lee", ref) },
				}[step]()
				may := slices.Contains(strings.Fields(in), string(state))
				if may != (err == nil) {
					t.Errorf("%s in %s: %v", step, state, err)
				}
				if !may && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound) {
					t.Errorf("%s in %s: %v", step, state, err)
				}
				if after := w.Count("request_steps"); !may && after != before {
					t.Errorf("%s in %s wrote steps", step, state)
				}
			}
		}
	},
	"of two approvals at once, one wins and the other is told": func(t *testing.T, w *world) {
		reference, _ := w.confirmed()
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = w.service.Approve(ctx, "op:kim", reference, model.Approval{CreateAccount: true})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.PublicText(err), "approved by op:kim") {
				t.Error(err)
			}
		}
		if n := w.Count("users"); won != 1 || n != 1 || w.Count("accounts") != 1 || w.Count("keys") != 1 {
			t.Errorf("%d won, %d users", won, n)
		}
	},
	"a key that was blocked meanwhile is refused, and nothing is made": func(t *testing.T, w *world) {
		reference, _ := w.confirmed()
		r, err := w.service.Request(ctx, reference)
		w.Must(err)
		w.Exec(`INSERT INTO burned_keys (fingerprint, how, why, actor, at) VALUES ($1, 'exposed', 'sent', 'x', 1)`,
			r.Key.Fingerprint)
		_, err = w.service.Approve(ctx, "op:kim", reference, model.Approval{CreateAccount: true})
		if !fault.Is(err, fault.Denied) {
			t.Error(err)
		}
		if w.state(reference) != model.RequestNew || w.Count("users") != 0 || w.Count("accounts") != 0 {
			t.Error("something was made")
		}
		j, err := w.service.Judge(ctx, reference)
		if err != nil || !found(j, "key", model.WeightStop) {
			t.Errorf("%+v, %v", j.Findings, err)
		}
	},
	"four eyes are two people's, and the second approves what the first did": func(t *testing.T, w *world) {
		w.policy.FourEyes = true
		w.open()
		reference, status := w.confirmed()
		r, err := w.service.Approve(ctx, "op:kim", reference, model.Approval{CreateAccount: true})
		if err != nil || r.State != model.RequestApproved || w.Count("users") != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if s, err := w.service.Status(ctx, status); err != nil || s.State != model.RequestNew {
			t.Errorf("the requester sees %v, %v", s.State, err)
		}
		if _, err := w.service.Approve(ctx, "op:kim", reference, model.Approval{}); !fault.Is(err, fault.Denied) {
			t.Error("the same person:", err)
		}
		_, err = w.service.Approve(ctx, "op:lee", reference, model.Approval{Account: "other"})
		if !fault.Is(err, fault.Conflict) {
			t.Error("something else:", err)
		}
		r, err = w.service.Approve(ctx, "op:lee", reference, model.Approval{})
		if err != nil || r.State != model.RequestReady || r.User != "acme" {
			t.Errorf("%+v, %v", r, err)
		}
	},
}

// createUnless has the account made, unless the approval is a second one.
func createUnless(state model.RequestState) model.Approval {
	return model.Approval{CreateAccount: state != model.RequestApproved}
}

// found reports whether a judgement has a finding.
func found(j model.Judgement, topic string, w model.Weight) bool {
	return slices.ContainsFunc(j.Findings, func(f model.RequestFinding) bool { return f.Topic == topic && f.Weight == w })
}

var formStories = testkit.Stories[*world]{
	"all mistakes come at once, by field": func(t *testing.T, w *world) {
		_, err := w.service.Submit(ctx, model.NewRequest{LastName: "a\r\nBcc: x@y.example", Email: "no", Username: "jо",
			Company: strings.Repeat("x", 300), Feeds: []string{"none"}, Types: []string{"../"},
			Message: "a\x1bb", Language: "!", AccountNumber: strings.Repeat("1", 100), Key: "nonsense"}, "192.0.2.7")
		var m fault.Mistakes
		if !errors.As(err, &m) || !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
		for _, field := range []string{"first_name", "last_name", "email", "username", "company", "feeds", "types",
			"message", "language", "account_number", "key"} {
			if m.Of(field) == "" {
				t.Errorf("nothing about %s", field)
			}
		}
		if w.Count("requests") != 0 {
			t.Error("it was stored")
		}
	},
	"a private key is refused, its key is blocked, and nothing of it is stored": func(t *testing.T, w *world) {
		p := testkit.NewPair(w)
		file := string(p.File(w, ""))
		_, err := w.service.Submit(ctx, w.form(func(n *model.NewRequest) { n.Key = file }), "192.0.2.7")
		var m fault.Mistakes
		if !errors.As(err, &m) || !strings.Contains(m.Of("key"), "This is a private key") {
			t.Fatal(err)
		}
		if n := w.Count("burned_keys WHERE fingerprint = $1", p.Print); n != 1 || w.Count("requests") != 0 {
			t.Errorf("%d blocked", n)
		}
		k, err := w.service.ReadKey(ctx, file, "192.0.2.8")
		if err != nil || k.Accepted || !strings.Contains(k.Problem, "private key") {
			t.Errorf("%+v, %v", k, err)
		}
	},
	"an address with too many requests is told nothing, and stores nothing": func(t *testing.T, w *world) {
		for range 5 {
			in, err := w.service.Submit(ctx, w.form(), "192.0.2.7")
			if err != nil || in.Email != "jo@acme.example" || in.Reference == "" ||
				!in.VerifyBy.Equal(w.Clock().Add(72*time.Hour)) {
				t.Errorf("%+v, %v", in, err)
			}
		}
		if n := w.Count("requests"); n != 3 || len(w.letters) != 3 {
			t.Errorf("%d requests, %d letters", n, len(w.letters))
		}
	},
	"a network address is slowed down, and all together are": func(t *testing.T, w *world) {
		mail := func(i int) func(*model.NewRequest) {
			return func(n *model.NewRequest) { n.Email = strings.Repeat("a", i+1) + "@acme.example" }
		}
		for i := range 11 {
			_, err := w.service.Submit(ctx, w.form(mail(i)), "2001:db8::7")
			if (err == nil) != (i < 10) || err != nil && !fault.Is(err, fault.Busy) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if _, err := w.service.Submit(ctx, w.form(mail(20)), "2001:db8::8"); !fault.Is(err, fault.Busy) {
			t.Error("the same /64:", err)
		}
		for i := range 60 {
			_, err := w.service.Submit(ctx, w.form(mail(20+i)), "198.51.100."+string(rune('0'+i%10))+string(rune('0'+i/10)))
			if (err == nil) != (i < 40) || err != nil && !fault.Is(err, fault.Busy) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if n := w.Count("requests"); n != 50 {
			t.Errorf("%d requests", n)
		}
		w.Pass(61 * time.Minute)
		if _, err := w.service.Submit(ctx, w.form(mail(99)), "2001:db8::7"); !fault.Is(err, fault.Busy) {
			t.Error("50 are still not confirmed:", err)
		}
	},
	"a closed form and a server without mail take nothing": func(t *testing.T, w *world) {
		w.policy.Open = false
		w.open()
		if _, err := w.service.Submit(ctx, w.form(), ""); !fault.Is(err, fault.Denied) {
			t.Error(err)
		}
	},
	"only feeds that may be asked for are offered": func(t *testing.T, w *world) {
		w.Customer("globex")
		for _, f := range []model.NewFeed{{Name: "cdr", Kind: "cdr"},
			{Name: "own", Kind: "x", Recipients: []string{"globex"}}} {
			_, err := w.feeds.AddFeed(ctx, "test", f)
			w.Must(err)
		}
		if got, err := w.service.Offers(ctx); err != nil || len(got) != 1 || got[0].Name != "cdr" || got[0].Title != "cdr" {
			t.Errorf("%+v, %v", got, err)
		}
		w.policy.Feeds = nil
		w.open()
		if got, err := w.service.Offers(ctx); err != nil || len(got) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	},
}
