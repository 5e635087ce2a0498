package sshd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Bounds of a PROXY header (haproxy's proxy-protocol.txt §2.1 and §2.2).
const (
	proxyV1Most = 107
	proxyV2Most = 2048 // bytes of addresses and extensions
	proxyWait   = 5 * time.Second
)

var (
	proxyV2Begin = []byte("\r\n\r\n\x00\r\nQUIT\n")
	errNoProxy   = errors.New("no PROXY header")
)

// trusted reports whether connections from an address begin with a PROXY header.
func (s *Server) trusted(from netip.Addr) bool {
	for _, p := range *s.proxies.Load() {
		if p.Contains(from) {
			return true
		}
	}
	return false
}

// proxyLimits returns the limits of connections whose PROXY header is awaited. They come
// from a few addresses, so there is no limit per address.
func proxyLimits(l Limits) Limits {
	l.HalfOpenAddress = l.HalfOpen
	return l
}

// proxied waits for the header of a trusted proxy, and then accepts the connection under
// the address that it names. Without a valid header the connection is closed, because its
// real address is unknown.
func (s *Server) proxied(l Listener, nc net.Conn) {
	proxy := address(nc.RemoteAddr())
	place := s.heads.enter(nc, proxy)
	if place == nil {
		_ = nc.Close()
		return
	}
	s.conns.Go(func() {
		_ = nc.SetDeadline(time.Now().Add(proxyWait))
		from, err := readProxy(nc, proxy)
		s.heads.done(place)
		if err != nil {
			// EOF: a health check, which sends nothing. ErrClosed: it was evicted.
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				s.o.Log.Warn("a trusted proxy sent no good PROXY header", "address", proxy, "err", err)
			}
			_ = nc.Close()
			return
		}
		_ = nc.SetDeadline(time.Time{})
		s.accept(l, nc, from)
	})
}

// readProxy reads a PROXY header of version 1 or 2 and returns the client's address. It
// reads no byte past the header, because those belong to the SSH library. A LOCAL header
// stands for the proxy itself, and so proxy is returned.
func readProxy(nc io.Reader, proxy netip.Addr) (netip.Addr, error) {
	head := make([]byte, len(proxyV2Begin), 256)
	if _, err := io.ReadFull(nc, head); err != nil {
		return proxy, err
	}
	switch {
	case bytes.Equal(head, proxyV2Begin):
		head = head[:16]
		if _, err := io.ReadFull(nc, head[12:]); err != nil {
			return proxy, err
		}
		n := int(binary.BigEndian.Uint16(head[14:]))
		if n > proxyV2Most {
			return proxy, errNoProxy
		}
		head = append(head, make([]byte, n)...)
		if _, err := io.ReadFull(nc, head[16:]); err != nil {
			return proxy, err
		}
	case bytes.HasPrefix(head, []byte("PROXY ")):
		for head[len(head)-1] != '\n' {
			if len(head) == proxyV1Most {
				return proxy, errNoProxy
			}
			head = append(head, 0)
			if _, err := io.ReadFull(nc, head[len(head)-1:]); err != nil {
				return proxy, err
			}
		}
	default:
		return proxy, errNoProxy
	}
	h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return proxy, err
	}
	if h.Command.IsLocal() || h.SourceAddr == nil {
		return proxy, nil
	}
	from := address(h.SourceAddr)
	if !from.IsValid() {
		return proxy, fault.E("sshd.readProxy", fault.Invalid, "The PROXY header names no address.")
	}
	return from, nil
}
