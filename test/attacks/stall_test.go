package attacks

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// stuff stores a file of 4 MiB and asks for 255 MiB of it on a channel that
// is never read, so that the window is never adjusted.
func stuff(t *testing.T, n *testkit.Node, key ssh.Signer) (*ssh.Client, *rawSFTP) {
	t.Helper()
	f, err := n.SFTP("alice", key).Create("/upload/big")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Repeat([]byte("sallyport"), 4<<20/9)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c := n.SSH("alice", key)
	s := subsystem(t, c)
	s.init()
	h := s.open("/upload/big", flagRead)
	var b []byte
	for i := range 1000 {
		b = append(b, s.request(sftpwire.TypeRead, h, uint64(i%16)*sftpwire.MaxData, uint32(sftpwire.MaxData))...)
	}
	s.write(b)
	return c, s
}

// gone waits for a connection's end.
func gone(t *testing.T, what string, c *ssh.Client, limit time.Duration) {
	t.Helper()
	over := make(chan struct{})
	go func() { _ = c.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(limit):
		t.Errorf("%s: the session is there after %v", what, limit)
	}
}

func TestThousandReadsAndAWindowNeverAdjusted(t *testing.T) {
	n := start(t, short)
	key := n.User("alice")
	before := heap()
	c, _ := stuff(t, n, key)
	// 2 MiB lie in the client's window, in this process too.
	for range 3 {
		assertHeap(t, "1,000 READs of 255 KiB", before, 16<<20)
		alive(t, n, "alice", key)
	}
	gone(t, "a client that takes nothing", c, 15*time.Second)
}

// A second channel that is busy does not keep the stuck one alive.
func TestStuckChannelBesideABusyOne(t *testing.T) {
	n := start(t, short)
	key := n.User("alice")
	c, _ := stuff(t, n, key)
	busy := subsystem(t, c)
	busy.init()
	over := make(chan struct{})
	go func() { _ = c.Wait(); close(over) }()
	deadline := time.After(15 * time.Second)
	for {
		select {
		case <-over:
			return
		case <-deadline:
			t.Fatal("limits.stall was 1 s: the stuck channel is there after 15 s")
		case <-time.After(20 * time.Millisecond):
			if _, err := busy.ch.Write(busy.request(sftpwire.TypeStat, "/")); err == nil {
				_, _ = busy.next()
			}
		}
	}
}

// A client that takes its replies slowly, but takes them, is not given up.
func TestSlowReaderIsNotGivenUp(t *testing.T) {
	n := start(t, short)
	key := n.User("alice")
	c, s := stuff(t, n, key)
	over := make(chan struct{})
	go func() { _ = c.Wait(); close(over) }()
	buf := make([]byte, 64<<10)
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
		select {
		case <-over:
			t.Fatal("a slow reader was cut off")
		case <-time.After(20 * time.Millisecond):
			if _, err := s.ch.Read(buf); err != nil {
				t.Fatalf("a slow reader was cut off: %v", err)
			}
		}
	}
}

// 64 CLOSEs may wait; a thousand uploads sent without reading a reply must
// neither hang the session nor fill the memory.
func TestThousandUploadsWithoutReadingReplies(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	const files = 300
	var sent sync.WaitGroup
	sent.Go(func() {
		for i := range uint32(files) {
			path := "/upload/" + string(rune('a'+i%26)) + string(rune('a'+i/26))
			b := sftpPacket(pack(byte(sftpwire.TypeOpen), 3*i, path, flagWrite|flagCreate, uint32(0)))
			b = append(b, sftpPacket(pack(byte(sftpwire.TypeWrite), 3*i+1, pack(i+1), uint64(0), "body"))...)
			b = append(b, sftpPacket(pack(byte(sftpwire.TypeClose), 3*i+2, pack(i+1)))...)
			if _, err := s.ch.Write(b); err != nil {
				return
			}
		}
	})
	sent.Wait()
	good := 0
	for range 3 * files {
		if r := s.recv(); r.kind == sftpwire.TypeHandle || r.status() == statusOK {
			good++
		}
	}
	if good != 3*files {
		t.Errorf("%d of %d requests succeeded", good, 3*files)
	}
	if got := s.names("/upload"); len(got) != files {
		t.Errorf("%d of %d files are there", len(got), files)
	}
}
