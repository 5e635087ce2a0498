package node_test

import (
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// actors returns who the audit log says added accounts.
func actors(t *testing.T, n *testkit.Node) (list []string) {
	t.Helper()
	rows, err := client.All(t.Context(), n.API.ListAudit, model.AuditFilter{Action: "account.add"})
	testkit.Must(t, err)
	for _, r := range rows {
		list = append(list, r.Actor+" added "+r.Subject)
	}
	return list
}

func me(t *testing.T) string {
	u, err := user.Current()
	testkit.Must(t, err)
	return "local:" + u.Username + "(" + u.Uid + ")"
}

// The kernel says who is at the other end; sudo's word is added to it.
func TestThePersonBehindSudo(t *testing.T) {
	n := testkit.Start(t)
	for _, c := range []struct{ told, account string }{{"", "plain"}, {"jo", "sudoed"}, {"jo hill (root)", "forged"},
		{"jo\nroot", "broken"}, {`CORP\jo.hill@example.com`, "domain"}, {strings.Repeat("j", 100), "long"}} {
		as := client.Local(n.Data, client.ViaSudo(c.told))
		_, err := as.AddAccount(t.Context(), model.NewAccount{ID: c.account, Name: "A"})
		if c.account == "broken" && err != nil {
			continue // no header can have it
		}
		testkit.Must(t, err)
	}
	got := strings.Join(actors(t, n), "\n")
	for _, want := range []string{me(t) + " added plain", me(t) + " (jo via sudo) added sudoed", me(t) + " added forged",
		me(t) + ` (CORP\jo.hill@example.com via sudo) added domain`, me(t) + " added long"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log says\n%s\nwithout %q", got, want)
		}
	}
}

// Members of the group manage the server under their own names, and nobody else does. The data
// folder stays closed.
func TestASocketForAGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be other users")
	}
	testkit.Needs(t, "setpriv", "curl")
	dir, err := os.MkdirTemp("", "sallyport-socket-") // which others may enter
	testkit.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	testkit.Must(t, os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "run", "s.sock")
	g, err := user.LookupGroup("daemon")
	testkit.Must(t, err)
	n := testkit.Start(t, func(c *config.Config) { c.Socket = config.Socket{Group: g.Name, Path: path} })
	ask := func(groups, account, header string) (string, error) {
		out, err := exec.Command("setpriv", "--reuid=65534", "--regid=65534", groups, "curl", "-sS", "--unix-socket", path,
			"-H", header, "--json", `{"id": "`+account+`", "name": "A"}`, "http://local/api/v1/accounts").CombinedOutput()
		return string(out), err
	}
	if out, err := ask("--groups="+g.Gid, "member", client.SudoHeader+": root"); err != nil {
		t.Fatalf("a member is held off: %v: %s", err, out)
	}
	if out, err := ask("--clear-groups", "stranger", "X-Nothing: 1"); err == nil {
		t.Fatalf("somebody else is let in: %s", out)
	}
	_, err = client.AtSocket(path).AddAccount(t.Context(), model.NewAccount{ID: "root-too", Name: "A"})
	testkit.Must(t, err)
	got := strings.Join(actors(t, n), "\n")
	nobody, err := user.LookupId("65534")
	testkit.Must(t, err)
	if !strings.Contains(got, "local:"+nobody.Username+"(65534) added member") || strings.Contains(got, "stranger") ||
		strings.Contains(got, "via sudo") {
		t.Errorf("the log says\n%s", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(n.Data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder: %v, %v", info.Mode(), err)
	}
	n.Stop()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

// Whoever owns the socket's folder, or one above it, could put a socket of their own in its place.
func TestASocketInAFolderOfSomebodyElse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give folders away")
	}
	gid, err := user.LookupGroupId("0")
	testkit.Must(t, err)
	theirs := filepath.Join(t.TempDir(), "theirs")
	testkit.Must(t, os.MkdirAll(filepath.Join(theirs, "ours"), 0o755))
	testkit.Must(t, os.Chown(theirs, 65534, -1))
	writable := filepath.Join(t.TempDir(), "writable")
	testkit.Must(t, os.MkdirAll(filepath.Join(writable, "ours"), 0o755))
	testkit.Must(t, os.Chmod(writable, 0o777))
	for folder, want := range map[string]string{theirs: "belongs to another user",
		filepath.Join(theirs, "ours"): "belongs to another user", filepath.Join(theirs, "new"): "belongs to another user",
		filepath.Join(writable, "ours"): "others may write in"} {
		l, err := httpd.ListenForGroup(filepath.Join(folder, "s"), gid.Name)
		if err == nil {
			_ = l.Close()
		}
		if !strings.Contains(fault.PublicText(err), want) {
			t.Errorf("%s: %v", folder, err)
		}
	}
}

func TestASocketThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	gid, err := user.LookupGroupId("0")
	testkit.Must(t, err)
	open := filepath.Join(dir, "open")
	testkit.Must(t, os.Mkdir(open, 0o700))
	testkit.Must(t, os.Chmod(open, 0o777))
	file := filepath.Join(dir, "file")
	testkit.Must(t, os.WriteFile(file, nil, 0o600))
	other, err := net.Listen("unix", filepath.Join(dir, "other"))
	testkit.Must(t, err)
	defer other.Close()
	for _, c := range []struct{ group, path, want string }{
		{"nobody-knows-it", filepath.Join(dir, "s"), `this machine has no group "nobody-knows-it"`},
		{gid.Name, filepath.Join(open, "s"), "others may write in "},
		{gid.Name, file, "is not a socket"},
		{gid.Name, filepath.Join(file, "s"), "socket.path: "},
		{gid.Name, filepath.Join(dir, "other"), "another server listens"},
	} {
		cfg := testkit.Config(filepath.Join(t.TempDir(), "data"))
		cfg.Listen, cfg.Socket = []string{"127.0.0.1:0"}, config.Socket{Group: c.group, Path: c.path}
		_, err := node.Start(node.Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
		if !strings.Contains(fault.PublicText(err), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
