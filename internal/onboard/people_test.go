package onboard_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var partnerStories = testkit.Stories[*world]{
	"looking changes nothing, one of 50 confirmations wins, and each link is for its page alone": func(t *testing.T,
		w *world) {
		reference, secret := w.submitted()
		for range 3 {
			if s, err := w.service.Look(ctx, secret); err != nil || !s.MayVerify {
				t.Errorf("%+v, %v", s, err)
			}
		}
		if w.state(reference) != model.RequestUnverified {
			t.Error("looking changed something")
		}
		if _, err := w.service.Status(ctx, secret); !fault.Is(err, fault.NotFound) {
			t.Error("the link to confirm shows the status:", err)
		}
		var wg sync.WaitGroup
		secrets := make([]string, 50)
		for i := range secrets {
			wg.Go(func() {
				v, err := w.service.Verify(ctx, secret)
				if secrets[i] = v.Status; err != nil && !fault.Is(err, fault.NotFound) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
		if len(secrets) != 1 || len(w.Audited("request.verify")) != 1 {
			t.Fatalf("%d won", len(secrets))
		}
		for _, bad := range []string{secret, "", "x", strings.Repeat("a", 43), strings.Repeat("a", 1000), reference} {
			for what, err := range map[string]error{"look": second(w.service.Look(ctx, bad)),
				"verify": second(w.service.Verify(ctx, bad)), "status": second(w.service.Status(ctx, bad)),
				"answer": second(w.service.Answer(ctx, bad, "x")), "withdraw": second(w.service.Withdraw(ctx, bad))} {
				if !fault.Is(err, fault.NotFound) {
					t.Errorf("%s of %q: %v", what, bad, err)
				}
			}
		}
		if err := second(w.service.Verify(ctx, secrets[0])); !fault.Is(err, fault.NotFound) {
			t.Error("the link to the status confirms:", err)
		}
		if n := w.Count("request_links WHERE hash = $1", []byte(secret)); n != 0 {
			t.Error("a secret is stored")
		}
	},
	"one requester's link does nothing to another's request": func(t *testing.T, w *world) {
		_, mine := w.inState(model.RequestNeedsAnswer)
		theirs, _ := w.inState(model.RequestNeedsAnswer)
		_, err := w.service.Withdraw(ctx, mine)
		w.Must(err)
		if got := w.state(theirs); got != model.RequestNeedsAnswer {
			t.Error(got)
		}
	},
	"a link to confirm ends with its time": func(t *testing.T, w *world) {
		reference, secret := w.submitted()
		w.Pass(72 * time.Hour)
		if err := second(w.service.Verify(ctx, secret)); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		w.kinds()
		w.Must(w.service.Step(ctx))
		if got := w.state(reference); got != model.RequestExpired {
			t.Error(got)
		}
		if got := w.kinds(); len(got) != 0 {
			t.Error("a stranger was mailed:", got)
		}
	},
	"all contacts of the account are told, whoever asks": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Person("acme", "ann@acme.example", model.RoleBilling)
		w.Person("acme", "sec@acme.example", model.RoleSecurity)
		w.Person("acme", "gone@acme.example")
		w.Exec(`UPDATE contacts SET left_at = 1 WHERE email = 'gone@acme.example'`)
		_, secret := w.submitted(func(n *model.NewRequest) { n.Email, n.AccountNumber = "mallory@evil.example", "ACME" })
		if n := len(w.letters); n != 1 {
			t.Errorf("%d letters before the address is confirmed", n)
		}
		_, err := w.service.Verify(ctx, secret)
		w.Must(err)
		var told []string
		for _, l := range w.letters {
			if l.Kind == onboard.MailContacts {
				told = append(told, l.Contact.Email)
			}
		}
		slices.Sort(told)
		if !slices.Equal(told, []string{"ann@acme.example", "sec@acme.example"}) {
			t.Error(told)
		}
	},
}

// second returns the second of two results.
func second(_ any, err error) error { return err }

var operatorStories = testkit.Stories[*world]{
	"what decides is found": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("acrne")
		w.Person("acme", "ann@acme.example")
		taken := w.Enrol("acrne")
		for name, c := range map[string]struct {
			change func(*model.NewRequest)
			topic  string
			weight model.Weight
		}{
			"the same domain":     {func(*model.NewRequest) {}, "domain", model.WeightGood},
			"another domain":      {func(n *model.NewRequest) { n.Email = "jo@evil.example" }, "domain", model.WeightWarn},
			"free mail":           {func(n *model.NewRequest) { n.Email = "jo@gmail.com" }, "domain", model.WeightWarn},
			"a contact":           {func(n *model.NewRequest) { n.Email = "ann@acme.example" }, "domain", model.WeightGood},
			"no account":          {func(n *model.NewRequest) { n.AccountNumber = "nobody" }, "account", model.WeightStop},
			"no number":           {func(n *model.NewRequest) { n.AccountNumber = "" }, "account", model.WeightStop},
			"a name that is held": {func(*model.NewRequest) {}, "username", model.WeightStop},
			"another's key":       {func(n *model.NewRequest) { n.Key = taken.Line }, "key", model.WeightStop},
		} {
			w.Exec(`DELETE FROM request_links`)
			w.Exec(`DELETE FROM request_steps`)
			w.Exec(`DELETE FROM requests`)
			reference, _ := w.confirmed(c.change)
			j, err := w.service.Judge(ctx, reference)
			if err != nil || !found(j, c.topic, c.weight) {
				t.Errorf("%s: %+v, %v", name, j.Findings, err)
			}
			w.Pass(25 * time.Hour)
		}
	},
	"names that look like others are seen": func(t *testing.T, w *world) {
		w.Policy.NameRule = "free"
		w.OpenAccounts()
		w.open()
		w.Customer("acme-lond0n")
		for i, name := range []string{"acme-london", "ACME.LONDON", "acrne-london", "acme_iondon", "acme-1ondon"} {
			reference, _ := w.confirmed(func(n *model.NewRequest) {
				n.Username, n.AccountNumber, n.Email = name, "new", fmt.Sprintf("a%d@acme.example", i)
			})
			j, err := w.service.Judge(ctx, reference)
			if err != nil || !found(j, "username", model.WeightWarn) {
				t.Errorf("%s: %+v, %v", name, j.Findings, err)
			}
		}
		reference, _ := w.confirmed(func(n *model.NewRequest) {
			n.Username, n.AccountNumber, n.Email = "globex", "new", "b@acme.example"
		})
		j, err := w.service.Judge(ctx, reference)
		if err != nil || !found(j, "username", model.WeightGood) {
			t.Errorf("%+v, %v", j.Findings, err)
		}
	},
	"a request that came by phone needs no link, if it is said how it was checked": func(t *testing.T, w *world) {
		w.Customer("acme")
		n := model.AddRequest{NewRequest: w.form(), Channel: model.ChannelPhone, Verified: "called back"}
		r, err := w.service.Add(ctx, "op:kim", n)
		if err != nil || r.State != model.RequestNew || r.Channel != model.ChannelPhone {
			t.Fatalf("%+v, %v", r, err)
		}
		if _, err := w.service.Add(ctx, "op:kim", n); !fault.Is(err, fault.Exists) {
			t.Error("repeated:", err)
		}
		r, err = w.service.Approve(ctx, "op:kim", r.Reference, model.Approval{UserExists: true})
		if err != nil || r.User != "acme" {
			t.Errorf("%+v, %v", r, err)
		}
		n.NewRequest = w.form(func(n *model.NewRequest) { n.Email = "new@acme.example" })
		n.Verified = ""
		if r, err = w.service.Add(ctx, "op:kim", n); err != nil || r.State != model.RequestUnverified {
			t.Errorf("%+v, %v", r, err)
		}
		if n.Channel = "pigeon"; !fault.Is(second(w.service.Add(ctx, "op:kim", n)), fault.Invalid) {
			t.Error("a pigeon came")
		}
	},
	"lists are filtered, and requests are found by reference": func(t *testing.T, w *world) {
		reference, _ := w.inState(model.RequestNew)
		w.inState(model.RequestRejected)
		w.inState(model.RequestUnverified)
		count := func(f model.RequestFilter) int {
			list, err := w.service.Requests(ctx, f)
			w.Must(err)
			return len(list)
		}
		for name, c := range map[string]struct {
			f    model.RequestFilter
			want int
		}{"all": {model.RequestFilter{}, 3}, "open": {model.RequestFilter{Open: true}, 1},
			"state":  {model.RequestFilter{In: model.RequestRejected}, 1},
			"number": {model.RequestFilter{Number: "ACCT0"}, 1}, "email": {model.RequestFilter{Email: "jo0@acme.example"}, 1},
			"late":      {model.RequestFilter{Late: true}, 0},
			"for us":    {model.RequestFilter{WaitsFor: model.AwaitedOperator}, 1},
			"for them":  {model.RequestFilter{WaitsFor: model.AwaitedRequester}, 1},
			"a text":    {model.RequestFilter{Text: "TELEcom"}, 3},
			"a name":    {model.RequestFilter{Text: "jo hill", In: model.RequestNew}, 1},
			"no letter": {model.RequestFilter{Text: "%"}, 0},
			"since":     {model.RequestFilter{Span: model.Span{Since: w.Clock().Add(time.Hour)}}, 0}} {
			if got := count(c.f); got != c.want {
				t.Errorf("%s: %d, want %d", name, got, c.want)
			}
		}
		_, err := w.service.Assign(ctx, "op:kim", reference, model.AssignRequest{Owner: "kim"})
		w.Must(err)
		w.Pass(49 * time.Hour)
		if count(model.RequestFilter{Late: true, Owner: "kim"}) != 1 {
			t.Error("it is not late")
		}
		counts, err := w.service.Counts(ctx, model.RequestCountQuery{Owner: "kim"})
		want := model.RequestCounts{Operator: 1, Late: 1, Unverified: 1, Open: 1, Owned: 1}
		if err != nil || counts != want {
			t.Errorf("%+v, %v; want %+v", counts, err, want)
		}
		r, err := w.service.Request(ctx, strings.ToUpper(reference))
		if err != nil || !r.Late || r.Owner != "kim" {
			t.Errorf("%+v, %v", r, err)
		}
		if err := second(w.service.Request(ctx, "none")); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	},
	"a name that is taken meanwhile stops the approval, and nothing of it stays": func(t *testing.T, w *world) {
		w.Customer("globex")
		reference, _ := w.confirmed()
		_, err := w.service.Approve(ctx, "op:kim", reference, model.Approval{CreateAccount: true, Username: "globex"})
		if err == nil || w.Count("accounts") != 1 || w.Count("contacts") != 0 || w.state(reference) != model.RequestNew {
			t.Error(err)
		}
	},
}

var keepStories = testkit.Stories[*world]{
	"who is waited for is reminded three times, and then it ends": func(t *testing.T, w *world) {
		reference, _ := w.inState(model.RequestNeedsAnswer)
		w.kinds()
		for day := range 31 {
			w.Must(w.service.Step(ctx))
			w.Must(w.service.Step(ctx)) // twice does nothing more
			got := w.kinds()
			want := []string{}
			if day > 0 && day%7 == 0 && day < 22 {
				want = []string{onboard.MailReminder}
			} else if day == 30 {
				want = []string{onboard.MailExpired}
			}
			if !slices.Equal(got, want) && len(got)+len(want) > 0 {
				t.Errorf("day %d: %v, want %v", day, got, want)
			}
			w.Pass(testkit.Day)
		}
		if got := w.state(reference); got != model.RequestExpired {
			t.Error(got)
		}
	},
	"operators are told of what is late, and new users of what hinders them": func(t *testing.T, w *world) {
		w.inState(model.RequestNew)
		w.inState(model.RequestReady)
		w.kinds()
		w.Pass(49 * time.Hour)
		w.Must(w.service.Step(ctx))
		if got := w.kinds(); !slices.Equal(got, []string{onboard.MailLate}) {
			t.Error(got)
		}
		w.Pass(6 * testkit.Day)
		w.Must(w.service.Step(ctx))
		if got := w.kinds(); !slices.Equal(got, []string{onboard.MailUnused}) {
			t.Error(got)
		}
	},
	"what nobody confirmed is removed after a week, and what was confirmed stays": func(t *testing.T, w *world) {
		w.submitted()
		w.inState(model.RequestRejected)
		w.Pass(73 * time.Hour)
		w.Must(w.service.Step(ctx))
		if w.Count("requests") != 2 {
			t.Error("it is gone at once")
		}
		w.Pass(8 * testkit.Day)
		w.Must(w.service.Step(ctx))
		if n, links := w.Count("requests"), w.Count("request_links WHERE purpose = 'verify'"); n != 1 || links != 0 {
			t.Errorf("%d requests, %d links", n, links)
		}
		if got := w.Audited("request.remove"); len(got) != 1 {
			t.Error(got)
		}
	},
	"a clock that is set back stops nothing": func(t *testing.T, w *world) {
		_, secret := w.submitted()
		w.Pass(-48 * time.Hour)
		v, err := w.service.Verify(ctx, secret)
		w.Must(err)
		s, err := w.service.Status(ctx, v.Status)
		if err != nil || len(s.Steps) != 2 || s.Steps[0].State != model.RequestUnverified {
			t.Errorf("%+v, %v", s, err)
		}
		w.Must(w.service.Step(ctx))
	},
	"earlier files that could not be placed are placed later": func(t *testing.T, w *world) {
		_, err := w.feeds.AddFeed(ctx, "test", model.NewFeed{Name: "cdr", Kind: "cdr"})
		w.Must(err)
		reference, _ := w.confirmed()
		r, err := w.service.Approve(ctx, "op:kim", reference, model.Approval{CreateAccount: true, Feeds: []string{"cdr"}})
		w.Must(err)
		w.Exec(`INSERT INTO request_fills (request_id, feed, days, actor) VALUES ($1, 'cdr', 30, 'op:kim')`, r.ID)
		w.Must(w.service.Step(ctx))
		if n := w.Count("request_fills"); n != 0 {
			t.Errorf("%d wait", n)
		}
	},
}
