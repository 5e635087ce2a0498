package account_test

import (
	"slices"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// dirs returns a user's directories by path, with their rights.
func (w *world) dirs(user string) map[string]model.Directory {
	w.Helper()
	list, err := w.Accounts.Dirs(ctx, user)
	w.Must(err)
	out := map[string]model.Directory{}
	for _, d := range list {
		out[d.Path] = d
	}
	return out
}

// put puts a file into a directory of acme's mailbox.
func (w *world) put(u model.User, dir, name string) {
	w.Helper()
	w.Must(testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
		tx.Unaudited("a test")
		at, err := tx.Walk(u.ID, store.SplitPath(dir))
		if err != nil {
			return err
		}
		return tx.PutFile(store.File{DirID: at[len(at)-1].ID, Name: name, FileID: w.IDs.New(), VersionID: w.IDs.New(),
			Mtime: w.Clock()})
	}))
}

// makeDir makes a directory as its user does.
func (w *world) makeDir(u model.User, path string) {
	w.Helper()
	w.Must(testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
		tx.Unaudited("a test")
		rows, err := mailbox.Lock(tx, u.ID)
		if err != nil {
			return err
		}
		names := store.SplitPath(path)
		at, err := tx.Walk(u.ID, names)
		if err != nil {
			return err
		}
		return rows.MakeDir(store.Dir{ID: w.IDs.New(), Parent: at[len(at)-1].ID, Name: names[len(names)-1],
			Mtime: w.Clock()})
	}))
}

// subscribe subscribes a user to a new feed, which is delivered into a directory.
func (w *world) subscribe(u model.User, feed, dir string) {
	w.Helper()
	w.Must(testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
		tx.Unaudited("a test")
		if err := tx.AddFeed(model.Feed{Name: feed, Kind: "cdr", CreatedAt: w.Clock()}); err != nil {
			return err
		}
		if err := tx.AddSubscription(u.ID, model.Subscription{ID: w.IDs.New(), Feed: feed, Dir: dir,
			May: model.FeedsRemove, CreatedAt: w.Clock()}); err != nil {
			return err
		}
		rows, err := mailbox.Lock(tx, u.ID)
		if err != nil {
			return err
		}
		rights := exchange.FeedRights(model.FeedsRemove)
		_, err = rows.FeedDirs(mailbox.NewDirs{Path: dir, Rights: &rights, IDs: w.IDs, At: w.Clock()})
		return err
	}))
}

// removeDir removes a directory and returns those above it that went with it. Directories in busy have unfinished
// uploads.
func (w *world) removeDir(u model.User, path string, busy ...string) (above string) {
	w.Helper()
	row, err := store.Change(ctx, w.Store, func(tx *store.Tx) (row model.AuditRow, err error) {
		tx.Unaudited("a test")
		rows, err := mailbox.Lock(tx, u.ID)
		if err != nil {
			return row, err
		}
		at, err := tx.Walk(u.ID, store.SplitPath(path))
		if err != nil {
			return row, err
		}
		if err := rows.RemoveDir(at[len(at)-1].ID); err != nil {
			return row, err
		}
		return row, w.Accounts.RemoveWay(tx, u.ID, path, &row, func(id string) bool {
			at, _, err := tx.DirPath(id)
			return err != nil || slices.Contains(busy, at)
		})
	})
	w.Must(err)
	return row.Detail["above"]
}

func (w *world) addDir(path string, staging bool, rights ...string) error {
	return last(w.Accounts.AddDir(ctx, "test", "acme", model.NewDirectory{Path: path, Rights: rights, Staging: staging}))
}

func (w *world) setDir(path string, staging *bool, rights ...string) error {
	e := model.EditDirectory{Path: path, Staging: staging}
	if rights != nil {
		e.Rights = &rights
	}
	return last(w.Accounts.EditDir(ctx, "test", "acme", e))
}

var dirStories = stories{
	"a directory is added, changed and listed": func(t *testing.T, w *world) {
		w.Customer("acme")
		testkit.Must(t, w.addDir("/in/daily", false, "read", "write", "list"))
		d := w.dirs("acme")
		if got := d["/in/daily"]; !slices.Equal(got.Rights, []string{"read", "write", "list"}) || !got.Own || got.Staging {
			t.Fatalf("%+v", got)
		}
		if _, shown := d["/in"]; shown || len(d) != 2 {
			t.Fatalf("%v", d) // what was made on the way has no rights of its own
		}
		testkit.WantKind(t, w.addDir("/in/daily", false, "all"), fault.Exists)
		testkit.Must(t, w.setDir("/in/daily", new(true), "all"))
		if got := w.dirs("acme")["/in/daily"]; len(got.Rights) != 6 || !got.Staging {
			t.Fatalf("%+v", got)
		}
		testkit.Must(t, w.setDir("/in/daily", new(false)))
		if got := w.dirs("acme")["/in/daily"]; len(got.Rights) != 6 || got.Staging {
			t.Fatalf("%+v", got)
		}
		testkit.Must(t, w.setDir("/", nil, "all"))
		if got := w.dirs("acme")["/"]; len(got.Rights) != 6 || !got.Start {
			t.Fatalf("%+v", got)
		}
	},
	"a staging folder below others stages alone": func(t *testing.T, w *world) {
		w.Customer("acme")
		testkit.Must(t, w.addDir("/in/stage", true, "all"))
		at, err := w.Store.Read(ctx).Walk(w.id("acme"), []string{"in", "stage"})
		if err != nil || at[1].Staging || !at[2].Staging {
			t.Fatalf("%+v, %v", at, err)
		}
	},
	"what is no directory is refused": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.put(u, "/", "report")
		for _, path := range []string{"in", "", "./in", "/in\x00", "/a\nb", "/" + string(make([]byte, 300))} {
			testkit.WantKind(t, w.addDir(path, false, "all"), fault.Invalid)
			testkit.WantKind(t, w.setDir(path, nil, "all"), fault.Invalid)
		}
		testkit.WantKind(t, w.addDir("/in", false), fault.Invalid)
		testkit.WantKind(t, w.addDir("/in", false, "dance"), fault.Invalid)
		testkit.WantKind(t, w.addDir("/", false, "all"), fault.Exists)
		testkit.WantKind(t, w.addDir("/report", false, "all"), fault.Exists)
		testkit.WantKind(t, w.addDir("/report/daily", false, "all"), fault.Exists)
		testkit.WantKind(t, w.setDir("/nowhere", nil, "all"), fault.NotFound)
		testkit.WantKind(t, w.setDir("/", new(true)), fault.Invalid)
		_, err := w.Accounts.Dirs(ctx, "nobody")
		testkit.WantKind(t, err, fault.NotFound)
		w.service("billing")
		_, err = w.Accounts.Dirs(ctx, "billing")
		testkit.WantKind(t, err, fault.Conflict)
	},
	"what the partner made becomes the operator's, with what is above it": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		for _, path := range []string{"/mine", "/mine/deep", "/mine/start"} {
			w.makeDir(u, path)
		}
		count := func() int64 { u, err := w.Accounts.User(ctx, "acme"); w.Must(err); return u.Dirs }
		if n := count(); n != 3 {
			t.Fatalf("%d directories are the partner's", n)
		}
		testkit.Must(t, w.setDir("/mine/deep", nil, "all"))
		if n := count(); n != 1 { // /mine/start
			t.Fatalf("%d directories are the partner's", n)
		}
		testkit.Must(t, w.edit(model.EditUser{StartDir: new("/mine/start")}))
		at, err := w.Store.Read(ctx).Walk(u.ID, []string{"mine", "start"})
		if n := count(); err != nil || n != 0 || !at[1].Fixed || !at[2].Fixed {
			t.Fatalf("%d directories are the partner's: %+v, %v", n, at, err)
		}
	},
	"a directory with files does not become a staging folder": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		testkit.Must(t, w.addDir("/in", false, "all"))
		w.put(u, "/in", "f")
		testkit.WantKind(t, w.setDir("/in", new(true)), fault.Conflict)
		testkit.Must(t, w.addDir("/stage", true, "all"))
		w.put(u, "/stage", "f")
		testkit.WantKind(t, w.setDir("/stage", new(false)), fault.Conflict)
		testkit.Must(t, w.setDir("/stage", new(true), "read")) // as it is
	},
	"who may write no more is cut off": func(t *testing.T, w *world) {
		w.Customer("acme")
		testkit.Must(t, w.addDir("/in", false, "all"))
		testkit.Must(t, w.setDir("/in", nil, "read", "list"))
		if n, err := w.Store.Read(ctx).RevocationNumber(); err != nil || n != 1 {
			t.Fatalf("%d, %v", n, err)
		}
	},
	"a directory that sessions start in stays": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		testkit.Must(t, w.addDir("/in/daily", false, "all"))
		testkit.Must(t, w.addDir("/other", false, "all"))
		testkit.Must(t, w.edit(model.EditUser{StartDir: new("/in/daily")}))
		for path, kind := range map[string]fault.Kind{"/in": fault.Conflict, "/in/daily": fault.Conflict, "/other": 0} {
			err := w.Store.Write(ctx, func(tx *store.Tx) error { return w.Accounts.MayRemoveDir(tx, u.ID, path) })
			if kind == 0 {
				testkit.Must(t, err)
			} else {
				testkit.WantKind(t, err, kind)
			}
		}
	},
	"removing a directory left the one above it that was made for it": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.Policy.Templates[model.KindCustomer] = account.Template{StartDir: "/", Root: exchange.Read | exchange.List,
			Dirs: []account.TemplateDir{{Path: "/t/deep/er", Rights: exchange.AllRights}}}
		w.OpenAccounts()
		testkit.Must(t, last(w.Accounts.ApplyTemplate(ctx, "test", "acme", model.ApplyTemplate{})))
		for _, path := range []string{"/a/b/c", "/a/other", "/own/in", "/start/in/deep", "/fed/in/deep", "/busy/in",
			"/full/in"} {
			testkit.Must(t, w.addDir(path, false, "all"))
		}
		testkit.Must(t, w.setDir("/own", nil, "read"))
		testkit.Must(t, w.edit(model.EditUser{StartDir: new("/start/in")}))
		w.put(u, "/full", "f")
		w.makeDir(u, "/partners")
		testkit.Must(t, w.addDir("/partners/in", false, "all"))
		w.subscribe(u, "cdr", "/fed")
		for _, c := range []struct{ remove, above, stays string }{
			{"/t/deep/er", "/t/deep /t", "/"},
			{"/a/b/c", "/a/b", "/a/other"},
			{"/a/other", "/a", "/"},
			{"/own/in", "", "/own"},
			{"/start/in/deep", "", "/start/in"},
			{"/fed/in/deep", "/fed/in", "/fed"},
			{"/busy/in", "", "/busy"},
			{"/full/in", "", "/full"},
			{"/partners/in", "", "/partners"},
		} {
			if got := w.removeDir(u, c.remove, "/busy"); got != c.above {
				t.Fatalf("%q went with %s, want %q", got, c.remove, c.above)
			}
			names := store.SplitPath(c.stays)
			if at, err := w.Store.Read(ctx).Walk(u.ID, names); err != nil || len(at) != len(names)+1 {
				t.Fatalf("%s went with %s: %v", c.stays, c.remove, err)
			}
		}
		got, err := w.Accounts.User(ctx, "acme")
		if err != nil || got.Dirs != 0 {
			t.Fatalf("%d directories are the partner's, %v", got.Dirs, err)
		}
	},
	"user set --start-dir nowhere was accepted": func(t *testing.T, w *world) {
		w.Customer("acme")
		testkit.WantKind(t, w.edit(model.EditUser{StartDir: new("nowhere")}), fault.Invalid)
		testkit.WantKind(t, w.edit(model.EditUser{StartDir: new("/nowhere")}), fault.NotFound)
		testkit.WantKind(t, w.edit(model.EditUser{MakeStartDir: true}), fault.Invalid)
		_, err := w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: "b", StartDir: "/nowhere"})
		testkit.WantKind(t, err, fault.NotFound)
		testkit.Must(t, w.edit(model.EditUser{StartDir: new("/now/here"), MakeStartDir: true}))
		if d := w.dirs("acme")["/now/here"]; !d.Start {
			t.Fatalf("%+v", w.dirs("acme"))
		}
	},
	"a template is applied to users that are there": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		testkit.Must(t, w.addDir("/old", false, "all"))
		testkit.Must(t, w.addDir("/in", false, "all"))
		testkit.Must(t, w.addDir("/full", false, "all"))
		w.put(u, "/full", "f")
		look := exchange.Read | exchange.List
		w.Policy.Templates[model.KindCustomer] = account.Template{StartDir: "/", Root: exchange.Read | exchange.List,
			Dirs: []account.TemplateDir{{Path: "/in", Rights: look}, {Path: "/new", Rights: exchange.AllRights, Staging: true},
				{Path: "/full", Rights: exchange.AllRights, Staging: true}}}
		w.OpenAccounts()
		want := []model.DirDiffers{{Path: "/in", What: model.DirRights, From: "all", To: "read list"},
			{Path: "/new", What: model.DirMade, To: "all, staging"},
			{Path: "/full", What: model.DirNotEmpty, From: "no", To: "yes"}, {Path: "/old", What: model.DirExtra}}
		rows := len(w.audits())
		for _, dry := range []bool{true, false} {
			got, err := w.Accounts.ApplyTemplate(ctx, "test", "acme", model.ApplyTemplate{DryRun: dry})
			if err != nil || !slices.Equal(got.Changes, want) || got.DryRun != dry {
				t.Fatalf("dry %t: %+v, %v", dry, got, err)
			}
			if wrote := len(w.audits()) > rows; wrote == dry {
				t.Fatalf("dry %t, and a row was written: %t", dry, wrote)
			}
		}
		d := w.dirs("acme")
		if !slices.Equal(d["/in"].Rights, []string{"read", "list"}) || !d["/new"].Staging || d["/full"].Staging ||
			len(d["/old"].Rights) != 6 {
			t.Fatalf("%+v", d)
		}
		rows = len(w.audits())
		got, err := w.Accounts.ApplyTemplate(ctx, "test", "acme", model.ApplyTemplate{})
		if err != nil || !slices.Equal(got.Changes, want[2:]) || len(w.audits()) != rows {
			t.Fatalf("applied again: %+v, %v", got, err)
		}
	},
	"a template leaves what a feed may do in its folder": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.Policy.Templates[model.KindCustomer] = account.Template{StartDir: "/", Root: exchange.Read | exchange.List,
			Dirs: []account.TemplateDir{{Path: "/download", Rights: exchange.Read | exchange.List}}}
		w.OpenAccounts()
		w.subscribe(u, "cdr", "/download")
		got, err := w.Accounts.ApplyTemplate(ctx, "test", "acme", model.ApplyTemplate{})
		if err != nil || len(got.Changes) != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		if d := w.dirs("acme")["/download"]; !slices.Equal(d.Feeds, []string{"cdr"}) || !slices.Contains(d.Rights, "delete") {
			t.Fatalf("%+v", d)
		}
	},
}

// id returns a user's id.
func (w *world) id(user string) string {
	w.Helper()
	u, err := w.Accounts.User(ctx, user)
	w.Must(err)
	return u.ID
}

// service makes a service user of the account acme.
func (w *world) service(name string) {
	w.Helper()
	_, err := w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: name, Service: true,
		AllowIPs: []string{"203.0.113.0/24"}})
	w.Must(err)
}
