package backup_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/backup"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestWhatWasTakenBackStaysTakenBack: everything of which the journal tells is taken back again after a restore,
// on both databases. What was allowed again stays allowed.
func TestWhatWasTakenBackStaysTakenBack(t *testing.T) {
	testkit.Long(t, "it needs PostgreSQL")
	pg := testkit.Postgres(t)
	for _, database := range []bool{false, true} {
		url, again := "", ""
		if database {
			url, again = pg.Database(t), pg.Database(t)
		}
		takenBack(t, url, again)
	}
}

func takenBack(t *testing.T, url, again string) {
	outside := filepath.Join(t.TempDir(), "checkpoints")
	n := testkit.Start(t, func(c *config.Config) {
		c.Database.URL, c.Audit.Checkpoints = url, []string{"file:" + outside}
	})
	cfg := testkit.Config(n.Data)
	cfg.Database.URL, cfg.Audit.Checkpoints = url, []string{"file:" + outside}
	for _, name := range []string{"lost", "blocked", "leaver", "paused", "files"} {
		n.User(name)
	}
	key := testkit.NewKey(t)
	n.Enrol("files", key)
	c := n.SFTP("files", key)
	for _, name := range []string{"gone", "stays"} {
		f, err := c.Create("/upload/" + name)
		testkit.Must(t, err)
		_, err = f.Write([]byte(name))
		testkit.Must(t, err)
		testkit.Must(t, f.Close())
	}
	testkit.Call[any](n, "POST", "/tokens", model.NewToken{Name: "robot", Role: model.RoleAuditor})
	grown(t, n)
	to := filepath.Join(t.TempDir(), "backup")
	_, err := node.Backup(ctx, cfg, node.BackupRequest{Target: to, Clock: time.Now, Actor: "local:test(0)"})
	testkit.Must(t, err)

	fingerprint := func(user string) string { return testkit.List[model.Key](n, "/users/"+user+"/keys")[0].Fingerprint }
	testkit.Call[any](n, "POST", "/keys/revoke", model.RevokeKey{Fingerprint: fingerprint("lost"), Reason: "lost"})
	testkit.Eventually(t, "the journal has an entry of its own for it", func() bool {
		b, _ := os.ReadFile(outside + ".journal")
		return strings.Contains(string(b), "key.revoke")
	})
	testkit.Call[any](n, "POST", "/keys/revoke", model.RevokeKey{Fingerprint: fingerprint("blocked"), Reason: "found",
		Burn: true})
	off, on := false, true
	testkit.Call[any](n, "PATCH", "/users/leaver", model.EditUser{Enabled: &off})
	testkit.Call[any](n, "PATCH", "/users/paused", model.EditUser{Enabled: &off})
	testkit.Call[any](n, "PATCH", "/users/paused", model.EditUser{Enabled: &on})
	testkit.Call[any](n, "DELETE", "/tokens/robot", nil)
	shrunk(n)
	testkit.Must(t, c.Remove("/upload/gone"))
	testkit.Eventually(t, "the journal tells of it", func() bool {
		b, _ := os.ReadFile(outside + ".journal")
		return strings.Contains(string(b), "/upload/gone")
	})
	n.Stop()

	data := filepath.Join(t.TempDir(), "data")
	cfg.Data, cfg.Database.URL = data, again
	_, err = node.Restore(ctx, cfg, node.RestoreRequest{Source: to, Clock: time.Now})
	testkit.Must(t, err)
	_, err = node.Start(node.Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	testkit.WantKind(t, err, fault.Unavailable)
	open := func(r node.OpenRequest) (*node.RestoreOpened, error) {
		r.Clock, r.Log = time.Now, slog.New(slog.DiscardHandler)
		return node.OpenRestored(ctx, cfg, r)
	}
	whole := testkit.MustRead(t, outside+".journal")
	cut := filepath.Join(t.TempDir(), "cut")
	testkit.Must(t, os.WriteFile(cut, whole[:len(whole)-50], 0o600))
	_, err = open(node.OpenRequest{Journals: []string{cut}})
	testkit.WantKind(t, err, fault.Conflict)
	// Entries that came one by one, by mail, are as good as the file, in any order; one that is missing is noticed.
	apart := split(t, whole)
	apiece, err := open(node.OpenRequest{Journals: apart, Dry: true})
	testkit.Must(t, err)
	lacking, err := open(node.OpenRequest{Journals: slices.Delete(slices.Clone(apart), 1, 2), Dry: true})
	testkit.Must(t, err)
	if len(apiece.Warnings) > 0 || len(lacking.Warnings) != 1 ||
		!strings.HasPrefix(lacking.Warnings[0], "no entry tells of rows ") {
		t.Errorf("all entries: %q; without one: %q", apiece.Warnings, lacking.Warnings)
	}
	dry, err := open(node.OpenRequest{Dry: true})
	testkit.Must(t, err)
	done, err := open(node.OpenRequest{})
	testkit.Must(t, err)
	if len(dry.Differences) != len(done.Differences) || len(done.Differences) != 5+differences || len(done.Warnings) > 0 ||
		!done.Open || !slices.EqualFunc(apiece.Differences, dry.Differences,
		func(a, b backup.Difference) bool { return a.What == b.What && a.Done == b.Done }) {
		t.Fatalf("dry: %+v\ndone: %+v", dry, done)
	}
	for _, d := range done.Differences {
		if strings.Contains(d.Done, "not in the backup") {
			t.Errorf("it was not done: %+v", d)
		}
	}
	looks(t, cfg)
	lookGone(t, cfg)

	_, err = open(node.OpenRequest{})
	testkit.WantKind(t, err, fault.Conflict) // it is open
}

// split writes the entries of a journal to files of their own, the last one first.
func split(t *testing.T, journal []byte) (paths []string) {
	t.Helper()
	const begins = "sallyport journal of "
	dir := t.TempDir()
	for i, entry := range strings.Split(string(journal), begins)[1:] {
		path := filepath.Join(dir, strconv.Itoa(i))
		testkit.Must(t, os.WriteFile(path, []byte(begins+strings.TrimSpace(entry)+"\n"), 0o600))
		paths = slices.Insert(paths, 0, path)
	}
	return paths
}

// looks asks the restored database.
func looks(t *testing.T, cfg config.Config) {
	t.Helper()
	s, err := store.Inspect(ctx, store.Options{Dir: cfg.Data, URL: cfg.Database.URL})
	testkit.Must(t, err)
	defer s.Close()
	q := s.Read(ctx)
	for _, name := range []string{"lost", "blocked"} {
		u, err := q.User(name)
		testkit.Must(t, err)
		keys, err := q.Keys(u.ID)
		testkit.Must(t, err)
		if keys[0].RevokedAt == nil {
			t.Errorf("the key of %s works", name)
		}
		if _, err := q.Burned(keys[0].Fingerprint); (err == nil) != (name == "blocked") {
			t.Errorf("the key of %s is blocked: %v", name, err)
		}
	}
	for name, enabled := range map[string]bool{"leaver": false, "paused": true} {
		if u, err := q.User(name); err != nil || u.Enabled != enabled {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
	if token, err := q.Token("robot"); err == nil && token.RevokedAt == nil {
		t.Errorf("the token works: %+v", token)
	}
	kept, err := q.KeptOf("", "", 100)
	testkit.Must(t, err)
	names := ""
	for _, k := range kept {
		if k.Current {
			names += k.Name + " "
		}
	}
	if names != "stays " {
		t.Errorf("files are %q", names)
	}
	rows, err := q.LogPage(store.LogFilter{Action: "backup.restore"}, model.Paging{Limit: 10})
	testkit.Must(t, err)
	if len(rows) != 1 || !strings.Contains(rows[0].Detail, `"replayed":"10"`) {
		t.Errorf("the break is recorded as %+v", rows)
	}
	if m, err := backup.Closed(cfg.Data); m != nil || err != nil {
		t.Errorf("%v, %v", m, err)
	}
}
