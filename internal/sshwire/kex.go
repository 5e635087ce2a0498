package sshwire

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// maxPlain is the longest packet that the library accepts.
const maxPlain = 256 << 10

var errPlain = errors.New("a packet of the key exchange has an absurd length")

// msgNewKeys is the message after which a direction is encrypted (RFC 4253 §7.3).
const msgNewKeys = 21

// Gate makes Read call enter before it gives the library a packet of the client's first
// key exchange, except KEXINIT, and call leave when the library reads again. Between the
// two calls the library does the costly part. enter is called only when the whole packet is
// there. An error of enter ends the connection. Gate must be called before the library
// reads. If the handshake fails, the last leave may not be called.
func (c *Conn) Gate(enter func() (leave func(), err error)) {
	c.plain = &plain{enter: enter}
}

// OnWrite makes each Write call fn first. OnWrite must be called before the library gets
// the connection.
func (c *Conn) OnWrite(fn func()) { c.wrote = fn }

// plain is the state of a gated connection whose packets are not encrypted yet.
type plain struct {
	enter func() (leave func(), err error)
	leave func() // for the packet that the library works on; nil: none

	line    bool   // the version line was passed on
	packets int    // passed on
	over    bool   // NEWKEYS was passed on: what follows is encrypted
	got     []byte // received, not passed on yet
	give    []byte // being passed on
}

// readPlain is Read while the client's packets are not encrypted.
func (c *Conn) readPlain(b []byte) (int, error) {
	p := c.plain
	for len(p.give) == 0 {
		p.done()
		if p.over {
			c.plain, c.replay = nil, append(p.got, c.replay...)
			c.received.Add(-int64(len(p.got))) // replaying counts them again
			return c.readRaw(b)
		}
		whole, err := p.next()
		if err != nil {
			return 0, err
		}
		if whole {
			continue
		}
		chunk := make([]byte, 4096)
		n, err := c.readRaw(chunk)
		if p.got = append(p.got, chunk[:n]...); n == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(b, p.give)
	p.give = p.give[n:]
	return n, nil
}

// done calls leave for the packet that the library has finished.
func (p *plain) done() {
	if p.leave != nil {
		p.leave()
		p.leave = nil
	}
}

// next moves the next whole line or packet from got to give; false says that more bytes
// are needed. If no version line comes within maxVersionLine bytes, the rest is passed on
// unseen, for the library to refuse.
func (p *plain) next() (whole bool, err error) {
	if !p.line {
		end := bytes.IndexByte(p.got, '\n')
		if end < 0 && len(p.got) <= maxVersionLine {
			return false, nil
		}
		p.line = true
		p.take(end + 1)
		p.over = end < 0
		return true, nil
	}
	if len(p.got) < 6 {
		return false, nil
	}
	length := binary.BigEndian.Uint32(p.got)
	if length > maxPlain || length < 2 {
		return false, errPlain
	}
	total := 4 + int(length)
	if len(p.got) < total {
		return false, nil
	}
	if p.packets++; p.packets > 1 {
		if p.leave, err = p.enter(); err != nil {
			return false, err
		}
		p.over = p.got[5] == msgNewKeys
	}
	p.take(total)
	return true, nil
}

// take moves n bytes from got to give.
func (p *plain) take(n int) { p.give, p.got = p.got[:n:n], p.got[n:] }
