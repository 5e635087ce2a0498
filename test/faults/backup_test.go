package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// product runs a command of the product, and returns what it printed.
func product(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// mustProduct is product that must succeed.
func mustProduct(t *testing.T, args ...string) string {
	t.Helper()
	out, err := product(t, args...)
	if err != nil {
		t.Fatalf("sallyport %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// yamlOf is the configuration of a deployment whose checkpoints leave the machine.
func yamlOf(url, outside string) string {
	yaml := "audit: {checkpoints: [\"file:" + outside + "\"]}\n"
	if url != "" {
		yaml += onPostgres(url)
	}
	return yaml
}

// configOf is yamlOf in a file.
func configOf(t *testing.T, url, outside string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Must(t, os.WriteFile(file, []byte(yamlOf(url, outside)), 0o600))
	return file
}

// TestAMachineIsLost: a backup is made while four writers work, of each database and into each. What was acknowledged
// before it is there after the restore; a key that was revoked after it does not work; the host keys are the same.
func TestAMachineIsLost(t *testing.T) {
	pg := testkit.Postgres(t)
	for _, c := range []struct {
		name     string
		from, to bool // PostgreSQL
	}{{"sqlite", false, false}, {"postgres", true, true}, {"sqlite to postgres", false, true},
		{"postgres to sqlite", true, false}} {
		t.Run(c.name, func(t *testing.T) {
			from, to := "", ""
			if c.from {
				from = pg.Database(t)
			}
			if c.to {
				to = pg.Database(t)
			}
			loseMachine(t, from, to)
		})
	}
}

func loseMachine(t *testing.T, from, to string) {
	data, outside := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "checkpoints")
	backup := filepath.Join(t.TempDir(), "backup")
	s := start(t, data, yamlOf(from, outside))
	key, lost := s.user("acme"), s.user("lost")
	w := &writers{s: s, key: key, sent: map[string][]byte{}}
	w.upload(t, "before", 40)
	before := w.acknowledged()

	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() { w.until(fmt.Sprint("during", i), stop) })
	}
	mustProduct(t, "backup", backup, "--data", data, "--config", configOf(t, from, outside))
	close(stop)
	work.Wait()
	for _, k := range items[model.Key](s, "/users/lost/keys") {
		call[any](s, "POST", "/keys/revoke", model.RevokeKey{Fingerprint: k.Fingerprint, Reason: "lost"})
	}
	hostKeys := items[model.HostKey](s, "/hostkeys")
	testkit.Eventually(t, "the journal tells of the key", func() bool {
		b, _ := os.ReadFile(outside + ".journal")
		return bytes.Contains(b, []byte("key.revoke"))
	})
	s.kill()
	testkit.Must(t, os.RemoveAll(data))

	config := configOf(t, to, outside)
	if out := mustProduct(t, "restore", backup, "--verify"); !strings.Contains(out, "is what was stored") {
		t.Fatalf("it says: %s", out)
	}
	if out, err := product(t, "restore", "--open", "--to", data, "--config", config); err == nil {
		t.Fatalf("nothing was restored, and it opens: %s", out)
	}
	again := filepath.Join(t.TempDir(), "again")
	mustProduct(t, "restore", backup, "--to", again, "--config", config)
	if says := refusedClosed(t, again, config); !strings.Contains(says, "is closed") {
		t.Fatalf("before it is open, a command says: %s", says)
	}
	out := mustProduct(t, "restore", "--open", "--to", again, "--config", config)
	if !strings.Contains(out, "key.revoke") || !strings.Contains(out, ": revoked") || strings.Contains(out, "WARNING") {
		t.Fatalf("it says: %s", out)
	}
	s = start(t, again, yamlOf(to, outside))
	if now := items[model.HostKey](s, "/hostkeys"); fmt.Sprint(now) != fmt.Sprint(hostKeys) {
		t.Errorf("the host keys are %v, and were %v", now, hostKeys)
	}
	if _, err := s.sftp("lost", lost); err == nil {
		t.Error("the key that was revoked works again")
	}
	c := s.mustSFTP("acme", key)
	for _, path := range before {
		if got, err := get(c, path); err != nil || !bytes.Equal(got, w.sent[path]) {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	testkit.Must(t, put(c, "/upload/after", []byte("after")))
	says := mustProduct(t, "audit", "verify", "--data", again, "--config", config)
	if !strings.Contains(says, "is what was sealed") {
		t.Errorf("the log: %s", says)
	}
	s.term()
}

// refusedClosed starts a server on a closed folder, and returns what a command says.
func refusedClosed(t *testing.T, data, config string) (says string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "serve", "--data", data, "--config", config, "--ssh-listen",
		"127.0.0.1:"+testkit.FreePort(t))
	cmd.Env = append(os.Environ(), asServer+"=1")
	testkit.Must(t, cmd.Start())
	testkit.Eventually(t, "the closed server answers", func() bool {
		says, _ = product(t, "user", "list", "--data", data)
		return strings.Contains(says, "restore --open")
	})
	testkit.Must(t, cmd.Process.Signal(os.Interrupt))
	testkit.Must(t, cmd.Wait())
	return says
}

// writers upload files, and know which were acknowledged.
type writers struct {
	s    *server
	key  ssh.Signer
	mu   sync.Mutex
	sent map[string][]byte
	list []string
}

func (w *writers) acknowledged() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.list...)
}

func (w *writers) upload(t *testing.T, name string, n int) {
	t.Helper()
	c := w.s.mustSFTP("acme", w.key)
	for i := range n {
		testkit.Must(t, w.one(c, fmt.Sprintf("/upload/%s-%d", name, i), i))
	}
}

func (w *writers) one(c *sftp.Client, path string, i int) error {
	content := bytes.Repeat([]byte(path), 1+i*500%20_000)
	if err := put(c, path, content); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[path], w.list = content, append(w.list, path)
	return nil
}

// until uploads until it is stopped.
func (w *writers) until(name string, stop chan struct{}) {
	c, err := w.s.sftp("acme", w.key)
	if err != nil {
		return
	}
	defer c.Close()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		if w.one(c, fmt.Sprintf("/upload/%s-%d", name, i), i) != nil {
			return
		}
	}
}

// TestABackupOrRestoreIsKilled: at any moment; the same command again finishes, and what it made is whole.
func TestABackupOrRestoreIsKilled(t *testing.T) {
	pg := testkit.Postgres(t)
	for _, url := range []string{"", pg.Database(t)} {
		outside := filepath.Join(t.TempDir(), "checkpoints")
		data, backup := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup")
		s := start(t, data, yamlOf(url, outside))
		w := &writers{s: s, key: s.user("acme"), sent: map[string][]byte{}}
		w.upload(t, "f", 60)
		s.term()
		config := configOf(t, url, outside)
		for i := range 8 {
			killedAfter(t, time.Duration(i*25)*time.Millisecond, "backup", backup, "--data", data, "--config", config)
		}
		mustProduct(t, "backup", backup, "--data", data, "--keep", "1", "--config", config)
		if out := mustProduct(t, "restore", backup, "--verify"); !strings.Contains(out, "Stored files:  60") {
			t.Fatalf("it says: %s", out)
		}
		if url != "" {
			url = pg.Database(t)
			config = configOf(t, url, outside)
		}
		again := filepath.Join(t.TempDir(), "again")
		finished := false
		for i := 0; !finished; i++ {
			finished = killedAfter(t, time.Duration(i*40)*time.Millisecond, "restore", backup, "--to", again, "--config",
				config)
		}
		opened := false
		for i := 0; !opened; i++ {
			opened = killedAfter(t, time.Duration(i*20)*time.Millisecond, "restore", "--open", "--to", again, "--config",
				config)
		}
		if out, err := product(t, "restore", "--open", "--to", again, "--config", config); err == nil ||
			!strings.Contains(out, "is open already") {
			t.Fatalf("%v: %s", err, out)
		}
		s = start(t, again, yamlOf(url, outside))
		c := s.mustSFTP("acme", w.key)
		for path, want := range w.sent {
			if got, err := get(c, path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, %v", path, len(got), err)
			}
		}
		s.term()
	}
}

// killedAfter runs a command and kills it, unless it has ended by then. It reports whether there was nothing left to
// do: the command succeeded, or found it done by the one that was killed before.
func killedAfter(t *testing.T, d time.Duration, args ...string) (finished bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	var says bytes.Buffer
	cmd.Stdout, cmd.Stderr = &says, &says
	testkit.Must(t, cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	select {
	case <-done:
		if !cmd.ProcessState.Success() && !strings.Contains(says.String(), "it has blobs") &&
			!strings.Contains(says.String(), "open already") {
			t.Fatalf("sallyport %s: %s", strings.Join(args, " "), says.String())
		}
		return true
	case <-time.After(d): // the moment itself is what is tried
		_ = cmd.Process.Kill()
		<-done
		return false
	}
}

// TestTheDiskOfABackupIsFull: the backup and the restore say so, and finish once there is room.
func TestTheDiskOfABackupIsFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, "")
	c := s.mustSFTP("acme", s.user("acme"))
	for i := range 10 {
		testkit.Must(t, put(c, fmt.Sprintf("/upload/f%d", i), bytes.Repeat([]byte{byte(i)}, 1<<20)))
	}
	backup, again := small(t, "8m"), small(t, "8m")
	to, data2 := filepath.Join(backup, "backup"), filepath.Join(again, "data")
	full := func(args ...string) {
		t.Helper()
		if out, err := product(t, args...); err == nil || !strings.Contains(out, "the disk is full") {
			t.Fatalf("%v: %s", err, out)
		}
	}
	full("backup", to, "--data", data)
	if out, err := product(t, "restore", to, "--verify"); err == nil {
		t.Fatalf("a backup that did not fit is taken for one: %s", out)
	}
	grow(t, backup)
	mustProduct(t, "backup", to, "--data", data)
	mustProduct(t, "restore", to, "--verify")
	full("restore", to, "--to", data2)
	grow(t, again)
	mustProduct(t, "restore", to, "--to", data2)
	s.term()
}

// small mounts a small disk.
func small(t *testing.T, size string) string {
	t.Helper()
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", disk).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
	return disk
}

func grow(t *testing.T, disk string) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,size=64m", disk).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v: %s", err, out)
	}
}
