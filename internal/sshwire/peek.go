// Package sshwire is the connection below the SSH library. It looks at the
// client's first bytes before the library does, so that the server can choose
// which algorithms to offer (peek.go). It reads through pooled buffers and gathers
// the library's small writes during large transfers (conn.go). It lets the costly parts of
// a key exchange wait for their turn (kex.go), measures the library's work (meter.go), and
// limits what a client may send unread (backlog.go).
package sshwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
	"time"
)

// Bounds of what is looked at (RFC 4253 §4.2 and §6.1).
const (
	maxVersionLine = 255
	maxKexInit     = 35000
)

// KexInitWait is how long Peek waits for the client's KEXINIT after its version
// line. Some clients (SSH.NET up to 2023.0) send theirs only after the
// server's, so the wait must be short.
const KexInitWait = 200 * time.Millisecond

// msgKexInit is the number of the message (RFC 4253 §12).
const msgKexInit = 20

// Hello is the content of the client's first bytes. It is not authenticated, so it is used
// only to choose what to offer, and for logs and records.
type Hello struct {
	Version        string   // the client's first line, "" if there was none within the limit
	Line           bool     // a first line came; only servers may say more before their version (RFC 4253 §4.2)
	Silent         bool     // no byte came
	KeyExchanges   []string // the preferred one first; nil if no KEXINIT came in time
	HostKeys       []string
	ClientToServer []string // its ciphers
	ServerToClient []string
}

// Offers reports whether the client can use a cipher in both directions.
func (h Hello) Offers(cipher string) bool {
	return slices.Contains(h.ClientToServer, cipher) && slices.Contains(h.ServerToClient, cipher)
}

// Peek sends the server's version line and reads the client's version line and KEXINIT.
// The returned connection lets the library read those bytes again, and drops the version
// line that the library writes. Peek fails only if the connection fails; malformed
// input is left for the library to refuse. deadline bounds the wait for the client's
// version line, and is set again when Peek returns.
func Peek(nc net.Conn, version string, deadline time.Time) (*Conn, Hello, error) {
	c := newConn(nc)
	line := version + "\r\n"
	if err := nc.SetDeadline(deadline); err != nil {
		return nil, Hello{}, err
	}
	if _, err := nc.Write([]byte(line)); err != nil {
		return nil, Hello{}, err
	}
	c.swallow = len(line)
	h, err := c.peek()
	if err != nil {
		return nil, h, err
	}
	return c, h, nc.SetDeadline(deadline)
}

func (c *Conn) peek() (h Hello, err error) {
	var buf []byte
	chunk := make([]byte, 2048)
	lineEnd := -1
	defer func() { c.replay, h.Silent = buf, len(buf) == 0 }()
	for {
		if lineEnd < 0 {
			if lineEnd = bytes.IndexByte(buf, '\n'); lineEnd >= 0 {
				h.Line = true
				h.Version = strings.TrimRight(string(buf[:lineEnd]), "\r\n")
				if err := c.Conn.SetReadDeadline(time.Now().Add(KexInitWait)); err != nil {
					return h, err
				}
			} else if len(buf) > maxVersionLine {
				return h, nil
			}
		}
		if lineEnd >= 0 {
			lists, need := parseKexInit(buf[lineEnd+1:])
			if need == 0 {
				if lists != nil {
					h.KeyExchanges, h.HostKeys, h.ClientToServer, h.ServerToClient = lists[0], lists[1], lists[2], lists[3]
				}
				return h, nil
			}
		}
		n, err := c.Conn.Read(chunk)
		buf = append(buf, chunk[:n]...)
		if n > 0 {
			continue
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && lineEnd >= 0 {
			return h, nil
		}
		if err != nil {
			return h, err
		}
	}
}

// parseKexInit reads the ten name-lists of an unencrypted KEXINIT packet (RFC
// 4253 §7.1): key exchanges, host keys, ciphers to and from the server, and so on.
// need > 0 means that b must have at least that many bytes. lists nil with need 0
// means that b does not begin with a KEXINIT.
func parseKexInit(b []byte) (lists [][]string, need int) {
	if len(b) < 6 {
		return nil, 6
	}
	length := binary.BigEndian.Uint32(b)
	if length > maxKexInit || length < 2 || b[5] != msgKexInit || int(b[4]) >= int(length)-1 {
		return nil, 0
	}
	if total := 4 + int(length); len(b) < total {
		return nil, total
	}
	payload := b[6 : 4+int(length)-int(b[4])]
	if len(payload) < 16 {
		return nil, 0
	}
	payload = payload[16:] // the cookie
	for range 10 {
		if len(payload) < 4 {
			return nil, 0
		}
		n := binary.BigEndian.Uint32(payload)
		if payload = payload[4:]; uint64(n) > uint64(len(payload)) {
			return nil, 0
		}
		lists = append(lists, strings.Split(string(payload[:n]), ","))
		payload = payload[n:]
	}
	return lists, 0
}
