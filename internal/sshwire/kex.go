package sshwire

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// maxPlain is the longest packet that the library takes.
const maxPlain = 256 << 10

var errPlain = errors.New("a packet of the key exchange has an absurd length")

// msgNewKeys ends the plain part of a connection (RFC 4253 §7.3).
const msgNewKeys = 21

// Gate has enter called before each packet of the client's first key exchange, but
// its KEXINIT, reaches the library, and leave once the library wants more: in between
// it does the costly part. A packet that is not whole holds nothing. An error of
// enter ends the connection. Gate must be called before the library reads; if the
// handshake fails, the last leave may not be called.
func (c *Conn) Gate(enter func() (leave func(), err error)) {
	c.plain = &plain{enter: enter}
}

// OnWrite has fn called before the library writes anything. It must be called before the
// library is given the connection.
func (c *Conn) OnWrite(fn func()) { c.wrote = fn }

// plain is a connection whose packets are not encrypted yet.
type plain struct {
	enter func() (leave func(), err error)
	leave func() // of the packet that the library has; nil: none

	line    bool   // the version line was given on
	packets int    // given on
	over    bool   // NEWKEYS was given on: what follows is encrypted
	got     []byte // not given on
	give    []byte // being given on
}

// readPlain is Read while packets can be seen.
func (c *Conn) readPlain(b []byte) (int, error) {
	p := c.plain
	for len(p.give) == 0 {
		p.done()
		if p.over {
			c.plain, c.replay = nil, append(p.got, c.replay...)
			c.received.Add(-int64(len(p.got))) // they are counted again
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

// done lets the next one in.
func (p *plain) done() {
	if p.leave != nil {
		p.leave()
		p.leave = nil
	}
}

// next takes a whole line or packet from what came; false says that more is needed.
// What is no packet is the library's to judge.
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

// take moves n bytes to what is given on.
func (p *plain) take(n int) { p.give, p.got = p.got[:n:n], p.got[n:] }
