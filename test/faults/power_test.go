package faults

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestPowerLoss watches the server's system calls while one file is uploaded:
// the bytes and the folder that names them, then the database's log, must be
// synced before the CLOSE is answered. What the kernel was asked for in this
// order survives a power cut.
func TestPowerLoss(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, "")
	key := s.user("acme")
	c := s.mustSFTP("acme", key)
	if err := put(c, "/upload/first", []byte("x")); err != nil { // makes the month's folder
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	strace := exec.Command("strace", "-f", "-y", "-o", trace, "-e", "trace=fsync,fdatasync,write,rename,renameat,linkat",
		"-p", strconv.Itoa(s.cmd.Process.Pid))
	strace.Stderr = os.Stderr
	if err := strace.Start(); err != nil {
		t.Fatalf("strace: %v", err)
	}
	testkit.Eventually(t, "strace is attached", func() bool {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
		return err == nil && !strings.Contains(string(status), "TracerPid:\t0\n")
	})
	f, err := c.OpenFile("/upload/watched", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("these bytes must not be lost")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_ = strace.Process.Signal(syscall.SIGINT)
	_ = strace.Wait()
	checkOrder(t, trace)
}

// checkOrder finds the three syncs, and the first write to the client's
// socket after the last of them.
func checkOrder(t *testing.T, trace string) {
	t.Helper()
	file, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	blob, folder, log, reply := 0, 0, 0, 0
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		l := lines.Text()
		synced := strings.Contains(l, "fsync(") || strings.Contains(l, "fdatasync(")
		switch {
		case synced && strings.Contains(l, "/blobs/") && strings.Contains(l, "watched>"):
			blob = n
		case synced && strings.Contains(l, "/blobs/"):
			folder = n
		case synced && strings.Contains(l, "sallyport.db-wal"):
			log = n
		case strings.Contains(l, "write(") && strings.Contains(l, "socket:") && log > 0 && reply == 0:
			reply = n
		}
	}
	if blob == 0 || folder == 0 || max(blob, folder) > log || log > reply {
		text, _ := os.ReadFile(trace)
		t.Fatalf("in lines: bytes synced %d, folder %d, log %d, reply %d\n%s", blob, folder, log, reply, text)
	}
}
