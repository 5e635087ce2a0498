package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// On a database that the server keeps silent clients' transactions for a
// moment only, so that tests need not wait for the product's own bound.
const shortIdle = "?idle_in_transaction_session_timeout=2000"

func onPostgres(url string) string { return "database: {url: \"" + url + "\"}\n" }

// launch runs a server process without waiting for it.
func launch(t *testing.T, data, url string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(onPostgres(url)), 0o600); err != nil {
		t.Fatal(err)
	}
	stderr = &bytes.Buffer{}
	cmd = exec.Command(os.Args[0], "serve", "--data", data, "--config", file, "--ssh-listen",
		"127.0.0.1:"+testkit.FreePort(t))
	cmd.Env = append(os.Environ(), asServer+"=1")
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd, stderr
}

// ended waits for a process, which must fail, and returns what it said last.
func ended(t *testing.T, cmd *exec.Cmd, stderr *bytes.Buffer) string {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() < 1 {
			t.Fatalf("the process ended with %v\n%s", err, stderr)
		}
	case <-time.After(90 * time.Second):
		t.Fatalf("the process goes on\n%s", stderr)
	}
	_, last, _ := strings.Cut("\n"+stderr.String(), "\nsallyport: ")
	return last
}

// uploadsCommit matches the COMMIT of the next transaction that stores a file.
func uploadsCommit() testkit.Match {
	stored := testkit.Containing("insert into versions")
	seen := false
	return func(statement string) bool {
		seen = seen || stored(statement)
		return seen && testkit.Commit(statement)
	}
}

// TestSecondServer: a second server on a database says whom it found, and
// ends; the first one goes on.
func TestSecondServer(t *testing.T) {
	pg := testkit.Postgres(t)
	url := pg.Database(t)
	first := filepath.Join(t.TempDir(), "first")
	s := start(t, first, onPostgres(url))
	key := s.user("acme")
	says := refusedSecond(t, url)
	if !strings.Contains(says, "Another sallyport serves this database") || !strings.Contains(says, first) ||
		!strings.Contains(says, "hint: ") {
		t.Fatalf("it said: %s", says)
	}
	t.Logf("it said: %s", says)
	if err := put(s.mustSFTP("acme", key), "/upload/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	s.term()
}

func refusedSecond(t *testing.T, url string) string {
	t.Helper()
	cmd, stderr := launch(t, filepath.Join(t.TempDir(), "second"), url)
	return ended(t, cmd, stderr)
}

// TestServersStartTogether starts two servers on a new database, five times:
// one serves, the other says so, and none dies of the other's migrations.
func TestServersStartTogether(t *testing.T) {
	pg := testkit.Postgres(t)
	for round := range 5 {
		url := pg.Database(t)
		dirs := []string{filepath.Join(t.TempDir(), "left"), filepath.Join(t.TempDir(), "right")}
		var cmds [2]*exec.Cmd
		var says [2]*bytes.Buffer
		for i, d := range dirs {
			cmds[i], says[i] = launch(t, d, url)
		}
		over := make(chan int, 2)
		for i := range cmds {
			go func() {
				_ = cmds[i].Wait()
				over <- i
			}()
		}
		loser := <-over
		if !strings.Contains(says[loser].String(), "Another sallyport serves this database") {
			t.Fatalf("round %d: it died of something else:\n%s", round, says[loser])
		}
		testkit.Eventually(t, "the other serves", func() bool {
			_, err := client.Call[model.Page[model.Session]](context.Background(), client.Local(dirs[1-loser]),
				client.Request{Method: "GET", Path: "/sessions"})
			return err == nil
		})
		_ = cmds[1-loser].Process.Kill()
		<-over
	}
}

// copyKeys gives a data folder the keys of another that served the same database.
func copyKeys(t *testing.T, from, to string) {
	t.Helper()
	testkit.Must(t, os.MkdirAll(to, 0o700))
	for _, folder := range []string{"signing", "hostkeys"} {
		testkit.Must(t, os.CopyFS(filepath.Join(to, folder), os.DirFS(filepath.Join(from, folder))))
	}
}

// TestKilledHolder kills the server that has the lease: its restart serves at
// once, and another data folder's server as soon as the lease has expired.
func TestKilledHolder(t *testing.T) {
	pg := testkit.Postgres(t)
	url := pg.Database(t)
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, onPostgres(url))
	for range 3 {
		s.kill()
		began := time.Now()
		s = start(t, data, onPostgres(url))
		took := time.Since(began)
		t.Logf("the same folder served after %v", took.Round(100*time.Millisecond))
		if took > 8*time.Second {
			t.Fatal("it waited for its own lease")
		}
	}
	s.kill()
	began := time.Now()
	other := filepath.Join(t.TempDir(), "other")
	copyKeys(t, data, other)
	s = start(t, other, onPostgres(url))
	took := time.Since(began)
	t.Logf("another folder served after %v", took.Round(100*time.Millisecond))
	if took > 20*time.Second {
		t.Fatal("that is too long")
	}
	s.term()
}

// TestServerCutOff: packets between a server and its database vanish for so
// long that another one takes over. The old one stores nothing more, and ends.
func TestServerCutOff(t *testing.T) {
	pg := testkit.Postgres(t)
	url := pg.Database(t) + shortIdle
	p := testkit.PostgresProxy(t, url)
	first, second := filepath.Join(t.TempDir(), "old"), filepath.Join(t.TempDir(), "new")
	old := start(t, first, onPostgres(p.URL))
	key := old.user("acme")
	c := old.mustSFTP("acme", key)
	if err := put(c, "/upload/before", []byte("x")); err != nil {
		t.Fatal(err)
	}
	held, release := p.Hold(uploadsCommit())
	outcome := make(chan error, 1)
	go func() { outcome <- put(c, "/upload/during", []byte("x")) }()
	<-held
	p.Blackhole(true)
	copyKeys(t, first, second)
	now := start(t, second, onPostgres(url))
	call[model.Account](now, "POST", "/accounts", map[string]string{"id": "later", "name": "later"})
	release()
	if err := <-outcome; err == nil {
		t.Fatal("the cut-off server acknowledged an upload")
	}
	p.Blackhole(false)
	says := ended(t, old.cmd, &old.log)
	if !strings.Contains(says, "Another sallyport has taken the database over") {
		t.Fatalf("it said: %s", says)
	}
	t.Logf("it said: %s", says)
	for _, d := range items[model.Drop](now, "/inbox") {
		if d.Path == "/upload/during" {
			t.Fatal("an upload of the old server was stored under the new one")
		}
	}
	now.term()
}

// TestSilentDatabase: packets between the node and PostgreSQL vanish. A log-in
// is answered within 10 s and CLOSE within 30 s; all recovers by itself.
func TestSilentDatabase(t *testing.T) {
	pg := testkit.Postgres(t)
	p := testkit.PostgresProxy(t, pg.Database(t))
	n := testkit.Start(t, func(c *config.Config) { c.Database.URL = p.URL })
	key := n.User("acme")
	c := n.SFTP("acme", key)
	if err := put(c, "/upload/before", []byte("x")); err != nil {
		t.Fatal(err)
	}
	f, err := c.Create("/upload/during")
	testkit.Must(t, err)
	_, err = f.Write([]byte("y"))
	testkit.Must(t, err)
	committing, release := p.Hold(uploadsCommit())
	g, err := n.SFTP("acme", key).Create("/upload/committing")
	testkit.Must(t, err)
	_, err = g.Write([]byte("z"))
	testkit.Must(t, err)

	var work sync.WaitGroup
	within := func(what string, limit time.Duration, do func() error) {
		began := time.Now()
		err := do()
		took := time.Since(began)
		t.Logf("%s: %v after %v", what, err, took.Round(100*time.Millisecond))
		if err == nil || took > limit {
			t.Errorf("%s: %v after %v", what, err, took)
		}
	}
	work.Go(func() { within("CLOSE in its COMMIT", 30*time.Second, g.Close) })
	<-committing
	p.Blackhole(true)
	release()
	work.Go(func() { within("CLOSE", 30*time.Second, f.Close) })
	for range 3 {
		work.Go(func() {
			within("a log-in", 10*time.Second, func() error {
				conf := testkit.ClientConfig("acme", key)
				conf.Timeout = time.Minute
				s, err := ssh.Dial("tcp", n.Addr, conf)
				if err == nil {
					_ = s.Close()
				}
				return err
			})
		})
	}
	work.Wait()
	p.Blackhole(false)
	began := time.Now()
	testkit.Eventually(t, "log-ins and uploads work again", func() bool {
		s, err := ssh.Dial("tcp", n.Addr, testkit.ClientConfig("acme", key))
		if err != nil {
			return false
		}
		defer s.Close()
		return put(n.SFTP("acme", key), fmt.Sprintf("/upload/after%d", time.Now().UnixNano()), []byte("x")) == nil
	})
	t.Logf("it recovered after %v", time.Since(began).Round(100*time.Millisecond))
}
