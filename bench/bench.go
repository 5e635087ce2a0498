package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// Names of the two servers in messages and tables.
const (
	ours   = "Sallyport"
	theirs = "OpenSSH"
)

// bench is the state that all rows share.
type bench struct {
	o           options
	work        string // folder in memory, or where -disk says
	diskWork    string // folder on disk, for rows that measure the disk
	binary      string
	key         string // the client's private key file; the public key is beside it
	signer      ssh.Signer
	hostKey     string
	sshd        string
	opensshUser string

	counted cpu // sums over all rows, to compare the two ways of counting
}

// newBench prepares the work folders, the keys, the binary and the user. The caller must close the
// result even if there is an error.
func newBench(ctx context.Context, o options) (b *bench, err error) {
	if _, err := os.Stat("cmd/sallyport"); err != nil {
		return nil, errors.New("run this from the repository's root: go run ./bench")
	}
	b = &bench{o: o, binary: o.binary}
	if b.sshd, err = findSSHD(); err != nil {
		return b, err
	}
	if err := b.makeWork(); err != nil {
		return b, err
	}
	if b.binary == "" {
		b.binary = filepath.Join(b.work, "sallyport")
		if err := buildSallyport(ctx, b.binary); err != nil {
			return b, err
		}
	}
	for _, key := range []struct {
		path *string
		name string
	}{{&b.key, "client_key"}, {&b.hostKey, "host_key"}} {
		*key.path = filepath.Join(b.work, key.name)
		if err := runQuiet(exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
			*key.path)); err != nil {
			return b, err
		}
	}
	text, err := os.ReadFile(b.key)
	if err != nil {
		return b, err
	}
	if b.signer, err = ssh.ParsePrivateKey(text); err != nil {
		return b, err
	}
	if b.opensshUser, err = ensureUser(ctx); err != nil {
		return b, err
	}
	if !o.quick {
		touchMemory()
	}
	return b, errors.Join(adoptOrphans(), checkMeter(b.work))
}

// touchMemory writes to much of the machine's memory once, and gives it back. On a virtual machine the
// first write to a page may cost several times what a later one costs, and would be counted for
// whichever server comes first.
func touchMemory() {
	var have syscall.Sysinfo_t
	if syscall.Sysinfo(&have) != nil {
		return
	}
	most := int(have.Freeram) * int(have.Unit) / 2
	b, err := syscall.Mmap(-1, 0, min(most, 12<<30), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANONYMOUS)
	if err != nil {
		return
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	_ = syscall.Munmap(b)
}

// makeWork makes the work folders. Others may enter them, because OpenSSH reads the user's key with
// that user's rights.
func (b *bench) makeWork() (err error) {
	base := b.o.disk
	if base == "" {
		base = "/dev/shm"
	}
	if b.work, err = os.MkdirTemp(base, "sallyport-bench-"); err != nil {
		return err
	}
	if b.work, err = filepath.Abs(b.work); err != nil {
		return err
	}
	b.diskWork = b.work
	if b.o.disk == "" {
		if err := os.MkdirAll("bench/out", 0o755); err != nil {
			return err
		}
		if b.diskWork, err = os.MkdirTemp("bench/out", "disk-"); err != nil {
			return err
		}
		if b.diskWork, err = filepath.Abs(b.diskWork); err != nil {
			return err
		}
	}
	return errors.Join(os.Chmod(b.work, 0o755), os.Chmod(b.diskWork, 0o755))
}

// close removes what newBench made. It keeps the user, because another run may use it.
func (b *bench) close() {
	for _, dir := range []string{b.work, b.diskWork} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}

// machine describes the machine and the programs.
func (b *bench) machine() string {
	model := "unknown processor"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	system := runtime.GOOS
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				system = strings.Trim(strings.TrimSpace(name), `"`)
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s; %s, %s; data in %s, %d rounds", model, runtime.NumCPU(), system,
		runtime.Version(), opensshVersion(), filepath.Dir(b.work), b.o.rounds)
}

// meterNote says how processor time was counted, and compares the two ways.
func (b *bench) meterNote() string {
	if b.counted.proc == 0 {
		return "" // no row measured it
	}
	if b.counted.group == 0 {
		return "Processor time: sums over /proc (no cgroup v2 could be used)."
	}
	return fmt.Sprintf("Processor time: cgroup v2; sums over /proc came to %.1f %% of it.",
		100*float64(b.counted.proc)/float64(b.counted.group))
}

// server is one of the two servers that are compared.
type server struct {
	*process
	name, user string
	port       int
	processes  int // number of processes while nobody is logged in
}

func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// waitUp waits until the server sends its greeting.
func (s *server) waitUp(ctx context.Context) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) &&
		ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.ended:
			return fmt.Errorf("%s ended at once:%s", s.name, s.logTail())
		default:
		}
		c, err := net.Dial("tcp", s.addr())
		if err != nil {
			continue
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, err = c.Read(make([]byte, 4))
		_ = c.Close()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s did not come up", s.name)
}

// makeDir makes a folder that others may enter.
func makeDir(dir string) error {
	return errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755))
}

// freePort returns a port that is not in use.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
