package attacks

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// collect reads n replies, by id.
func (s *rawSFTP) collect(n int) map[uint32]reply {
	s.t.Helper()
	out := map[uint32]reply{}
	for range n {
		r := s.recv()
		r.b = bytes.Clone(r.b)
		out[r.id] = r
	}
	return out
}

// Pipelined requests on one file take effect in the order sent, over 500
// tries, on a new file and on a stored one that is copied first.
func TestPipelinedWritesAndReadsStayInOrder(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	s.put("/upload/stored", bytes.Repeat([]byte("."), 300_000))
	for _, path := range []string{"/upload/new", "/upload/stored"} {
		for i := range 250 {
			if i%50 == 0 { // sometimes from the start: OPEN, copy, write
				s.put("/upload/stored", bytes.Repeat([]byte("."), 300_000))
			}
			h := s.open(path, flagRead|flagWrite|flagCreate)
			first, second := fmt.Sprintf("first %04d", i), fmt.Sprintf("second %03d", i)
			b := s.request(sftpwire.TypeWrite, h, uint64(5), first)
			b = append(b, s.request(sftpwire.TypeWrite, h, uint64(5), second)...)
			b = append(b, s.request(sftpwire.TypeRead, h, uint64(5), uint32(len(second)))...)
			read := s.id
			b = append(b, s.request(sftpwire.TypeWrite, h, uint64(5), "third     ")...)
			b = append(b, s.request(sftpwire.TypeFsetstat, h, uint32(sftpwire.AttrSize), uint64(11))...)
			b = append(b, s.request(sftpwire.TypeRead, h, uint64(0), uint32(100))...)
			end := s.id
			b = append(b, s.request(sftpwire.TypeClose, h)...)
			s.write(b)
			all := s.collect(7)
			r := all[read]
			if got := r.string(); got != second {
				t.Fatalf("%s, try %d: READ gave %q, want %q", path, i, got, second)
			}
			r = all[end]
			if got := r.string(); len(got) != 11 || got[5:] != "third " {
				t.Fatalf("%s, try %d: the last READ gave %q", path, i, got)
			}
		}
	}
}

// CLOSE, then what depends on it, in one go.
func TestPipelinedRequestsSeeTheCloseBeforeThem(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	for i := range 100 {
		a, b := fmt.Sprintf("/upload/a%d", i), fmt.Sprintf("/upload/b%d", i)
		h := s.open(a, flagWrite|flagCreate)
		p := s.request(sftpwire.TypeWrite, h, uint64(0), "body")
		p = append(p, s.request(sftpwire.TypeClose, h)...)
		p = append(p, s.request(sftpwire.TypeRename, a, b)...)
		p = append(p, s.request(sftpwire.TypeStat, b)...)
		stat := s.id
		p = append(p, s.request(sftpwire.TypeStat, a)...)
		gone := s.id
		p = append(p, s.request(sftpwire.TypeRemove, b)...)
		s.write(p)
		all := s.collect(6)
		if r := all[stat]; r.kind != sftpwire.TypeAttrs || skipAttrs(&r.unpack) != 4 {
			t.Fatalf("try %d: STAT after the rename: %q", i, r.b)
		}
		if r := all[gone]; r.status() != 2 {
			t.Fatalf("try %d: STAT of the old name: %d", i, r.status())
		}
		if code := all[s.id].status(); code != statusOK {
			t.Fatalf("try %d: REMOVE: %d", i, code)
		}
	}
}

func TestCopyDataOntoItselfPastTheEndAndBetweenHandles(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	body := []byte(strings.Repeat("0123456789", 50_000))
	s.put("/upload/from", body)
	from := s.open("/upload/from", flagRead)
	to := s.open("/upload/to", flagRead|flagWrite|flagCreate)
	copyData := func(what string, code uint32, from []byte, at, length uint64, to []byte, dest uint64) {
		t.Helper()
		s.want(what, s.extended("copy-data", from, at, length, to, dest), code)
	}
	copyData("to the end", statusOK, from, 0, 0, to, 0)
	copyData("a part", statusOK, from, 10, 10, to, uint64(len(body)))
	copyData("from after the end, to the end", statusOK, from, uint64(len(body))+5, 0, to, 0)
	s.refused("a handle onto itself", s.extended("copy-data", to, uint64(0), uint64(10), to, uint64(5)))
	s.refused("a length of 2^64-1", s.extended("copy-data", from, uint64(0), ^uint64(0), to, uint64(0)))
	s.refused("an offset of 2^64-1", s.extended("copy-data", from, ^uint64(0), uint64(1), to, uint64(0)))
	s.refused("a handle for reading", s.extended("copy-data", to, uint64(0), uint64(0), from, uint64(0)))
	copyData("past the end", statusEOF, from, uint64(len(body))-5, 100, to, uint64(len(body))+10)
	if code := s.close(to); code != statusOK {
		t.Fatalf("CLOSE: %d", code)
	}
	far := s.open("/upload/far", flagWrite|flagCreate)
	s.refused("a destination of 2^63-1", s.extended("copy-data", from, uint64(0), uint64(100), far, uint64(1)<<63-1))
	want := string(body) + string(body[10:20]) + string(body[len(body)-5:])
	got := ""
	h := s.open("/upload/to", flagRead)
	for {
		r := s.call(sftpwire.TypeRead, h, uint64(len(got)), uint32(200_000))
		if r.kind != sftpwire.TypeData {
			break
		}
		got += r.string()
	}
	if got != want {
		t.Errorf("the copy has %d bytes, want %d", len(got), len(want))
	}
}

// The same file under two handles, copied forwards over itself without end:
// it must stop at the end the file had, or at a limit, not fill the disk.
func TestCopyDataOfAFileOntoItselfThroughTwoHandles(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	testkit.Call[model.User](n, "PATCH", "/users/alice", map[string]any{"quota_bytes": 20 << 20})
	s := sftpOf(t, n, "alice", key)
	s.put("/upload/x", bytes.Repeat([]byte("x"), 100_000))
	a := s.open("/upload/x", flagRead|flagWrite)
	b := s.open("/upload/x", flagRead|flagWrite)
	s.want("WRITE", s.call(sftpwire.TypeWrite, a, uint64(0), "y"), statusOK)
	r := s.extended("copy-data", a, uint64(0), uint64(0), b, uint64(100_000))
	if r.kind != sftpwire.TypeStatus {
		t.Errorf("copy-data: type %d", r.kind)
	}
	r = s.call(sftpwire.TypeFstat, b)
	if size := skipAttrs(&r.unpack); size > 200_000 {
		t.Errorf("a file of 100,000 bytes, copied behind itself, has grown to %d", size)
	}
	s.close(a)
	s.close(b)
	s.put("/upload/after", []byte("x"))
}
