package sftpd_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/sftpd"
)

// slow is a file system whose Mkdir is slow.
type slow struct{ sftpd.FileSystem }

func (slow) Mkdir(string) error { time.Sleep(time.Millisecond); return nil }

// TestAPauseKeepsNoAnswerBack: a session sends its answers before it pauses, and the pause
// ends with the context.
func TestAPauseKeepsNoAnswerBack(t *testing.T) {
	server, client := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	var counted time.Duration
	go func() {
		s := sftpd.New(server, sftpd.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now, MaxHandles: 4,
			Used: func(took time.Duration) time.Duration { counted += took; return time.Hour }})
		ended <- s.Serve(ctx, slow{})
	}()
	mkdir := []byte{0, 0, 0, 15, 14, 0, 0, 0, 7, 0, 0, 0, 2, '/', 'a', 0, 0, 0, 0}
	go func() {
		_, _ = client.Write([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3}) // INIT
		_, _ = client.Write(append(mkdir, mkdir...))
	}()
	read := func() (kind byte) {
		t.Helper()
		head := make([]byte, 5)
		if _, err := io.ReadFull(client, head); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, client, int64(head[2])<<8+int64(head[3])-1); err != nil {
			t.Fatal(err)
		}
		return head[4]
	}
	if version, status := read(), read(); version != 2 || status != 101 {
		t.Fatalf("answered with %d and %d", version, status)
	}
	if err := client.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Fatal("the second request was not paused for")
	}
	cancel()
	if <-ended; counted < time.Millisecond || counted > time.Second {
		t.Fatalf("%v were counted", counted)
	}
}
