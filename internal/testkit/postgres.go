package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Cluster is a private PostgreSQL server.
type Cluster struct {
	dir, bin, port string
	cred           *syscall.Credential
	databases      atomic.Int64
}

// Postgres starts a private PostgreSQL server on loopback, which runs until the test ends. As root
// it runs as the user "postgres", because PostgreSQL refuses root.
func Postgres(t testing.TB) *Cluster {
	t.Helper()
	if !Everything() {
		return &Cluster{} // Database skips the test
	}
	c := &Cluster{bin: postgresBin(t), port: FreePort(t)}
	dir, err := os.MkdirTemp("", "sallyport-pg-") // t.TempDir cannot be read by other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c.dir, c.cred = dir, postgresUser(t, dir)
	data := filepath.Join(dir, "data")
	c.run(t, "initdb", "--no-sync", "-A", "trust", "-U", "sallyport", "-D", data)
	server := c.command("postgres", "-D", data, "-p", c.port, "-k", dir, "-c", "listen_addresses=127.0.0.1")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = server.Wait()
		_ = log.Close()
	})
	ready := func() bool {
		return c.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", c.port).Run() == nil
	}
	for end := time.Now().Add(30 * time.Second); !ready(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("PostgreSQL did not start:\n%s", MustRead(t, log.Name()))
		}
	}
	return c
}

// Database makes an empty database and returns its URL.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	Long(t, "it needs PostgreSQL")
	name := fmt.Sprintf("db%d", c.databases.Add(1))
	c.run(t, "createdb", "-h", "127.0.0.1", "-p", c.port, "-U", "sallyport", name)
	return fmt.Sprintf("postgres://sallyport@127.0.0.1:%s/%s", c.port, name)
}

// Restart kills the server, as a crash would, and starts it again.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	c.run(t, "pg_ctl", "-D", filepath.Join(c.dir, "data"), "-m", "immediate", "-w", "-o",
		fmt.Sprintf("-p %s -k %s -c listen_addresses=127.0.0.1", c.port, c.dir), "-l", filepath.Join(c.dir, "restarted.log"),
		"restart")
	t.Cleanup(func() { // it is no longer our child; stopping it again does nothing
		_ = c.command("pg_ctl", "-D", filepath.Join(c.dir, "data"), "-m", "immediate", "stop").Run()
	})
}

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred}
	return cmd
}

func (c *Cluster) run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := c.command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// postgresBin finds Debian's versioned folder with the server's programs.
func postgresBin(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Fatal("PostgreSQL is not installed; scripts/install-test-packages installs it")
	}
	return filepath.Dir(found[len(found)-1])
}

func postgresUser(t testing.TB, dir string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
