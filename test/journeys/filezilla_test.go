package journeys

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/cli"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestFileZilla lets FileZilla itself, on a screen that nobody sees, at a
// server, with the site file as Sallyport writes it. Pictures of the screen go
// to $SALLYPORT_SCREENSHOTS.
func TestFileZilla(t *testing.T) {
	for _, program := range []string{"filezilla", "Xvfb", "xdotool", "import", "ssh-keygen", "puttygen"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("scripts/install-test-packages installs what is missing: %v", err)
		}
	}
	// this machine types slowly when it is busy
	n := testkit.Start(t, on(t, postgres(t)), func(c *config.Config) { c.Endpoint.Host = "127.0.0.1" },
		func(c *config.Config) { c.Limits.Handshake = config.Duration(2 * time.Minute) })
	screen := startScreen(t)

	t.Run("a key of the customer's own", func(t *testing.T) {
		d := newDesk(t, n, screen, "acme")
		d.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", d.path("keys/sftp-key"))
		d.run("puttygen", d.path("keys/sftp-key"), "-o", d.path("keys/sftp-key.ppk"))
		d.sallyport("key", "add", "acme", d.path("keys/sftp-key.pub"))

		d.connect()
		d.trust("own-key-1-fingerprint")
		d.awaitSession()
		d.awaitActivity("list", "/")
		d.picture("own-key-2-logged-in")
		if said := d.sallyport("explain", "acme"); !strings.Contains(said, "with FileZilla") ||
			!strings.Contains(said, "  Logged in with SHA256:") || strings.Count(said, "reference") != 1 {
			t.Errorf("not one good connection:\n%s", said)
		}
	})

	t.Run("a key that the operator issued", func(t *testing.T) {
		d := newDesk(t, n, screen, "telco")
		d.sallyport("contact", "add", "telco", "--name", "Lee One", "--email", "lee@telco.example")
		d.sallyport("contact", "add", "telco", "--name", "Max Two", "--email", "max@telco.example")
		d.sallyport("key", "issue", "telco", "--out", d.path("keys"), "--passphrase-file", d.path("words"))
		d.sallyport("user", "set", "telco", "--start-dir", "/upload")
		d.write("local/usage.cdr", "usage\n")

		d.connect()
		d.trust("issued-key-1-fingerprint")
		dialog := d.window("Enter password")
		d.focus(dialog)
		d.xdotool("type", "--delay", "20", strings.TrimSpace(string(testkit.MustRead(t, d.path("words")))))
		d.picture("issued-key-2-passphrase")
		d.xdotool("key", "Return")
		d.awaitSession()
		d.awaitActivity("list", "/upload")
		d.picture("issued-key-3-logged-in")

		// A double click on the only file of the local folder sends it.
		main := d.window("telco-127 .* FileZilla")
		d.xdotool("mousemove", "--window", main, "60", "469", "click", "--repeat", "2", "--delay", "80", "1")
		testkit.Eventually(t, "the file arrives", func() bool {
			drops := testkit.List[model.Drop](n, "/inbox?user=telco")
			return len(drops) == 1 && drops[0].Path == "/upload/usage.cdr" && drops[0].Size == 6
		})
		d.picture("issued-key-4-sent")
	})
}

// startScreen starts an X server on a free display, and returns its name.
func startScreen(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// else it starts anew when its last program ends, and turns away the next
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset")
	x.ExtraFiles = []*os.File{w}
	startProgram(t, x)
	_ = w.Close()
	number, err := bufio.NewReader(r).ReadString('\n') // written when it is ready; closed if it never is
	if err != nil {
		t.Fatalf("Xvfb did not start: %v", err)
	}
	return ":" + strings.TrimSpace(number)
}

// startProgram runs a program, with what it starts itself, until the test ends.
func startProgram(t *testing.T, c *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", c.Path, &out)
		}
	})
}

// desk is where a user of the server sits, with FileZilla.
type desk struct {
	t      *testing.T
	n      *testkit.Node
	user   string
	screen string
	home   string
}

// newDesk makes an account with its user, and a home where FileZilla was
// started before, so that it shows no news.
func newDesk(t *testing.T, n *testkit.Node, screen, user string) *desk {
	t.Helper()
	d := &desk{t: t, n: n, user: user, screen: screen, home: t.TempDir()}
	d.sallyport("account", "add", user, "--name", "Company "+user)
	d.sallyport("user", "add", "--account", user)
	for _, dir := range []string{"keys", "local", ".config/filezilla"} {
		if err := os.MkdirAll(d.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d.write(".config/filezilla/filezilla.xml", `<?xml version="1.0"?>
<FileZilla3><Settings>
<Setting name="Greeting version">9.9.9</Setting>
<Setting name="Update Check">0</Setting>
<Setting name="Disable update footer">1</Setting>
</Settings></FileZilla3>
`)
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.home, name) }

func (d *desk) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// sallyport runs the operator's command line and returns what it prints.
func (d *desk) sallyport(args ...string) string {
	d.t.Helper()
	var out bytes.Buffer
	if code := cli.Run(cli.IO{In: strings.NewReader(""), Out: &out, Err: &out,
		Env: []string{"SALLYPORT_DATA=" + d.n.Data}}, args); code != 0 {
		d.t.Fatalf("sallyport %s: exit %d\n%s", strings.Join(args, " "), code, &out)
	}
	return out.String()
}

// command is a program of the partner's computer.
func (d *desk) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = []string{"HOME=" + d.home, "PUTTYDIR=" + d.path("putty"), "DISPLAY=" + d.screen, "PATH=" + os.Getenv("PATH"),
		"LANG=C.UTF-8", "NO_AT_BRIDGE=1"}
	return c
}

func (d *desk) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := d.command(ctx, name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *desk) run(name string, args ...string) {
	d.t.Helper()
	if out, err := d.try(name, args...); err != nil {
		d.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func (d *desk) xdotool(args ...string) {
	d.t.Helper()
	d.run("xdotool", args...)
}

// connect puts the site file where FileZilla keeps its sites, and has it
// connect to the one in it.
func (d *desk) connect() {
	d.t.Helper()
	d.sallyport("sites", d.user, "--for", "filezilla", "--key-dir", d.path("keys"), "--out", d.home)
	if err := os.Rename(d.path(d.user+".filezilla.xml"), d.path(".config/filezilla/sitemanager.xml")); err != nil {
		d.t.Fatal(err)
	}
	startProgram(d.t, d.command(context.Background(), "filezilla", "--local="+d.path("local"), "-c",
		fmt.Sprintf("0/%s-127", d.user)))
}

// window waits for a window by its title, and returns its number.
func (d *desk) window(title string) (id string) {
	d.t.Helper()
	testkit.Eventually(d.t, "a window "+title, func() bool {
		out, err := d.try("xdotool", "search", "--onlyvisible", "--name", "^"+title+"$")
		id, _, _ = strings.Cut(out, "\n")
		return err == nil && id != ""
	})
	return id
}

func (d *desk) focus(window string) {
	d.t.Helper()
	d.xdotool("windowfocus", "--sync", window)
}

// trust takes a picture of the fingerprint that FileZilla shows, and trusts it
// from now on.
func (d *desk) trust(picture string) {
	d.t.Helper()
	d.focus(d.window("Unknown host key"))
	d.xdotool("key", "alt+a")
	d.picture(picture)
	d.xdotool("key", "Return")
}

// awaitSession waits until the server's list has the partner with FileZilla.
func (d *desk) awaitSession() {
	d.t.Helper()
	testkit.Eventually(d.t, "a session with FileZilla", func() bool {
		for _, s := range testkit.List[model.Session](d.n, "/sessions") {
			if s.User == d.user && strings.HasPrefix(s.Client, "SSH-2.0-FileZilla") {
				return true
			}
		}
		return false
	})
}

// awaitActivity waits until the partner's key did something to a path.
func (d *desk) awaitActivity(action, path string) {
	d.t.Helper()
	keys := testkit.List[model.Key](d.n, "/users/"+d.user+"/keys")
	testkit.Eventually(d.t, action+" "+path, func() bool {
		report := testkit.Call[model.KeyActivity](d.n, "GET",
			"/keys/activity?fingerprint="+url.QueryEscape(keys[0].Fingerprint), nil)
		for _, row := range report.Rows {
			if row.Action == action && row.Path == path {
				return true
			}
		}
		return false
	})
}

// picture keeps what is on the screen once it stands still.
func (d *desk) picture(name string) {
	d.t.Helper()
	dir := os.Getenv("SALLYPORT_SCREENSHOTS")
	if dir == "" {
		dir = d.home
	}
	file := filepath.Join(dir, "filezilla-"+name+".png")
	var last []byte
	testkit.Eventually(d.t, "the screen stands still", func() bool {
		d.run("import", "-window", "root", "-define", "png:exclude-chunks=date,time", file)
		now := testkit.MustRead(d.t, file)
		still := bytes.Equal(now, last)
		last = now
		return still
	})
}
