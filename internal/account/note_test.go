package account_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestNotesTagsAndManagers(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, testkit.NewWorld(t, url), func(w *testkit.World, t testing.TB) *testkit.World {
			w.Begin(t)
			w.Vendor("carrier", "acme")
			return w
		}, noteStories)
	})
}

var noteStories = testkit.Stories[*testkit.World]{
	"a note is of one thing, and can be removed": func(t *testing.T, w *testkit.World) {
		ctx := context.Background()
		for _, n := range []model.NewNote{{Account: "ACME", Text: "first"}, {Vendor: "carrier", Text: "second"},
			{User: "acme-carrier", Text: "two\nlines"}} {
			_, err := w.Accounts.AddNote(ctx, "kim", n)
			w.Must(err)
		}
		all, err := w.Accounts.Notes(ctx, model.NoteFilter{Paging: model.Paging{Limit: 10}})
		w.Must(err)
		if len(all) != 3 || all[0].User != "acme-carrier" || all[1].Vendor != "carrier" || all[2].Account != "acme" {
			t.Fatalf("%+v", all)
		}
		w.Must(w.Accounts.RemoveNote(ctx, "kim", all[2].ID))
		if err := w.Accounts.RemoveNote(ctx, "kim", all[2].ID); !fault.Is(err, fault.NotFound) {
			t.Error("removed twice:", err)
		}
		of, err := w.Accounts.Notes(ctx, model.NoteFilter{Account: "acme", Paging: model.Paging{Limit: 10}})
		w.Must(err)
		if len(of) != 0 || len(w.Audited("note.add")) != 3 || len(w.Audited("note.remove")) != 1 {
			t.Errorf("%+v", of)
		}
		if found := w.Texts(`SELECT detail FROM audit WHERE detail LIKE '%second%'`); len(found) > 0 {
			t.Error("the audit log has a note's text, which can't be removed from there:", found)
		}
	},
	"notes and tags that are none": func(t *testing.T, w *testkit.World) {
		ctx := context.Background()
		for _, n := range []model.NewNote{{Text: "x"}, {Account: "acme", Vendor: "carrier", Text: "x"},
			{Account: "acme", Text: " \n "}, {Account: "acme", Text: "a\x1b[2J"}, {Account: "acme", Text: "\xff"},
			{Account: "acme", Text: strings.Repeat("a", 5000)}} {
			if _, err := w.Accounts.AddNote(ctx, "kim", n); !fault.Is(err, fault.Invalid) {
				t.Errorf("%.40q: %v", n.Text, err)
			}
		}
		many := model.EditTags{Account: "acme"}
		for i := range 33 {
			many.Add = append(many.Add, fmt.Sprintf("t%d", i))
		}
		for _, e := range []model.EditTags{{Account: "acme"}, {Add: []string{"x"}}, {Account: "acme", Add: []string{`a"b`}},
			{Account: "acme", Add: []string{""}}, many} {
			if _, err := w.Accounts.EditTags(ctx, "kim", e); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", e, err)
			}
		}
		if _, err := w.Accounts.EditTags(ctx, "kim", model.EditTags{User: "nobody",
			Add: []string{"x"}}); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	},
	"a tag is found whole, of a user by its account's, too": func(t *testing.T, w *testkit.World) {
		ctx := context.Background()
		tags, err := w.Accounts.EditTags(ctx, "kim", model.EditTags{Account: "acme", Add: []string{"gold", "eu", "gold"}})
		w.Must(err)
		if !slices.Equal(tags.Tags, []string{"eu", "gold"}) {
			t.Error(tags)
		}
		for tag, want := range map[string]int{"gold": 1, "gol": 0, "": 1, `old"`: 0} {
			accounts, err := w.Accounts.Accounts(ctx, model.AccountFilter{Tag: tag})
			w.Must(err)
			users, err := w.Accounts.Users(ctx, model.UserFilter{Tag: tag})
			w.Must(err)
			if len(accounts) != want || len(users) != want {
				t.Errorf("%q: %d accounts and %d users, want %d", tag, len(accounts), len(users), want)
			}
		}
	},
	"a manager has a name and an address": func(t *testing.T, w *testkit.World) {
		ctx := context.Background()
		set := func(p model.Person) (model.Account, error) {
			return w.Accounts.SetAccount(ctx, "kim", "acme", model.EditAccount{Manager: &p})
		}
		for _, p := range []model.Person{{Name: "Kim"}, {Email: "kim@example.com"}, {Name: "Kim", Email: "kim"}} {
			if _, err := set(p); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", p, err)
			}
		}
		a, err := set(model.Person{Name: "Kim", Email: "kim@example.com"})
		w.Must(err)
		if a.Manager == nil || a.Manager.Name != "Kim" {
			t.Errorf("%+v", a)
		}
		a, err = set(model.Person{})
		w.Must(err)
		if a.Manager != nil {
			t.Errorf("%+v", a)
		}
	},
}
