package faults

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// stream is a process that follows the events into a file.
func stream(t *testing.T, data, out, cursor string) *exec.Cmd {
	t.Helper()
	f, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	testkit.Must(t, err)
	defer f.Close()
	c := exec.Command(os.Args[0], "audit", "stream", "--data", data, "--cursor", cursor, "--connections", "--follow")
	c.Env = append(os.Environ(), asServer+"=1")
	c.Stdout = f
	testkit.Must(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	return c
}

// streamed returns the events in a file. Only its last line may be cut off.
func streamed(t *testing.T, out string) (list []model.StreamEvent) {
	t.Helper()
	text, err := os.ReadFile(out)
	testkit.Must(t, err)
	for line := range bytes.Lines(text) {
		var e model.StreamEvent
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		testkit.Must(t, json.Unmarshal(line, &e))
		list = append(list, e)
	}
	return list
}

// TestStreamSurvivesKillNine kills stream and server while things happen. Every row of the log must be in the stream,
// in order; rows are there twice at the seams alone.
func TestStreamSurvivesKillNine(t *testing.T) {
	dir := t.TempDir()
	data, out, cursor := filepath.Join(dir, "data"), filepath.Join(dir, "events"), filepath.Join(dir, "cursor")
	s := start(t, data, "")
	key := s.user("acme")
	const rounds = 5
	for round := range rounds {
		follower := stream(t, data, out, cursor)
		before := len(streamed(t, out))
		for i := range 5 {
			c := s.mustSFTP("acme", key)
			name := "/upload/" + strings.Repeat("x", round*5+i+1) + "\"]\\\n\x1b[31m<13>1 \xff"
			testkit.Must(t, c.Mkdir(name))
			_ = c.Close()
		}
		testkit.Eventually(t, "something is streamed", func() bool { return len(streamed(t, out)) > before })
		s.kill()
		_ = follower.Process.Kill()
		_ = follower.Wait()
		s = start(t, data, "")
	}
	follower := stream(t, data, out, cursor)
	_ = s.mustSFTP("acme", key).Close() // the records of those before may have been lost with the server
	size := call[model.AuditStatus](s, "POST", "/audit/checkpoint", nil).Sealed
	testkit.Eventually(t, "the stream has all rows", func() bool {
		list := streamed(t, out)
		return has(list, model.SourceAudit, size-1) && has(list, model.SourceConnection, 1)
	})
	testkit.Must(t, follower.Process.Signal(syscall.SIGTERM))
	testkit.Must(t, follower.Wait())
	seen := map[string]int64{model.SourceAudit: -1}
	seams, actions := 0, map[string]int{}
	for _, e := range streamed(t, out) {
		last := seen[e.Source]
		if e.Seq > last {
			if e.Source == model.SourceAudit && e.Seq != last+1 {
				t.Fatalf("row %d follows row %d", e.Seq, last)
			}
			actions[e.Action]++
		} else if e.Seq != last+1 {
			seams++
		}
		seen[e.Source] = max(last, e.Seq)
	}
	if actions["dir.make"] != rounds*5 || actions[model.ActionLogin] == 0 {
		t.Errorf("%v", actions)
	}
	t.Logf("%d rows, %d events twice, %v", seen[model.SourceAudit]+1, seams, actions)
	s.term()
}

// has reports whether an event of a source with at least a number is there.
func has(list []model.StreamEvent, source string, seq int64) bool {
	return slices.ContainsFunc(list, func(e model.StreamEvent) bool { return e.Source == source && e.Seq >= seq })
}
