package testkit

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// wire is one connection through the proxy.
type wire struct {
	p              *Proxy
	client, server net.Conn
	parsed         map[string]string // prepared statement → text

	mu   sync.Mutex
	lose *proxyRule // the rule whose answer must be lost; nil: none
}

func (p *Proxy) serve(client net.Conn) {
	if !p.keep(client) {
		return
	}
	defer p.forget(client)
	p.pass()
	server, err := net.DialTimeout("tcp", p.server, 5*time.Second)
	if err != nil || !p.keep(server) {
		return
	}
	defer p.forget(server)
	w := &wire{p: p, client: client, server: server, parsed: map[string]string{}}
	var back sync.WaitGroup
	back.Go(func() {
		w.answers()
		_ = client.Close()
	})
	w.asks()
	_ = server.Close()
	back.Wait()
}

// Codes of messages that a client may send before the start-up message.
const (
	sslRequest    = 80877103
	gssRequest    = 80877104
	cancelRequest = 80877102
)

// asks forwards the client's messages to the server.
func (w *wire) asks() {
	for started := false; !started; {
		m, err := readStartup(w.client)
		if err != nil {
			return
		}
		w.p.pass()
		switch code := binary.BigEndian.Uint32(m[4:]); code {
		case sslRequest, gssRequest: // not supported
			if _, err := w.client.Write([]byte{'N'}); err != nil {
				return
			}
			continue
		case cancelRequest:
			_, _ = w.server.Write(m)
			_, _ = io.Copy(io.Discard, w.server)
			return
		}
		started = true
		if _, err := w.server.Write(m); err != nil {
			return
		}
	}
	for {
		m, err := readMessage(w.client)
		if err != nil {
			return
		}
		w.p.pass()
		if statement, ok := w.statement(m); ok {
			if r := w.p.rule(statement); r != nil && !w.follow(r) {
				return
			}
		}
		if _, err := w.server.Write(m); err != nil {
			return
		}
	}
}

// follow applies a rule. It reports whether the statement is forwarded.
func (w *wire) follow(r *proxyRule) bool {
	switch r.do {
	case cutBefore:
		w.end(r)
		return false
	case hold:
		close(r.reached)
		select {
		case <-r.release:
		case <-w.p.ended:
		}
	case loseAnswer:
		w.mu.Lock()
		w.lose = r
		w.mu.Unlock()
	}
	return true
}

// end cuts the client's connection for a rule.
func (w *wire) end(r *proxyRule) {
	if r.stayDown {
		w.p.Down(true)
	}
	_ = w.client.Close()
	close(r.reached)
}

// statement returns the text of the statement that a message executes. It remembers prepared
// statements.
func (w *wire) statement(m []byte) (string, bool) {
	body := m[5:]
	switch m[0] {
	case 'Q':
		text, _ := cstring(body)
		return text, true
	case 'P':
		name, rest := cstring(body)
		w.parsed[name], _ = cstring(rest)
	case 'B':
		_, rest := cstring(body)
		name, _ := cstring(rest)
		return w.parsed[name], true
	}
	return "", false
}

// answers forwards the server's messages to the client. A lost answer ends when the server is ready
// for the next query, or is gone.
func (w *wire) answers() {
	for {
		m, err := readMessage(w.server)
		w.p.pass()
		w.mu.Lock()
		r := w.lose
		w.mu.Unlock()
		if r != nil {
			if err == nil && m[0] != 'Z' {
				continue
			}
			w.end(r)
			return
		}
		if err != nil {
			return
		}
		if _, err := w.client.Write(m); err != nil {
			return
		}
	}
}

const longestMessage = 1 << 28

// readStartup reads a message without a type byte.
func readStartup(r io.Reader) ([]byte, error) { return readFramed(r, 0) }

// readMessage reads a message: a type byte, and a length that includes itself.
func readMessage(r io.Reader) ([]byte, error) { return readFramed(r, 1) }

func readFramed(r io.Reader, head int) ([]byte, error) {
	m := make([]byte, head+4)
	if _, err := io.ReadFull(r, m); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(m[head:]))
	if n < 4 || n > longestMessage || head == 0 && n < 8 {
		return nil, io.ErrUnexpectedEOF
	}
	m = append(m, make([]byte, n-4)...)
	_, err := io.ReadFull(r, m[head+4:])
	return m, err
}

// cstring splits b after the first zero byte.
func cstring(b []byte) (text string, rest []byte) {
	i := strings.IndexByte(string(b), 0)
	if i < 0 {
		return string(b), nil
	}
	return string(b[:i]), b[i+1:]
}
