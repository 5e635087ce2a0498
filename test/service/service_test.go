// Package service tests the server as a service manager runs it: with sockets that were opened for it,
// told to read its
// configuration again, replaced while clients come, confined; and as packages install it.
package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/cli"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// asServer makes this test binary the product.
const asServer = "TEST_BINARY_IS_SALLYPORT"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		var env []string
		for _, v := range os.Environ() {
			if !strings.HasPrefix(v, asServer) {
				env = append(env, v)
			}
		}
		os.Exit(cli.Run(cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: env}, os.Args[1:]))
	}
	testkit.LongMain(m, "the server as a service, and its packages")
}

// manager does what systemd does for a service: it opens sockets, starts the server with them, and hears from it.
type manager struct {
	t      *testing.T
	dir    string
	socket *os.File // of the listener
	addr   string
	notify *net.UnixConn

	mu   sync.Mutex
	told []string // the messages of the server
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Must(t, err)
	m.addr = l.Addr().String()
	m.socket, err = l.(*net.TCPListener).File()
	testkit.Must(t, errors.Join(err, l.Close())) // the copy stays open
	m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(m.dir, "notify"),
		Net: "unixgram"})
	testkit.Must(t, err)
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 4096)
		for {
			n, err := m.notify.Read(b)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.told = append(m.told, string(b[:n]))
			m.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = m.notify.Close()
		_ = m.socket.Close()
		reading.Wait()
	})
	m.configure("")
	return m
}

// configure writes the configuration, with more settings.
func (m *manager) configure(more string) {
	m.t.Helper()
	testkit.Must(m.t, os.WriteFile(filepath.Join(m.dir, "sallyport.yaml"),
		[]byte(fmt.Sprintf("data: %s\nlisten: [%q]\n"+
			"sandbox: require\nlimits: {sessions_per_user: 100, sessions_per_account: 100, sessions_per_address: 100}\n%s",
			filepath.Join(m.dir, "data"), m.addr, more)), 0o600))
}

// heard counts the messages with a line that begins so.
func (m *manager) heard(line string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range m.told {
		if strings.HasPrefix(text, line) || strings.Contains(text, "\n"+line) {
			n++
		}
	}
	return n
}

// process is a server that runs.
type process struct {
	*exec.Cmd
	log bytes.Buffer
}

// start starts the server with a socket, whose name is that of the unit, and waits until it says that it is ready.
func (m *manager) start() *process {
	m.t.Helper()
	before := m.heard("READY=1")
	p := m.begin(m.socket)
	testkit.Eventually(m.t, "the server is ready", func() bool { return m.heard("READY=1") > before })
	return p
}

// begin starts the server with sockets.
func (m *manager) begin(sockets ...*os.File) *process {
	m.t.Helper()
	// The process's own id is known to itself alone: the shell becomes the server.
	p := &process{Cmd: exec.Command("sh", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$0" "$@"`,
		os.Args[0], "serve", "--config",
		filepath.Join(m.dir, "sallyport.yaml"))}
	p.Env = append(os.Environ(), asServer+"=1", "NOTIFY_SOCKET="+filepath.Join(m.dir, "notify"),
		"WATCHDOG_USEC=1000000",
		fmt.Sprintf("LISTEN_FDS=%d", len(sockets)),
		"LISTEN_FDNAMES="+strings.TrimSuffix(strings.Repeat("sftp:", len(sockets)), ":"))
	p.ExtraFiles, p.Stderr = sockets, &p.log
	testkit.Must(m.t, p.Start())
	m.t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
		if m.t.Failed() {
			m.t.Logf("log of a server:\n%s", p.log.String())
		}
	})
	return p
}

func (m *manager) api() *client.Client { return client.Local(filepath.Join(m.dir, "data")) }

// user makes a user that may upload, and returns its key.
func (m *manager) user(name string) ssh.Signer {
	m.t.Helper()
	ctx, c, key := context.Background(), m.api(), testkit.NewKey(m.t)
	_, err := c.AddAccount(ctx, model.NewAccount{ID: name, Name: name})
	testkit.Must(m.t, err)
	_, err = c.AddUser(ctx, model.NewUser{Account: name, Name: name})
	testkit.Must(m.t, err)
	_, err = c.AddKeys(ctx, name, model.NewKey{Text: string(ssh.MarshalAuthorizedKey(key.PublicKey()))})
	testkit.Must(m.t, err)
	return key
}

func (m *manager) terminate(p *process) {
	m.t.Helper()
	testkit.Must(m.t, p.Process.Signal(syscall.SIGTERM))
	testkit.Must(m.t, p.Wait())
}

// The server is replaced five times while clients connect without a pause. Nobody's connection is
// refused, and what was
// acknowledged is there, byte for byte.
func TestARestartRefusesNobody(t *testing.T) {
	m := newManager(t)
	p := m.start()
	key := m.user("acme")
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var refused, uploads, cutOff atomic.Int64
	var kept sync.Map // of files whose CLOSE was answered with OK: their contents
	for c := range 4 {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("/upload/%d-%d.csv", c, i)
				content := strings.Repeat(name+"\n", 500)
				switch err := m.upload(key, name, content); {
				case err == nil:
					uploads.Add(1)
					kept.Store(name, content)
				case errors.Is(err, syscall.ECONNREFUSED):
					refused.Add(1)
				default:
					cutOff.Add(1) // it was logging in, or had not begun, when the server stopped: it tries again
				}
			}
		})
	}
	for range 5 {
		before := uploads.Load()
		testkit.Eventually(t, "uploads go on", func() bool { return uploads.Load() >= before+5 })
		m.terminate(p)
		p = m.start()
	}
	close(stop)
	clients.Wait()
	if n := refused.Load(); n > 0 {
		t.Errorf("%d connections were refused", n)
	}
	s := m.connect(key)
	kept.Range(func(name, content any) bool {
		if got := s.read(name.(string)); got != content {
			t.Errorf("%s: %d bytes, not %d", name, len(got), len(content.(string)))
		}
		return true
	})
	t.Logf("%d uploads, 5 restarts, %d refused, %d cut off and tried again", uploads.Load(),
		refused.Load(), cutOff.Load())
	if m.heard("STOPPING=1") != 5 {
		t.Errorf("the manager heard of %d stops", m.heard("STOPPING=1"))
	}
	m.terminate(p)
}

// A socket that no setting names would take connections that nobody answers.
func TestASocketThatNoSettingNamesStopsTheStart(t *testing.T) {
	m := newManager(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Must(t, err)
	f, err := l.(*net.TCPListener).File()
	testkit.Must(t, err)
	defer f.Close()
	defer l.Close()
	p := m.begin(m.socket, f)
	if p.Wait() == nil || !strings.Contains(p.log.String(),
		"opened sockets that no setting names: sftp ("+l.Addr().String()) {
		t.Errorf("%s", p.log.String())
	}
}

// SIGHUP has the configuration read again. A session goes on; what changed is in force; a mistake changes nothing.
func TestReload(t *testing.T) {
	m := newManager(t)
	p := m.start()
	key := m.user("acme")
	s := m.connect(key)
	s.write("/upload/before.csv", "1\n")

	m.configure("storage: {max_file: 10}\ntime_zone: Europe/Berlin\nlog: {level: debug}\n")
	before := m.heard("READY=1")
	testkit.Must(t, p.Process.Signal(syscall.SIGHUP))
	testkit.Eventually(t, "the configuration was read again", func() bool { return m.heard("READY=1") > before })
	if m.heard("MONOTONIC_USEC=") != 1 || m.heard("RELOADING=1") != 1 {
		t.Errorf("the manager was told: %q", m.told)
	}
	s.write("/upload/small.csv", "1\n") // the session went on
	if err := s.try("/upload/large.csv", strings.Repeat("1\n", 100)); err == nil {
		t.Error("the old limit is in force")
	}
	got, err := m.api().ReloadServer(context.Background())
	if err != nil || len(got.Changed) != 0 || fmt.Sprint(got.Restart) != "[time_zone]" {
		t.Errorf("%+v, %v", got, err)
	}
	m.configure("storage: {max_file: 1GB, quota: many}\ndrian: 1s\n")
	if _, err := m.api().ReloadServer(context.Background()); err == nil || !strings.Contains(err.Error(), "drian") {
		t.Errorf("a mistake: %v", err)
	}
	if err := s.try("/upload/large.csv", strings.Repeat("1\n", 100)); err == nil {
		t.Error("a configuration with mistakes changed the limit")
	}
	rows, err := m.api().ListAudit(context.Background(), model.AuditFilter{Action: "config.change"})
	if err != nil || len(rows.Items) != 1 || rows.Items[0].Actor != "system:signal" ||
		rows.Items[0].Detail["storage.max_file"] == "" {
		t.Errorf("%+v, %v", rows.Items, err)
	}
	testkit.Eventually(t, "the watchdog was fed", func() bool { return m.heard("WATCHDOG=1") >= 2 })
	h, err := m.api().CheckHealth(context.Background())
	if err != nil || !strings.HasPrefix(h.Sandbox, "on: ") {
		t.Errorf("%+v, %v", h, err)
	}
	_ = s.Close()
	m.terminate(p)
}

// A server whose disk does not take a file feeds no watchdog, so that its manager starts it anew.
func TestTheWatchdogIsNotFedWithoutTheDisk(t *testing.T) {
	m := newManager(t)
	p := m.start()
	testkit.Eventually(t, "the watchdog was fed", func() bool { return m.heard("WATCHDOG=1") >= 1 })
	testkit.Must(t, os.Mkdir(filepath.Join(m.dir, "data", "alive.new"), 0o700)) // the file that is written cannot be
	testkit.Eventually(t, "the server says so", func() bool {
		_, err := m.api().CheckHealth(context.Background())
		return err != nil
	})
	fed := m.heard("WATCHDOG=1")
	time.Sleep(1200 * time.Millisecond)                // more than twice as long as it takes to feed it
	if again := m.heard("WATCHDOG=1"); again > fed+1 { // one may have been under way
		t.Errorf("the watchdog was fed %d times", again-fed)
	}
	m.terminate(p)
}

// session is a client that is logged in.
type session struct {
	*sftp.Client
	m *manager
}

func (m *manager) dial(key ssh.Signer) (*sftp.Client, func(), error) {
	nc, err := net.DialTimeout("tcp", m.addr, 30*time.Second)
	if err != nil {
		return nil, nil, err
	}
	conn, chans, requests, err := ssh.NewClientConn(nc, m.addr, testkit.ClientConfig("acme", key))
	if err != nil {
		_ = nc.Close()
		return nil, nil, err
	}
	c := ssh.NewClient(conn, chans, requests)
	s, err := sftp.NewClient(c)
	if err != nil {
		_ = c.Close()
		return nil, nil, err
	}
	return s, func() { _ = s.Close(); _ = c.Close() }, nil
}

func (m *manager) upload(key ssh.Signer, name, content string) error {
	s, done, err := m.dial(key)
	if err != nil {
		return err
	}
	defer done()
	return session{s, m}.try(name, content)
}

func (m *manager) connect(key ssh.Signer) session {
	m.t.Helper()
	s, done, err := m.dial(key)
	testkit.Must(m.t, err)
	m.t.Cleanup(done)
	return session{s, m}
}

func (s session) try(name, content string) error {
	f, err := s.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(content))
	return errors.Join(err, f.Close())
}

func (s session) write(name, content string) {
	s.m.t.Helper()
	testkit.Must(s.m.t, s.try(name, content))
}

func (s session) read(name string) string {
	f, err := s.Open(name)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var b bytes.Buffer
	_, _ = f.WriteTo(&b) // what is missing is told by the caller
	return b.String()
}
