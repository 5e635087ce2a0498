package partners_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/partners"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

type world struct {
	*testkit.World
	s *partners.Service
}

func begin(w *world, t testing.TB) *world {
	w.Begin(t)
	w.Policy.Regions = map[string]string{"eu": ""}
	w.OpenAccounts()
	w.OpenBlobs()
	feeds := feed.New(feed.Options{Store: w.Store, Blobs: w.Blobs, Clock: w.Clock, IDs: w.IDs, Zone: time.UTC,
		Class: func(string, string, string) string { return model.ClassDefault },
		May:   func(model.User) string { return "" }})
	_, err := feeds.AddFeed(context.Background(), "test", model.NewFeed{Name: "cdr", Kind: "cdr"})
	w.Must(err)
	w.s = partners.New(w.Store, w.Accounts, feeds)
	return w
}

// does imports, and returns what it did as lines.
func (w *world) does(in model.ImportPartners) (lines []string, out model.Imported) {
	w.Helper()
	out, err := w.s.Import(context.Background(), "kim", in)
	w.Must(err)
	for _, s := range out.Steps {
		lines = append(lines, fmt.Sprintf("%d %s %s", s.Line, s.Does, s.What))
	}
	return lines, out
}

// acme is an account with everything.
func acme(key string) model.ImportPartners {
	return model.ImportPartners{Vendors: []model.PartnerVendor{{Line: 1, Short: "carrier", Name: "Carrier"}},
		Accounts: []model.PartnerAccount{{Line: 2, ID: "child", Name: "Child", Parent: "ACME"},
			{Line: 3, ID: "Acme", Name: "Acme Ltd", Region: "eu", AllowIPs: []string{"192.0.2.1"}, Tags: []string{"gold"},
				Manager:  &model.Person{Name: "Kim", Email: "kim@example.com"},
				Contacts: []model.PartnerContact{{Line: 4, Name: "Jo", Email: "Jo@acme.example"}},
				Users: []model.PartnerUser{{Line: 5, Keys: []model.PartnerKey{{Text: key}},
					Feeds: []model.PartnerFeed{{Feed: "cdr"}}, Tags: []string{"night"}}, {Line: 6, Vendor: "carrier"}}}}}
}

func (w *world) same(got []string, want ...string) {
	w.Helper()
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		w.Errorf("it did\n%s\nwant\n%s", a, b)
	}
}

func TestPartners(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, &world{World: testkit.NewWorld(t, url)}, begin, stories)
	})
}

var stories = testkit.Stories[*world]{
	"everything comes once, parents first": func(t *testing.T, w *world) {
		key := testkit.NewPair(t)
		in := acme(key.Line)
		in.DryRun = true
		dry, _ := w.does(in)
		if w.Count("accounts")+w.Count("vendors") > 0 {
			t.Fatal("a dry run changed something")
		}
		in.DryRun = false
		lines, out := w.does(in)
		w.same(lines, dry...)
		w.same(lines, "1 add vendor carrier", "3 add account Acme", "3 add manager of account Acme",
			"3 add tags of account Acme", "4 add contact Jo@acme.example of Acme", "5 add user Acme", "5 add tags of user Acme",
			"5 add key "+key.Print+" of Acme", "5 add feed cdr for Acme", "6 add user Acme-carrier", "2 add account child")
		if out.Done != 11 || len(w.Audited("account.add")) != 2 || w.Audited("key.add")[0] != "kim" {
			t.Errorf("%d done, audited %v", out.Done, w.Audited("account.add"))
		}
		lines, out = w.does(in)
		w.same(lines, "1 same vendor carrier", "3 same account Acme", "4 same contact Jo@acme.example of Acme",
			"5 same user Acme", "5 same key "+key.Print+" of Acme", "5 same feed cdr for Acme", "6 same user Acme-carrier",
			"2 same account child")
		if out.Done != 0 {
			t.Error("it did something again")
		}
	},
	"what differs is changed only if that is asked for": func(t *testing.T, w *world) {
		in := acme(testkit.NewPair(t).Line)
		w.does(in)
		a := &in.Accounts[1]
		a.Name, a.AllowIPs, a.Contacts[0].Phone, a.Users[0].StartDir = "Acme Inc", []string{"192.0.2.2"}, "1", "/download"
		a.Users[0].Feeds[0].Dir = "/download/calls"
		_, out := w.does(in)
		if out.Count(model.ImportDiffers) != 4 || out.Done != 0 {
			t.Errorf("%+v", out)
		}
		in.Update = true
		if _, out = w.does(in); out.Count(model.ImportChanges) != 4 || out.Done != 4 {
			t.Errorf("%+v", out)
		}
		if _, out = w.does(in); out.Done != 0 || out.Count(model.ImportDiffers) > 0 {
			t.Errorf("it differs still: %+v", out)
		}
	},
	"every mistake is told, and nothing is changed": func(t *testing.T, w *world) {
		w.Customer("taken")
		held := w.Enrol("taken")
		burned := testkit.NewPair(t)
		w.Exec(`INSERT INTO burned_keys (fingerprint, how, why, actor, at) VALUES ($1, 'exposed', 'it was sent', 'x', 1)`,
			burned.Print)
		pair := testkit.NewPair(t)
		keys := func(text ...string) (out []model.PartnerKey) {
			for _, k := range text {
				out = append(out, model.PartnerKey{Text: k})
			}
			return out
		}
		many := model.PartnerUser{Name: "many"}
		for range 6 {
			many.Keys = append(many.Keys, model.PartnerKey{Text: testkit.NewPair(t).Line})
		}
		_, out := w.does(model.ImportPartners{
			Vendors: []model.PartnerVendor{{Short: "Bad Name", Name: "x"}, {Short: "v", Name: ""}, {Short: "ok", Name: "OK"},
				{Short: "ok", Name: "OK"}},
			Accounts: []model.PartnerAccount{{ID: "a", Name: "A", Region: "mars"}, {ID: "b", Name: "B", Parent: "none"},
				{ID: "c", Name: "C", AllowIPs: []string{"x"}}, {ID: "d", Name: "D"}, {ID: "D", Name: "D"},
				{ID: "e", Name: "E", Manager: &model.Person{Name: "x", Email: "x"},
					Users: []model.PartnerUser{{Name: "not looked at"}}},
				{ID: "f", Name: "F", Tags: []string{"Bad"}, Contacts: []model.PartnerContact{{Name: "x", Email: "x"},
					{Name: "x", Email: "x@example.com", Roles: []string{"king"}}, {Name: "x", Email: "y@example.com"},
					{Name: "x", Email: "Y@example.com"}}, Users: []model.PartnerUser{{Name: "taken"}, {Vendor: "none"},
					{Name: "root"}, {Name: "u", Keys: keys(held.Line, burned.Line, "x", pair.Line),
						Feeds: []model.PartnerFeed{{Feed: "none"}, {Feed: "cdr", Dir: "/"}}},
					{Name: "u2", Keys: keys(pair.Line, string(pair.File(t, "")))}, {Name: "U2"}, many}}}})
		if n := out.Count(model.ImportMistake); n != 24 {
			t.Errorf("%d mistakes", n)
			for _, s := range out.Steps {
				t.Logf("%s %s: %s", s.Does, s.What, s.Text)
			}
		}
		if out.Done != 0 || w.Count("accounts") != 1 || w.Count("vendors") != 0 {
			t.Error("something was changed")
		}
	},
	"a carrier has one key for many accounts": func(t *testing.T, w *world) {
		key := []model.PartnerKey{{Text: testkit.NewPair(t).Line}}
		in := model.ImportPartners{Vendors: []model.PartnerVendor{{Short: "carrier", Name: "Carrier"}}}
		for _, id := range []string{"a", "b"} {
			in.Accounts = append(in.Accounts, model.PartnerAccount{ID: id, Name: id,
				Users: []model.PartnerUser{{Vendor: "carrier", Keys: key}}})
		}
		if _, out := w.does(in); out.Count(model.ImportMistake) > 0 || w.Count("keys") != 2 {
			t.Errorf("%+v", out)
		}
	},
	"a step that fails stops it, and the same file goes on": func(t *testing.T, w *world) {
		in := acme(testkit.NewPair(t).Line)
		refuse := true
		w.Asked.Watch(func(_ int, statement string, ran bool) error {
			if refuse && !ran && strings.HasPrefix(statement, "INSERT INTO contacts") {
				return testkit.ErrStatement
			}
			return nil
		})
		if _, err := w.s.Import(context.Background(), "kim", in); err == nil {
			t.Fatal("it did not fail")
		}
		if w.Count("accounts") != 1 || w.Count("users") != 0 {
			t.Error("it did not stop there")
		}
		refuse = false
		lines, out := w.does(in)
		w.Asked.Stop()
		if lines[1] != "3 same account Acme" || w.Count("accounts") != 2 || w.Count("keys") != 1 || out.Done == 0 {
			t.Error(lines)
		}
	},
	"a plan ends with its request, and one import is at work at a time": func(t *testing.T, w *world) {
		ctx, leave := context.WithCancel(context.Background())
		asked := 0
		var second error
		w.Asked.Watch(func(_ int, _ string, _ bool) error {
			if asked++; asked == 1 {
				gone, cancel := context.WithCancel(context.Background())
				cancel()
				_, second = w.s.Import(gone, "kim", acme(""))
				leave()
			}
			return nil
		})
		_, err := w.s.Import(ctx, "kim", acme(testkit.NewPair(t).Line))
		w.Asked.Stop()
		if err == nil || asked > 2 || w.Count("accounts") != 0 {
			t.Errorf("after its end: %v, %d statements", err, asked)
		}
		if !fault.Is(second, fault.Unavailable) {
			t.Errorf("an import beside another: %v", second)
		}
		if _, out := w.does(acme(testkit.NewPair(t).Line)); out.Done == 0 {
			t.Error("the next import did nothing")
		}
	},
}
