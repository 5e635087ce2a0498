package attacks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// Packets that a session survives: each gets a clear refusal.
func TestSFTPLiesThatAreAnswered(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	const all = uint32(math.MaxUint32)
	for _, a := range []struct {
		name   string
		kind   byte
		fields []any
	}{
		{"attributes with every flag and nothing else", sftpwire.TypeOpen, []any{"/upload/x", flagWrite | flagCreate, all}},
		{"an extended count of 0xffffffff", sftpwire.TypeOpen,
			[]any{"/upload/x", flagWrite | flagCreate, uint32(sftpwire.AttrExtended), all}},
		{"an extended count of 0xffffffff in SETSTAT", sftpwire.TypeSetstat,
			[]any{"/upload", uint32(sftpwire.AttrExtended), all, "a", "b"}},
		{"an extended pair longer than the packet", sftpwire.TypeMkdir,
			[]any{"/upload/d", uint32(sftpwire.AttrExtended), uint32(1), all}},
		{"short attributes", sftpwire.TypeSetstat, []any{"/upload", uint32(sftpwire.AttrSize), uint32(1)}},
		{"no attributes", sftpwire.TypeMkdir, []any{"/upload/d"}},
		{"a path longer than the packet", sftpwire.TypeStat, []any{all, raw("/upload")}},
		{"a path a byte too long", sftpwire.TypeStat, []any{uint32(8), raw("/upload")}},
		{"no path", sftpwire.TypeStat, nil},
		{"a handle longer than the packet", sftpwire.TypeRead, []any{all, uint64(0), uint32(1)}},
		{"data longer than the packet", sftpwire.TypeWrite, []any{"hhhh", uint64(0), all, raw("x")}},
		{"a short READ", sftpwire.TypeRead, []any{"hhhh", uint64(0)}},
		{"RENAME with one path", sftpwire.TypeRename, []any{"/upload"}},
		{"an extended request without a name", sftpwire.TypeExtended, nil},
		{"an extension of an unknown name", sftpwire.TypeExtended, []any{"no-such\x1b[2J@example.com", "x"}},
		{"posix-rename with one path", sftpwire.TypeExtended, []any{"posix-rename@openssh.com", "/a"}},
		{"lsetstat with an extended count of 0xffffffff", sftpwire.TypeExtended,
			[]any{"lsetstat@openssh.com", "/upload", uint32(sftpwire.AttrExtended), all}},
		{"copy-data of nothing", sftpwire.TypeExtended, []any{"copy-data"}},
		{"type 0", 0, nil}, {"type 255", 255, []any{"x"}},
		{"a server's STATUS", sftpwire.TypeStatus, []any{uint32(0), "OK", "en"}},
		{"a server's DATA", sftpwire.TypeData, []any{"x"}},
		{"a second INIT", sftpwire.TypeInit, nil},
		{"OPEN with no flags", sftpwire.TypeOpen, []any{"/upload/x", uint32(0), uint32(0)}},
		{"OPEN with every flag on a directory", sftpwire.TypeOpen, []any{"/upload", all, uint32(0)}},
		{"READLINK", sftpwire.TypeReadlink, []any{"/upload"}},
		{"BLOCK of version 6", 22, []any{"h", uint64(0), uint64(0), uint32(0)}},
	} {
		s.refused(a.name, s.call(a.kind, a.fields...))
	}
	s.put("/upload/after", []byte("x"))
	if got := s.names("/upload"); len(got) != 1 {
		t.Errorf("a lie left something: %q", got)
	}
	assertCleanLog(t, n)
}

// Packets after which nothing can be trusted: the channel ends, and only it.
func TestSFTPLiesThatEndTheChannel(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	c := n.SSH("alice", key)
	neighbour := sftpOf(t, n, "alice", key)
	open := neighbour.open("/upload/neighbour", flagWrite|flagCreate)
	before := heap()
	for name, packet := range map[string][]byte{
		"a packet of length 0":         {0, 0, 0, 0},
		"a packet of length 2^31":      {0x80, 0, 0, 0, sftpwire.TypeStat},
		"a packet of length 2^32-1":    {0xff, 0xff, 0xff, 0xff, sftpwire.TypeStat},
		"a packet a byte over 256 KiB": binary.BigEndian.AppendUint32(nil, sftpwire.MaxPacket+1),
		"an HTTP request":              []byte("GET / HTTP/1.0\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			s := subsystem(t, c)
			s.init()
			s.write(packet)
			if r, err := s.next(); !errors.Is(err, io.EOF) {
				t.Errorf("answered with type %d, %v", r.kind, err)
			}
		})
	}
	for name, packet := range map[string][]byte{
		"STAT before INIT":        sftpPacket(pack(byte(sftpwire.TypeStat), uint32(1), "/")),
		"EXTENDED before INIT":    sftpPacket(pack(byte(sftpwire.TypeExtended), uint32(1), "limits@openssh.com")),
		"an INIT without version": sftpPacket([]byte{sftpwire.TypeInit}),
		"an INIT of version 2":    sftpPacket(pack(byte(sftpwire.TypeInit), uint32(2))),
	} {
		t.Run(name, func(t *testing.T) {
			s := subsystem(t, c)
			s.write(packet)
			if r, err := s.next(); !errors.Is(err, io.EOF) {
				t.Errorf("answered with type %d, %v", r.kind, err)
			}
		})
	}
	neighbour.want("a neighbour's WRITE", neighbour.call(sftpwire.TypeWrite, open, uint64(0), "unharmed"), statusOK)
	if code := neighbour.close(open); code != statusOK {
		t.Errorf("a neighbour's CLOSE: %d", code)
	}
	assertHeap(t, "lies", before, 8<<20)
}

// A client of version 6 is answered with 3; its further fields are passed over.
func TestInitOfALaterVersion(t *testing.T) {
	n := start(t)
	s := subsystem(t, n.SSH("alice", n.User("alice")))
	s.write(sftpPacket(pack(byte(sftpwire.TypeInit), uint32(math.MaxUint32), "extension@example.com", "data")))
	if r := s.recv(); r.kind != sftpwire.TypeVersion || r.id != 3 {
		t.Fatalf("type %d, version %d", r.kind, r.id)
	}
	for r := s.call(sftpwire.TypeStat, "/upload", raw("trailing bytes")); r.kind != sftpwire.TypeAttrs; {
		t.Fatalf("STAT: %q", r.b)
	}
}

func TestOffsetsAndLengthsAtTheEndOfNumbers(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	body := bytes.Repeat([]byte("0123456789"), 60_000)
	s.put("/upload/x", body)
	h := s.open("/upload/x", flagRead)
	for _, at := range []uint64{uint64(len(body)), math.MaxInt64 - 1, math.MaxInt64, 1 << 63, math.MaxUint64} {
		s.want("READ past the end", s.call(sftpwire.TypeRead, h, at, uint32(10)), statusEOF)
	}
	r := s.call(sftpwire.TypeRead, h, uint64(3), uint32(math.MaxUint32))
	if data := r.bytes(); r.kind != sftpwire.TypeData || len(data) > sftpwire.MaxData || len(data) == 0 ||
		!bytes.Equal(data, body[3:3+len(data)]) {
		t.Errorf("READ of 2^32-1 bytes: type %d, %d bytes", r.kind, len(data))
	}
	if r := s.call(sftpwire.TypeRead, h, uint64(3), uint32(0)); r.kind == sftpwire.TypeData && len(r.bytes()) != 0 {
		t.Errorf("READ of 0 bytes: %q", r.b)
	}
	s.refused("WRITE to a handle for reading", s.call(sftpwire.TypeWrite, h, uint64(0), "x"))
	for _, at := range []uint64{math.MaxInt64 - 1, math.MaxInt64, 1 << 63, math.MaxUint64, 51e9} {
		path := fmt.Sprintf("/upload/far-%d", at)
		w := s.open(path, flagWrite|flagCreate)
		s.refused("READ from a handle for writing", s.call(sftpwire.TypeRead, w, uint64(0), uint32(1)))
		s.refused("WRITE far out", s.call(sftpwire.TypeWrite, w, at, "x"))
		s.refused(fmt.Sprintf("CLOSE after a WRITE at %d", at), s.call(sftpwire.TypeClose, w))
		w = s.open(path, flagWrite|flagCreate|flagTrunc)
		s.refused("FSETSTAT far out", s.call(sftpwire.TypeFsetstat, w, uint32(sftpwire.AttrSize), at))
		s.refused("SETSTAT far out", s.call(sftpwire.TypeSetstat, "/upload/x", uint32(sftpwire.AttrSize), at))
		s.close(w)
	}
	w := s.open("/upload/y", flagWrite|flagCreate)
	s.want("WRITE of nothing", s.call(sftpwire.TypeWrite, w, uint64(0), ""), statusOK)
	s.want("WRITE", s.call(sftpwire.TypeWrite, w, uint64(0), "small"), statusOK)
	if code := s.close(w); code != statusOK {
		t.Fatalf("CLOSE: %d", code)
	}
	if got := string(s.get("/upload/y")); got != "small" {
		t.Errorf("read %q", got)
	}
	a := s.open("/upload/y", flagWrite|flagAppend)
	s.want("APPEND at 2^63-1", s.call(sftpwire.TypeWrite, a, uint64(math.MaxInt64), "er"), statusOK)
	s.close(a)
	if got := string(s.get("/upload/y")); got != "smaller" {
		t.Errorf("appended: %q", got)
	}
}

func TestWritesPastTheQuota(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	testkit.Call[model.User](n, "PATCH", "/users/alice", map[string]any{"quota_bytes": 100_000, "quota_files": 3})
	s := sftpOf(t, n, "alice", key)
	chunk := make([]byte, 50_000)
	s.put("/upload/x", chunk)
	for what, past := range map[string]func(h []byte) reply{
		"WRITE":  func(h []byte) reply { return s.call(sftpwire.TypeWrite, h, uint64(50_000), chunk) },
		"a hole": func(h []byte) reply { return s.call(sftpwire.TypeWrite, h, uint64(10e9), "x") },
		"copy-data": func(h []byte) reply {
			s.want("copy-data", copyOf(s, "/upload/x", h, 0), statusOK)
			return copyOf(s, "/upload/x", h, 50_000)
		},
	} {
		h := s.open("/upload/y", flagWrite|flagCreate|flagTrunc)
		s.want("WRITE", s.call(sftpwire.TypeWrite, h, uint64(0), "small"), statusOK)
		s.refused(what+" past the quota", past(h))
		s.refused("CLOSE after "+what, s.call(sftpwire.TypeClose, h))
		s.call(sftpwire.TypeRemove, "/upload/y")
	}
	h := s.open("/upload/y", flagWrite|flagCreate|flagTrunc)
	s.refused("FSETSTAT past the quota", s.call(sftpwire.TypeFsetstat, h, uint32(sftpwire.AttrSize), uint64(60_001)))
	s.close(h)
	s.call(sftpwire.TypeRemove, "/upload/y")
	drops := len(n.Drops())
	s.put("/upload/y", chunk) // just fits
	s.put("/upload/z", nil)
	s.refused("a fourth file", s.call(sftpwire.TypeOpen, "/upload/4", flagWrite|flagCreate, uint32(0)))
	s.want("REMOVE", s.call(sftpwire.TypeRemove, "/upload/x"), statusOK)
	s.put("/upload/again", chunk)
	if more := len(n.Drops()) - drops; more != 3 {
		t.Errorf("%d more drops, want y, z and again", more)
	}
}

// copyOf copies a stored file to an open handle.
func copyOf(s *rawSFTP, path string, to []byte, dest uint64) reply {
	s.t.Helper()
	from := s.open(path, flagRead)
	r := s.extended("copy-data", from, uint64(0), uint64(0), to, dest)
	s.close(from)
	return r
}

func TestHundredThousandOpens(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	s := sftpOf(t, n, "alice", key)
	s.put("/upload/x", []byte("x"))
	before := heap()
	const opens = 100_000
	go func() {
		var b []byte
		for i := range uint32(opens) {
			b = append(b, sftpPacket(pack(byte(sftpwire.TypeOpen), i, "/upload/x", flagRead, uint32(0)))...)
			if len(b) > 30_000 || i == opens-1 {
				if _, err := s.ch.Write(b); err != nil {
					return
				}
				b = b[:0]
			}
		}
	}()
	var handles [][]byte
	for range opens {
		if r := s.recv(); r.kind == sftpwire.TypeHandle {
			handles = append(handles, bytes.Clone(r.bytes()))
		} else if r.status() == statusOK || r.text() == "" {
			t.Fatalf("OPEN was answered with %q", r.b)
		}
	}
	if len(handles) != 256 {
		t.Errorf("%d handles were given out, want limits.open_files", len(handles))
	}
	assertHeap(t, "100,000 OPENs", before, 8<<20)
	s.refused("OPENDIR with all handles taken", s.call(sftpwire.TypeOpendir, "/upload"))
	s.refused("OPEN for writing with all handles taken",
		s.call(sftpwire.TypeOpen, "/upload/new", flagWrite|flagCreate, uint32(0)))
	alive(t, n, "alice", key)
	for _, h := range handles {
		if code := s.close(h); code != statusOK {
			t.Fatalf("CLOSE: %d", code)
		}
	}
	s.put("/upload/after", []byte("works again"))
}
