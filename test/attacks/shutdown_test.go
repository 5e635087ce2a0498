package attacks

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// upload writes a chunk after another until the connection breaks.
func upload(s *rawSFTP, h []byte) {
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	for at := uint64(0); ; at += uint64(len(chunk)) {
		if _, err := s.ch.Write(s.request(sftpwire.TypeWrite, h, at, chunk)); err != nil {
			return
		}
		if _, err := s.next(); err != nil {
			return
		}
		time.Sleep(time.Millisecond) // the rate of a partner with a slow link
	}
}

// assertPartial finds the upload kept, resumable and not handed on.
func assertPartial(t *testing.T, s *rawSFTP) {
	t.Helper()
	r := s.call(sftpwire.TypeStat, "/upload/long")
	size := skipAttrs(&r.unpack)
	if r.kind != sftpwire.TypeAttrs || size == 0 {
		t.Fatalf("the partial is gone: %q", r.b)
	}
	h := s.open("/upload/long", flagRead|flagWrite)
	d := s.call(sftpwire.TypeRead, h, uint64(0), uint32(16))
	if got := d.string(); got != "0123456789abcdef" {
		t.Errorf("the partial reads %q", got)
	}
	s.want("WRITE at its end", s.call(sftpwire.TypeWrite, h, size, "end"), statusOK)
	if code := s.close(h); code != statusOK {
		t.Errorf("the resumed upload's CLOSE: %d", code)
	}
}

func TestShutdownInTheMiddleOfAnUpload(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	s := sftpOf(t, n, "alice", key)
	h := s.open("/upload/long", flagWrite|flagCreate)
	over := make(chan struct{})
	go func() { upload(s, h); close(over) }()
	testkit.Eventually(t, "bytes arrive", func() bool {
		live := sessions(n, "alice")
		return len(live) == 1 && live[0].Received > 500_000
	})
	began := time.Now()
	n.Stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a drain of 200 ms took %v", took)
	}
	<-over
	n.Restart()
	if len(n.Drops()) != 0 {
		t.Error("half an upload was handed on")
	}
	assertPartial(t, sftpOf(t, n, "alice", key))
}

// process starts this binary as a server of its own.
func process(t *testing.T, data, addr string) (*exec.Cmd, *testkit.Log) {
	t.Helper()
	log := &testkit.Log{}
	cmd := exec.Command(os.Args[0], "serve", "--data", data, "--ssh-listen", addr)
	cmd.Env = append(os.Environ(), serveVariable+"=1", "SALLYPORT_DRAIN=1s", "SALLYPORT_STORAGE_FREE_FLOOR=0")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	testkit.Eventually(t, "the server is up", func() bool { return log.Contains("sallyport is up") })
	return cmd, log
}

func TestSIGTERMInTheMiddleOfAnUpload(t *testing.T) {
	n := start(t) // its data is used by processes from now on
	key := n.User("alice")
	n.Stop()
	addr := "127.0.0.1:" + testkit.FreePort(t)
	cmd, log := process(t, n.Data, addr)
	n.Addr, n.API = addr, client.Local(n.Data)
	s := sftpOf(t, n, "alice", key)
	idle := n.SSH("alice", key)
	h := s.open("/upload/long", flagWrite|flagCreate)
	over := make(chan struct{})
	go func() { upload(s, h); close(over) }()
	testkit.Eventually(t, "bytes arrive", func() bool {
		for _, live := range sessions(n, "alice") {
			if live.Received > 500_000 {
				return true
			}
		}
		return false
	})
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	gone(t, "an idle session", idle, 3*time.Second)
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, log)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("a drain of 1 s took %v", took)
	}
	<-over
	if left, _ := filepath.Glob(filepath.Join(n.Data, "*.sock")); len(left) != 0 {
		t.Logf("left over: %v", left)
	}
	cmd, log = process(t, n.Data, addr)
	assertPartial(t, sftpOf(t, n, "alice", key))
	if drops := n.Drops(); len(drops) != 1 {
		t.Errorf("%d drops, want the finished upload alone", len(drops))
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, log)
	}
}
