//go:build linux

package client_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

const nobody = 65534

// listenAsNobody listens on a socket in a new data folder as another user, and returns what arrives there.
func listenAsNobody(t *testing.T, owner int) (data string, got chan string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be other users")
	}
	data, err := os.MkdirTemp("", "sallyport-planted-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.Chmod(data, 0o777); err != nil {
		t.Fatal(err)
	}
	listening := make(chan net.Listener)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, since only it is another user
		defer close(listening)
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); e != 0 {
			t.Error(e)
			return
		}
		l, err := net.Listen("unix", filepath.Join(data, "sallyport.sock"))
		if err != nil {
			t.Error(err)
			return
		}
		listening <- l
	}()
	l := <-listening
	if l == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := os.Chown(data, owner, -1); err != nil {
		t.Fatal(err)
	}
	got = make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		text := make([]byte, 1024)
		n, err := c.Read(text)
		if err != nil && err != io.EOF {
			n = copy(text, err.Error())
		}
		got <- string(text[:n])
		_ = c.Close()
	}()
	return data, got
}

// Somebody else's socket, in the folder where root happens to stand, gets nothing.
func TestASocketThatSomebodyElsePutThere(t *testing.T) {
	data, got := listenAsNobody(t, nobody)
	trusted := t.TempDir() // root's
	c := client.Local(data, client.TrustOwnerOf(trusted))
	_, err := c.AddNote(t.Context(), model.NewNote{Account: "acme", Text: "x"})
	if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "who is neither root nor you") {
		t.Error(err)
	}
	if text := <-got; text != "" {
		t.Errorf("it got %q", text)
	}
}

// A folder that is named, and belongs to somebody else than the server's user, is not trusted either.
func TestASocketInAFolderOfAnotherOwner(t *testing.T) {
	data, got := listenAsNobody(t, 0)
	if _, err := client.Local(data).AddNote(t.Context(), model.NewNote{}); !fault.Is(err, fault.Denied) {
		t.Error(err)
	}
	if text := <-got; text != "" {
		t.Errorf("it got %q", text)
	}
}

// The owner of a folder that was named may run the server.
func TestTheServersOwnUserIsTrusted(t *testing.T) {
	for _, at := range []func(data string) *client.Client{
		func(data string) *client.Client { return client.Local(data) },
		func(data string) *client.Client { return client.AtSocket(filepath.Join(data, "sallyport.sock")) },
	} {
		data, got := listenAsNobody(t, nobody)
		_, err := at(data).AddNote(t.Context(), model.NewNote{Account: "acme", Text: "hello"})
		if err == nil || fault.Is(err, fault.Denied) && strings.Contains(err.Error(), "neither") {
			t.Error(err)
		}
		if text := <-got; !strings.HasPrefix(text, "POST /api/v1/notes") {
			t.Errorf("it got %q", text)
		}
	}
}
