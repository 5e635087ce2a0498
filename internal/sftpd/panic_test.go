package sftpd_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/sftpd"
)

// broken is a file system whose Mkdir panics.
type broken struct{ sftpd.FileSystem }

func (broken) Mkdir(string) error { panic("a bug") }

// TestAPanicIsToldAndEndsTheSession: the client gets an answer to its request, with the
// reference that is also in the log.
func TestAPanicIsToldAndEndsTheSession(t *testing.T) {
	server, client := net.Pipe()
	var log bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		s := sftpd.New(server, sftpd.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Clock: time.Now, MaxHandles: 4})
		ended <- s.Serve(context.Background(), broken{})
		_ = server.Close()
	}()
	go func() {
		_, _ = client.Write([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3})                                     // INIT
		_, _ = client.Write([]byte{0, 0, 0, 15, 14, 0, 0, 0, 7, 0, 0, 0, 2, '/', 'a', 0, 0, 0, 0}) // MKDIR /a
	}()
	answers, _ := io.ReadAll(client) // ends when the session ends
	err := <-ended
	_, text, found := strings.Cut(string(answers), "reference: ")
	if err == nil || !found {
		t.Fatalf("the session ended with %v, the client read %q", err, answers)
	}
	reference := text[:9]
	if !strings.Contains(log.String(), reference) || !strings.Contains(log.String(), "a bug") {
		t.Fatalf("the log does not have %s: %s", reference, log.String())
	}
	version := binary.BigEndian.Uint32(answers)
	if id := binary.BigEndian.Uint32(answers[4+version+5:]); id != 7 {
		t.Fatalf("the answer is to request %d", id)
	}
}
