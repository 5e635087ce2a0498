package sftpwire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
)

// str encodes a string as SFTP does.
func str(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}

// packet returns a body with its length in front.
func packet(parts ...[]byte) []byte { return str(string(bytes.Join(parts, nil))) }

// head returns a type and an id.
func head(kind byte) []byte { return []byte{kind, 0, 0, 0, 7} }

var (
	long = binary.BigEndian.AppendUint64(nil, math.MaxUint64)
	word = []byte{0xff, 0xff, 0xff, 0xff}
)

// seeds are valid requests of every type, and some with false lengths.
func seeds() [][]byte {
	return [][]byte{
		packet([]byte{sftpwire.TypeInit}, []byte{0, 0, 0, 3}),
		packet(head(sftpwire.TypeOpen), str("/upload/x"), word, word),
		packet(head(sftpwire.TypeOpen), str("/upload/x"), []byte{0, 0, 0, 10}, []byte{0x80, 0, 0, 0}, word),
		packet(head(sftpwire.TypeWrite), str("hhhh"), long, str("data")),
		packet(head(sftpwire.TypeRead), str("hhhh"), long, word),
		packet(head(sftpwire.TypeSetstat), str("/x"), []byte{0, 0, 0, 15}, make([]byte, 28)),
		packet(head(sftpwire.TypeRename), str("/a"), str("/b")),
		packet(head(sftpwire.TypeExtended), str("copy-data"), str("a"), long, long, str("b"), long),
		packet(head(sftpwire.TypeExtended), str("lsetstat@openssh.com"), str("/a"), []byte{0x80, 0, 0, 0}, word),
		{0, 0, 0, 0}, {0x80, 0, 0, 0}, word, {0, 4, 0, 1}, nil,
	}
}

// FuzzRequest reads arbitrary bytes as a stream of packets. Parsing never panics, never
// reads beyond the packet, and a packet ends where its length says.
func FuzzRequest(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for {
			body, need, err := sftpwire.Next(stream)
			if err != nil {
				if !errors.Is(err, sftpwire.ErrLength) || body != nil {
					t.Fatalf("Next: %v, %d bytes", err, len(body))
				}
				return
			}
			if need < 4 || need > 4+sftpwire.MaxPacket {
				t.Fatalf("a packet of %d bytes", need)
			}
			if body == nil {
				if need <= len(stream) {
					t.Fatalf("%d bytes are enough for a packet of %d", len(stream), need)
				}
				return
			}
			if len(body) != need-4 {
				t.Fatalf("a body of %d bytes in a packet of %d", len(body), need)
			}
			parse(t, body)
			stream = stream[need:]
		}
	})
}

// parse parses one body, and its data as each kind of extended request.
func parse(t *testing.T, body []byte) {
	t.Helper()
	whole := bytes.Clone(body)
	var q sftpwire.Request
	err := q.Parse(body)
	if err != nil && !errors.Is(err, sftpwire.ErrShort) {
		t.Fatalf("Parse: %v", err)
	}
	if q.Type != body[0] {
		t.Fatalf("type %d is read as %d", body[0], q.Type)
	}
	if len(body) >= 5 && q.ID != binary.BigEndian.Uint32(body[1:]) {
		t.Fatalf("the id is %d", q.ID)
	}
	if n := len(q.Path) + len(q.Path2) + len(q.Handle) + len(q.Data) + len(q.Extended); n > len(body) {
		t.Fatalf("%d bytes of fields in %d", n, len(body))
	}
	_, _ = q.Paths(1)
	_, _ = q.Paths(2)
	_, _ = q.HandleField()
	_, _, _ = q.SetstatFields()
	_, _ = q.CopyFields()
	if !bytes.Equal(body, whole) {
		t.Fatal("reading changed the packet")
	}
}

// Every truncated packet is an error, except where no field is missing.
func TestEveryRequestCutShortIsAnError(t *testing.T) {
	for _, s := range seeds() {
		body, _, err := sftpwire.Next(s)
		if err != nil || body == nil {
			continue
		}
		var q sftpwire.Request
		if q.Parse(body) != nil || q.Type == sftpwire.TypeExtended {
			continue
		}
		for n := range len(body) {
			if err := q.Parse(body[:n]); !errors.Is(err, sftpwire.ErrShort) {
				t.Errorf("type %d, %d of %d bytes: %v", body[0], n, len(body), err)
			}
		}
	}
}

// A false count or length causes no allocation.
func TestLiesCostNoMemory(t *testing.T) {
	for _, s := range seeds() {
		body, _, _ := sftpwire.Next(s)
		if body == nil {
			continue
		}
		var q sftpwire.Request
		if n := testing.AllocsPerRun(20, func() { _ = q.Parse(body) }); n > 3 {
			t.Errorf("type %d: %v allocations", body[0], n)
		}
	}
}

// Attributes are the same after writing and reading, with any flags.
func TestAttrsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := sftpwire.Attrs{Flags: rapid.Uint32().Draw(t, "flags") & 15}
		if a.Flags&sftpwire.AttrSize != 0 {
			a.Size = rapid.Uint64().Draw(t, "size")
		}
		if a.Flags&sftpwire.AttrOwner != 0 {
			a.UID, a.GID = rapid.Uint32().Draw(t, "uid"), rapid.Uint32().Draw(t, "gid")
		}
		if a.Flags&sftpwire.AttrPermissions != 0 {
			a.Permissions = rapid.Uint32().Draw(t, "permissions")
		}
		if a.Flags&sftpwire.AttrTimes != 0 {
			a.Atime, a.Mtime = rapid.Uint32().Draw(t, "atime"), rapid.Uint32().Draw(t, "mtime")
		}
		path := rapid.String().Draw(t, "path")
		var q sftpwire.Request
		if err := q.Parse(sftpwire.AppendAttrs(append(head(sftpwire.TypeSetstat), str(path)...), &a)); err != nil {
			t.Fatal(err)
		}
		if q.Attrs != a || q.Path != path {
			t.Fatalf("%+v reads back as %+v", a, q.Attrs)
		}
	})
}

// Every reply is one packet whose length field is right.
func TestRepliesAreWholePackets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, text := rapid.Uint32().Draw(t, "id"), rapid.StringN(0, 100, 400).Draw(t, "text")
		data := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")
		a := sftpwire.Attrs{Flags: 15, Size: 1}
		b := sftpwire.AppendStatus(nil, id, 4, text)
		b = sftpwire.AppendHandle(b, id, data)
		b = append(sftpwire.AppendDataHeader(b, id, len(data)), data...)
		b = sftpwire.AppendAttrsReply(b, id, &a)
		b, names := sftpwire.BeginNames(b, id)
		b = names.Append(b, text, data, &a)
		b = names.End(names.Append(b, "", nil, &sftpwire.Attrs{}))
		b = sftpwire.AppendExtendedReply(b, id, 1, 2, 3)
		b = sftpwire.AppendVersion(b, id, []sftpwire.Extension{{Name: text, Data: "1"}})
		for _, kind := range []byte{sftpwire.TypeStatus, sftpwire.TypeHandle, sftpwire.TypeData, sftpwire.TypeAttrs,
			sftpwire.TypeName, sftpwire.TypeExtendedReply, sftpwire.TypeVersion} {
			body, need, err := sftpwire.Next(b)
			if err != nil || body == nil || body[0] != kind || binary.BigEndian.Uint32(body[1:]) != id {
				t.Fatalf("a reply of type %d: %v, %q", kind, err, body)
			}
			b = b[need:]
		}
		if len(b) != 0 {
			t.Fatalf("%d bytes are left", len(b))
		}
	})
}
