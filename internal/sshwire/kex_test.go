package sshwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

// plainPacket returns an unencrypted packet of a type.
func plainPacket(kind byte, body int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(2+body+4))
	b = append(b, 4, kind)
	b = append(b, bytes.Repeat([]byte{kind}, body)...)
	return append(b, 0, 0, 0, 0)
}

// gated reads all of in through a gate, and counts the calls of enter.
func gated(t testing.TB, in io.Reader, refuse error) (out []byte, entered, open int, err error) {
	t.Helper()
	c := newConn(nil)
	c.Conn = readConn{r: in}
	c.Gate(func() (func(), error) {
		if refuse != nil {
			return nil, refuse
		}
		if entered++; open != 0 {
			t.Error("a turn begins before the last one has ended")
		}
		open++
		return func() { open-- }, nil
	})
	out, err = io.ReadAll(c)
	return out, entered, open, err
}

type readConn struct {
	net.Conn
	r io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// TestAGateChangesNothing: the library gets every byte in order, however the bytes are
// split. enter is called for each packet of the exchange but the first, and for no encrypted
// one.
func TestAGateChangesNothing(t *testing.T) {
	plain := slicesConcat([]byte("SSH-2.0-x\r\n"), plainPacket(20, 500), plainPacket(30, 300), plainPacket(2, 3),
		plainPacket(msgNewKeys, 0))
	sealed := bytes.Repeat([]byte{0xff, 0xfe, 21}, 5000)
	whole := slicesConcat(plain, sealed)
	for name, in := range map[string]io.Reader{"at once": bytes.NewReader(whole),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(whole)), "halves": iotest.HalfReader(bytes.NewReader(whole))} {
		out, entered, open, err := gated(t, in, nil)
		if err != nil || !bytes.Equal(out, whole) || entered != 3 || open != 0 {
			t.Errorf("%s: %d of %d bytes, %d turns, %d left open, %v", name, len(out), len(whole), entered, open, err)
		}
	}
}

// TestAPacketThatIsNotWholeHoldsNothing: a client that sends half a packet takes no turn.
func TestAPacketThatIsNotWholeHoldsNothing(t *testing.T) {
	half := slicesConcat([]byte("SSH-2.0-x\r\n"), plainPacket(20, 500), plainPacket(30, 300)[:100])
	_, entered, open, _ := gated(t, bytes.NewReader(half), nil)
	if entered != 0 || open != 0 {
		t.Fatalf("%d turns, %d open", entered, open)
	}
	refused := errors.New("the time is over")
	if _, _, _, err := gated(t, bytes.NewReader(slicesConcat(half, plainPacket(30, 300)[100:])), refused); !errors.Is(err,
		refused) {
		t.Fatalf("the error is %v", err)
	}
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// FuzzGate: whatever a client sends reaches the library unchanged, and at most one turn is
// open at a time.
func FuzzGate(f *testing.F) {
	f.Add(slicesConcat([]byte("SSH-2.0-x\r\n"), plainPacket(20, 50), plainPacket(30, 30), plainPacket(msgNewKeys, 0),
		[]byte("sealed")), 7)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), 1)
	f.Add(slicesConcat([]byte("SSH-2.0-x\n"), []byte{0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 9, 9}), 3)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		var r io.Reader = bytes.NewReader(in)
		if step%2 == 1 {
			r = iotest.OneByteReader(r)
		}
		out, _, open, err := gated(t, r, nil)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errPlain) || !bytes.HasPrefix(in, out) ||
			open > 1 {
			t.Fatalf("%d of %d bytes, %d open, %v", len(out), len(in), open, err)
		}
	})
}
