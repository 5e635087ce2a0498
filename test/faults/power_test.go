package faults

import (
	"bytes"
	"math"
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
	t.Run("a file", func(t *testing.T) {
		watchUpload(t, bytes.Repeat([]byte("these bytes must not be lost"), 2000), outOfOrder)
	})
	t.Run("a small file", func(t *testing.T) {
		watchUpload(t, []byte("these bytes must not be lost"), smallOutOfOrder)
	})
}

// watchUpload uploads a file to a server whose system calls are recorded, and checks their order.
func watchUpload(t *testing.T, content []byte, check func([]systemCall) string) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, "")
	key := s.user("acme")
	c := s.mustSFTP("acme", key)
	if err := put(c, "/upload/first", []byte("x")); err != nil { // makes the month's folder
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	strace := exec.Command("strace", "-f", "-y", "-o", trace, "-e", "trace=fsync,fdatasync,write,pwrite64",
		"-e", "signal=none", "-p", strconv.Itoa(s.cmd.Process.Pid))
	strace.Stderr = os.Stderr
	if err := strace.Start(); err != nil {
		t.Fatalf("strace: %v", err)
	}
	testkit.Eventually(t, "strace is attached to every thread", func() bool { return traced(s.cmd.Process.Pid) })
	f, err := c.OpenFile("/upload/watched", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_ = strace.Process.Signal(syscall.SIGINT)
	_ = strace.Wait()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := check(systemCalls(string(text))); wrong != "" {
		t.Fatalf("%s:\n%s", wrong, text)
	}
}

// traced says whether every thread of a process has a tracer.
func traced(pid int) bool {
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, name := range threads {
		status, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(status), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}

// systemCall is one call of a trace, with the lines on which it began and
// ended: strace breaks a call in two when another thread's comes between.
type systemCall struct {
	text       string
	begun, end int
}

// systemCalls reads what strace -f wrote: a thread's number, then a call, or
// the beginning of one ("… <unfinished ...>"), or its end ("<... NAME resumed>").
func systemCalls(trace string) []systemCall {
	var calls []systemCall
	open := map[string]int{} // thread -> its unfinished call
	for n, line := range strings.Split(trace, "\n") {
		thread, text, _ := strings.Cut(line, " ")
		text = strings.TrimSpace(text)
		if at, unfinished := open[thread]; unfinished && strings.HasPrefix(text, "<... ") {
			calls[at].end = n
			delete(open, thread)
			continue
		}
		end := n
		if strings.HasSuffix(text, "<unfinished ...>") {
			open[thread], end = len(calls), math.MaxInt
		}
		calls = append(calls, systemCall{text: text, begun: n, end: end})
	}
	return calls
}

// outOfOrder says what is wrong with the order of the syncs, or "". The
// client waits for every answer, so the last write to its socket is the
// CLOSE's. Other commits (the log-in's record) may sync the database's log
// before; what counts is one sync of it that began when the bytes and their
// folder were safe and ended before the answer.
func outOfOrder(calls []systemCall) string {
	blob, folder, reply := -1, -1, -1
	var logs []systemCall
	for _, c := range calls {
		synced := strings.HasPrefix(c.text, "fsync(") || strings.HasPrefix(c.text, "fdatasync(")
		switch {
		case synced && strings.Contains(c.text, "/blobs/") && strings.Contains(c.text, "watched>"):
			blob = c.end
		case synced && strings.Contains(c.text, "/blobs/"):
			folder = c.end
		case synced && strings.Contains(c.text, "sallyport.db-wal"):
			logs = append(logs, c)
		case strings.HasPrefix(c.text, "write(") && strings.Contains(c.text, "socket:"):
			reply = c.begun
		}
	}
	switch {
	case blob < 0:
		return "the file's bytes were not synced"
	case folder < 0:
		return "the folder was not synced"
	case reply < 0:
		return "no answer was written"
	}
	for _, log := range logs {
		if log.begun > max(blob, folder) && log.end < reply {
			return ""
		}
	}
	return "the answer was written before the database's log was synced"
}

// smallOutOfOrder is outOfOrder for a file whose bytes are in the database: after the answer to WRITE, they are written
// to its log, which is synced before the answer to CLOSE. No file is synced.
func smallOutOfOrder(calls []systemCall) string {
	var replies []int
	var writes, syncs []systemCall
	for _, c := range calls {
		synced := strings.HasPrefix(c.text, "fsync(") || strings.HasPrefix(c.text, "fdatasync(")
		switch {
		case synced && strings.Contains(c.text, "/blobs/"):
			return "a file was synced"
		case synced && strings.Contains(c.text, "sallyport.db-wal"):
			syncs = append(syncs, c)
		case strings.HasPrefix(c.text, "pwrite64(") && strings.Contains(c.text, "sallyport.db-wal"):
			writes = append(writes, c)
		case strings.HasPrefix(c.text, "write(") && strings.Contains(c.text, "socket:"):
			replies = append(replies, c.begun)
		}
	}
	if len(replies) < 2 {
		return "the answers are missing"
	}
	sent, closed := replies[len(replies)-2], replies[len(replies)-1]
	for _, w := range writes {
		for _, s := range syncs {
			if w.begun > sent && s.begun > w.end && s.end < closed {
				return ""
			}
		}
	}
	return "the answer was written before the database's log was written and synced"
}

// TestAnOlderCommitIsNotTheFiles: the log-in's record may be synced while the
// file is being written; it must neither stand in for the file's own commit,
// nor make the answer to OPEN look like the answer to CLOSE.
func TestAnOlderCommitIsNotTheFiles(t *testing.T) {
	const (
		older = "1  fsync(14</d/sallyport.db-wal>) = 0\n2  write(21<socket:[5]>, \"open\", 4) = 4\n"
		bytes = "1  fdatasync(22</d/blobs/x-watched> <unfinished ...>\n3  fsync(25</d/blobs/11>) = 0\n1  <... fdatasync " +
			"resumed>) = 0\n"
		commit = "1  fsync(14</d/sallyport.db-wal>) = 0\n"
		begun  = "1  fsync(14</d/sallyport.db-wal> <unfinished ...>\n"
		reply  = "2  write(21<socket:[5]>, \"close\", 5) = 5\n"
		late   = "1  <... fsync resumed>) = 0\n"
	)
	for trace, good := range map[string]bool{
		older + bytes + commit + reply:       true,
		bytes + commit + reply:               true,
		older + bytes + reply:                false,
		older + bytes + reply + commit:       false,
		older + bytes + begun + reply + late: false,
		older + commit + bytes + reply:       false,
		older + commit + reply:               false,
		older + bytes + begun + late + reply: true,
	} {
		if wrong := outOfOrder(systemCalls(trace)); (wrong == "") != good {
			t.Errorf("judged %q:\n%s", wrong, trace)
		}
	}
}
