package sshwire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const serverLine = "SSH-2.0-Test"

// kexInit returns an unencrypted KEXINIT packet of a client with these ciphers.
func kexInit(in, out string) []byte {
	b := append([]byte{msgKexInit}, make([]byte, 16)...)
	for _, list := range []string{"curve25519-sha256", "ssh-ed25519", in, out, "hmac-sha2-256", "hmac-sha2-256", "none",
		"none", "", ""} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(list))), list...)
	}
	return packet(append(b, 0, 0, 0, 0, 0))
}

func packet(payload []byte) []byte {
	pad := 16 - (5+len(payload))%8
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+pad))
	b = append(append(b, byte(pad)), payload...)
	return append(b, make([]byte, pad)...)
}

// tcpPair returns both ends of a TCP connection.
func tcpPair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server, client
}

// peeked runs Peek while a client sends pieces, with a pause before each one but the
// first, and then closes its sending side.
func peeked(t testing.TB, pause time.Duration, pieces ...[]byte) (Hello, *Conn, time.Duration, error) {
	t.Helper()
	server, client := tcpPair(t)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i, p := range pieces {
			if i > 0 {
				time.Sleep(pause)
			}
			if _, err := client.Write(p); err != nil {
				return
			}
		}
	}()
	began := time.Now()
	c, h, err := Peek(server, serverLine, time.Now().Add(2*time.Second))
	took := time.Since(began)
	if err != nil {
		_ = server.Close()
	}
	<-sent
	_ = client.(*net.TCPConn).CloseWrite()
	return h, c, took, err
}

// bytewise splits bytes into pieces of one byte.
func bytewise(b []byte) (out [][]byte) {
	for i := range b {
		out = append(out, b[i:i+1])
	}
	return out
}

func TestPeek(t *testing.T) {
	line := []byte("SSH-2.0-Client some comment\r\n")
	init := kexInit("chacha20-poly1305@openssh.com,aes128-gcm@openssh.com", "aes128-gcm@openssh.com")
	oversized := append(binary.BigEndian.AppendUint32(nil, maxKexInit+1), 4, msgKexInit)
	endless := append(binary.BigEndian.AppendUint32(nil, maxKexInit), 4, msgKexInit)
	for _, a := range []struct {
		name    string
		pieces  [][]byte
		version string
		gcm     bool
	}{
		{"at once", [][]byte{slices.Concat(line, init)}, "SSH-2.0-Client some comment", true},
		{"in two", [][]byte{line, init}, "SSH-2.0-Client some comment", true},
		{"a byte at a time", bytewise(slices.Concat(line, init)), "SSH-2.0-Client some comment", true},
		{"with the next packet behind it", [][]byte{slices.Concat(line, init, []byte("more"))}, "SSH-2.0-Client some comment",
			true},
		{"a bare newline", [][]byte{[]byte("SSH-2.0-x\n"), init}, "SSH-2.0-x", true},
		{"no GCM", [][]byte{line, kexInit("aes128-ctr", "aes128-ctr")}, "SSH-2.0-Client some comment", false},
		{"GCM one way", [][]byte{line, kexInit("aes128-gcm@openssh.com", "aes128-ctr")}, "SSH-2.0-Client some comment",
			false},
		{"no KEXINIT", [][]byte{line}, "SSH-2.0-Client some comment", false},
		{"half a KEXINIT", [][]byte{line, init[:100]}, "SSH-2.0-Client some comment", false},
		{"an oversized KEXINIT", [][]byte{line, oversized}, "SSH-2.0-Client some comment", false},
		{"an endless KEXINIT", [][]byte{line, endless, make([]byte, 20_000)}, "SSH-2.0-Client some comment", false},
		{"a PING flood", [][]byte{line, bytes.Repeat(packet([]byte("\xc0\x00\x00\x00\x04ping")), 1000)},
			"SSH-2.0-Client some comment", false},
		{"not SSH", [][]byte{[]byte("GET / HTTP/1.1\r\n\r\n")}, "GET / HTTP/1.1", false},
		{"no newline", [][]byte{bytes.Repeat([]byte("x"), 4000)}, "", false},
		{"zeros", [][]byte{make([]byte, 4000)}, "", false},
		{"a length of 1", [][]byte{line, {0, 0, 0, 1, 0, 20}}, "SSH-2.0-Client some comment", false},
		{"only padding", [][]byte{line, {0, 0, 0, 12, 255, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}, "SSH-2.0-Client some comment",
			false},
	} {
		t.Run(a.name, func(t *testing.T) {
			h, c, took, err := peeked(t, 0, a.pieces...)
			if err != nil {
				t.Fatalf("the peek refused: %v", err)
			}
			if h.Version != a.version || h.Offers(ssh.CipherAES128GCM) != a.gcm {
				t.Errorf("version %q, GCM %v", h.Version, h.Offers(ssh.CipherAES128GCM))
			}
			if took > time.Second {
				t.Errorf("it took %v", took)
			}
			got, err := io.ReadAll(c) // the library gets every byte, once
			if want := bytes.Join(a.pieces, nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("replayed %d bytes of %d, %v", len(got), len(want), err)
			}
		})
	}
}

// For a client that sends its KEXINIT slowly, Peek waits no longer than KexInitWait. For one
// that sends no version line, it waits until the deadline.
func TestPeekOfSlowClients(t *testing.T) {
	init := kexInit("aes128-gcm@openssh.com", "aes128-gcm@openssh.com")
	pieces := append([][]byte{[]byte("SSH-2.0-slow\r\n")}, bytewise(init[:40])...)
	h, c, took, err := peeked(t, 20*time.Millisecond, pieces...)
	if err != nil || h.Version != "SSH-2.0-slow" || h.ClientToServer != nil {
		t.Errorf("%+v, %v", h, err)
	}
	if took < KexInitWait/2 || took > KexInitWait+300*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, bytes.Join(pieces, nil)) {
		t.Errorf("replayed %d bytes, %v", len(got), err)
	}

	server, _ := tcpPair(t)
	began := time.Now()
	_, _, err = Peek(server, serverLine, time.Now().Add(300*time.Millisecond))
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a silent client: %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("a silent client took %v", took)
	}
}

// If the client is gone, Peek returns an error at once.
func TestPeekOfAClientThatHangsUp(t *testing.T) {
	for _, first := range []string{"", "SSH-2.0-", "SSH-2.0-x\r\n", "SSH-2.0-x\r\n\x00\x00"} {
		server, client := tcpPair(t)
		_, _ = io.WriteString(client, first)
		_ = client.Close()
		if _, _, err := Peek(server, serverLine, time.Now().Add(5*time.Second)); err == nil {
			t.Errorf("%q, then the end: no error", first)
		}
	}
}

// late is a client's connection that delays its KEXINIT until the server's has come, as
// SSH.NET did up to 2023.0.
type late struct {
	net.Conn
	line   bool
	server chan struct{} // closed once the server's KEXINIT came
	seen   int
}

func (l *late) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.seen < len(serverLine)+2+6 {
		if l.seen += n; l.seen >= len(serverLine)+2+6 {
			close(l.server)
		}
	}
	return n, err
}

func (l *late) Write(p []byte) (int, error) {
	if l.line {
		<-l.server
	}
	l.line = true
	return l.Conn.Write(p)
}

func TestClientThatWaitsForTheServersKexInitGetsIn(t *testing.T) {
	server, client := tcpPair(t)
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		c, h, err := Peek(server, serverLine, time.Now().Add(5*time.Second))
		if err != nil {
			done <- err
			return
		}
		if h.ClientToServer != nil {
			err = errors.New("the client did not wait")
		}
		config := &ssh.ServerConfig{NoClientAuth: true, ServerVersion: serverLine}
		config.AddHostKey(key)
		conn, chans, reqs, serr := ssh.NewServerConn(c, config)
		if serr == nil {
			go ssh.DiscardRequests(reqs)
			for range chans {
			}
			_ = conn.Wait()
		}
		done <- errors.Join(err, serr)
	}()
	conn, _, _, err := ssh.NewClientConn(&late{Conn: client, server: make(chan struct{})}, "x",
		&ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(key.PublicKey())})
	if err != nil {
		t.Fatalf("the client: %v", err)
	}
	_ = conn.Close()
	if err := <-done; err != nil {
		t.Fatalf("the server: %v", err)
	}
}

// FuzzPeek runs Peek on arbitrary first bytes. It never fails or panics, and the library
// gets every byte.
func FuzzPeek(f *testing.F) {
	f.Add([]byte("SSH-2.0-x\r\n"), byte(0))
	f.Add(slices.Concat([]byte("SSH-2.0-x\r\n"), kexInit("aes128-gcm@openssh.com", "aes128-ctr")), byte(3))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"), byte(1))
	f.Add([]byte(strings.Repeat("x", 300)), byte(7))
	f.Add([]byte("SSH-2.0-x\r\n\x00\x00\x00\x02\x00\x14"), byte(5))
	f.Fuzz(func(t *testing.T, first []byte, cut byte) {
		conn := &script{left: first, chunk: int(cut) + 1}
		c, h, err := Peek(conn, serverLine, time.Now().Add(time.Second))
		if err != nil {
			if !errors.Is(err, errHungUp) { // the only error allowed is the script's end
				t.Fatalf("the peek refused: %v", err)
			}
			return
		}
		if len(h.Version) > len(first) {
			t.Fatalf("version %q", h.Version)
		}
		got, _ := io.ReadAll(io.LimitReader(c, int64(len(first))))
		if !bytes.Equal(got, first) {
			t.Fatalf("replayed %q of %q", got, first)
		}
	})
}

// FuzzKexInit parses any bytes as a KEXINIT packet.
func FuzzKexInit(f *testing.F) {
	f.Add(kexInit("a,b", "c"))
	f.Add([]byte{0, 0, 0, 2, 0, 20})
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		lists, need := parseKexInit(b)
		if need != 0 && (need <= len(b) || need > 4+maxKexInit) {
			t.Fatalf("%d bytes are needed of %d", need, len(b))
		}
		if lists != nil && len(lists) != 10 {
			t.Fatalf("%d lists", len(lists))
		}
	})
}

var errHungUp = errors.New("hung up")

// script is a client that sends fixed bytes in chunks, then hangs up, and
// reads nothing.
type script struct {
	net.Conn
	left  []byte
	chunk int
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, errHungUp
	}
	n := copy(p[:min(len(p), s.chunk)], s.left)
	s.left = s.left[n:]
	return n, nil
}
func (s *script) Write(p []byte) (int, error)      { return len(p), nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) Close() error                     { return nil }
