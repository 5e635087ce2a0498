package naming_test

import (
	"context"
	"path"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/naming"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

var configured = exchange.NameRules{Temporary: []string{".*", "*.Tmp"}, Doubtful: []string{"*.[0-9][0-9]"},
	Ignored: []string{"Thumbs.db"}, Grace: time.Minute}

// TestTheNearestRuleWins checks names under rules for everyone, for a folder, for a user, and
// for a user's folder.
func TestTheNearestRuleWins(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := testkit.NewWorld(t, url)
		service := naming.New(w.Store, w.Clock, w.IDs, configured)
		acme, beta := w.Customer("acme").ID, w.Customer("beta").ID

		for _, c := range []struct {
			user, path                string
			temporary, ignored, waits bool
		}{
			{acme, "/upload/a.csv", false, false, false},
			{acme, "/upload/A.TMP", true, false, false},
			{acme, "/upload/.a.csv", true, false, false},
			{acme, "/upload/THUMBS.DB", false, true, false},
			{acme, "/upload/a.csv.47", false, false, true},
			{acme, "/upload/a.csv.wip", false, false, false},
		} {
			want(t, service, c.user, c.path, c.temporary, c.ignored, c.waits)
		}
		set := func(p model.NamePolicy) {
			t.Helper()
			_, err := service.SetPolicy(ctx, "test", p)
			testkit.Must(t, err)
		}
		set(model.NamePolicy{Folder: "/upload", Temporary: []string{"*.wip"}})
		want(t, service, acme, "/upload/a.csv.WIP", true, false, false)
		want(t, service, acme, "/upload/a.tmp", false, false, false)
		want(t, service, acme, "/uploads/a.tmp", true, false, false) // the rule is for another folder
		set(model.NamePolicy{User: "acme", Temporary: []string{}, GraceText: "0s"})
		want(t, service, acme, "/a.tmp", false, false, false)
		want(t, service, acme, "/a.47", false, false, false)
		want(t, service, acme, "/upload/a.wip", true, false, false) // the folder's rule is more specific
		want(t, service, beta, "/a.tmp", true, false, false)
		set(model.NamePolicy{User: "acme", Folder: "/upload/", Temporary: []string{"*.x"}, Ignored: []string{"*.y"}})
		want(t, service, acme, "/upload/d/a.wip", false, false, false)
		want(t, service, acme, "/upload/d/a.x", true, false, false)
		want(t, service, acme, "/upload/d/a.y", false, true, false)
		want(t, service, beta, "/upload/d/a.wip", true, false, false)
		if !service.MayBeTemporary("b.X") || service.MayBeTemporary("b.csv") {
			t.Error("MayBeTemporary")
		}
		list, err := service.Policies(ctx)
		testkit.Must(t, err)
		if len(list) != 4 || list[0].Folder != "" || list[0].User != "" {
			t.Errorf("%+v", list)
		}
		set(model.NamePolicy{User: "acme", Folder: "/upload"})
		want(t, service, acme, "/upload/d/a.wip", true, false, false)
	})
}

func TestNoRuleOfNames(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := testkit.NewWorld(t, url)
		service := naming.New(w.Store, w.Clock, w.IDs, configured)
		for what, p := range map[string]model.NamePolicy{
			"nobody's":          {Temporary: []string{"*.x"}},
			"no such user":      {User: "nobody", Temporary: []string{"*.x"}},
			"a relative folder": {Folder: "..", Temporary: []string{"*.x"}},
			"the root":          {Folder: "/", Temporary: []string{"*.x"}},
			"a broken glob":     {Folder: "/a", Temporary: []string{"["}},
			"a path":            {Folder: "/a", Ignored: []string{"a/b"}},
			"no glob":           {Folder: "/a", Doubtful: []string{""}},
			"no time":           {Folder: "/a", GraceText: "soon"},
			"a negative time":   {Folder: "/a", GraceText: "-1s"},
			"too long a time":   {Folder: "/a", GraceText: "25h"},
			"nothing to unset":  {Folder: "/b"},
			"too many globs":    {Folder: "/a", Temporary: make([]string, 101)},
		} {
			if _, err := service.SetPolicy(ctx, "test", p); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func want(t *testing.T, r *naming.Service, user, full string, temporary, ignored, waits bool) {
	t.Helper()
	name := path.Base(full)
	rules := r.Rules(user, full)
	if rules.IsTemporary(name) != temporary || rules.IsIgnored(name) != ignored || rules.Wait(name) > 0 != waits {
		t.Errorf("%s: temporary %v, ignored %v, waits %v", full, rules.IsTemporary(name), rules.IsIgnored(name),
			rules.Wait(name))
	}
}
