package faults

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"path"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/model"
)

const (
	killRounds = 30
	uploaders  = 4
)

// ledger is what the test knows: what it sent, and what was acknowledged.
type ledger struct {
	mu     sync.Mutex
	sent   map[string][]byte // final path → content
	acked  map[string]bool
	round  int
	enough chan struct{} // closed when it is time to kill
	after  int           // acknowledgements until then
}

func (l *ledger) begin(path string, content []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[path] = content
}

func (l *ledger) ack(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[path] = true
	if l.after--; l.after == 0 {
		close(l.enough)
	}
}

// TestKillNine kills the server at random points of mixed uploads, thirty
// times over one data folder. Every acknowledged file must be whole and
// listed, and nothing else must look like a file.
func TestKillNine(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, "")
	key := s.user("acme")
	l := &ledger{sent: map[string][]byte{}, acked: map[string]bool{}}
	for l.round = range killRounds {
		l.enough, l.after = make(chan struct{}), 1+mathrand.IntN(60)
		var work sync.WaitGroup
		for i := range uploaders {
			work.Go(func() { l.upload(s, key, i) })
		}
		<-l.enough
		s.kill()
		work.Wait()
		s = start(t, data, "")
		l.check(t, s, key)
	}
	t.Logf("%d rounds: %d uploads begun, %d acknowledged, all whole and listed", killRounds, len(l.sent), len(l.acked))
	s.term()
}

// upload sends files of all sizes until the connection breaks: some straight
// to their name, some through a temporary one, some again over their own.
func (l *ledger) upload(s *server, key ssh.Signer, worker int) {
	c, err := s.sftp("acme", key)
	if err != nil {
		return
	}
	defer c.Close()
	for i := 0; ; i++ {
		content := make([]byte, []int{0, 1, 4096, 32 << 10, 32<<10 + 1, 70_000, 300_000}[mathrand.IntN(7)])
		for j := range content {
			content[j] = byte(mathrand.Uint32())
		}
		final := fmt.Sprintf("/upload/r%d-w%d-%d", l.round, worker, i)
		l.begin(final, content)
		switch i % 3 {
		case 0:
			err = put(c, final, content)
		case 1:
			if err = put(c, final+".part", content); err == nil {
				err = c.Rename(final+".part", final)
			}
		case 2:
			if err = put(c, final+".tmp", []byte("draft")); err == nil {
				if err = put(c, final+".tmp", content); err == nil {
					err = c.PosixRename(final+".tmp", final)
				}
			}
		}
		if err != nil {
			return
		}
		l.ack(final)
	}
}

// check compares what is there with the ledger.
func (l *ledger) check(t *testing.T, s *server, key ssh.Signer) {
	t.Helper()
	c := s.mustSFTP("acme", key)
	defer c.Close()
	list, err := c.ReadDir("/upload")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, f := range list {
		p := "/upload/" + f.Name()
		ext := path.Ext(p)
		if ext != "" || f.ModTime().Unix() == 0 { // a temporary name or a partial: nothing was promised
			continue
		}
		there[p] = true
		want, sent := l.sent[p]
		if !sent {
			t.Fatalf("round %d: %s was never sent", l.round, p)
		}
		if f.Size() != int64(len(want)) {
			t.Fatalf("round %d: %s has %d bytes, want %d (acknowledged: %v)", l.round, p, f.Size(), len(want), l.acked[p])
		}
		// The bytes of this round's files; the others' were checked before.
		if len(want) > 0 && bytes.HasPrefix([]byte(p), fmt.Appendf(nil, "/upload/r%d-", l.round)) {
			if got, err := get(c, p); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("round %d: %s reads %d bytes, %v (acknowledged: %v)", l.round, p, len(got), err, l.acked[p])
			}
		}
	}
	for p := range l.acked {
		if !there[p] {
			t.Fatalf("round %d: %s was acknowledged and is gone", l.round, p)
		}
	}
	l.checkInbox(t, s, there)
}

// checkInbox: every listed file is one drop, with the hash of what was sent.
func (l *ledger) checkInbox(t *testing.T, s *server, there map[string]bool) {
	t.Helper()
	drops := map[string]int{}
	for _, d := range items[model.Drop](s, "/inbox") {
		sum := sha256.Sum256(l.sent[d.Path])
		if d.SHA256 != hex.EncodeToString(sum[:]) {
			t.Fatalf("round %d: the drop of %s has another hash", l.round, d.Path)
		}
		drops[d.Path]++
	}
	for p := range there {
		if drops[p] != 1 {
			t.Fatalf("round %d: %s is %d drops", l.round, p, drops[p])
		}
	}
}
