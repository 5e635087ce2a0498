package testkit

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Match chooses statements by their text. Several in one Query are one text:
// what begins a transaction may have more behind it.
type Match func(statement string) bool

// Next matches every statement.
func Next(string) bool { return true }

// Commit matches what ends a transaction.
func Commit(statement string) bool { return strings.EqualFold(statement, "commit") }

// Begin matches what begins a transaction.
func Begin(statement string) bool { return strings.HasPrefix(strings.ToLower(statement), "begin") }

// Containing matches statements that contain a text, in any case.
func Containing(text string) Match {
	text = strings.ToLower(text)
	return func(statement string) bool { return strings.Contains(strings.ToLower(statement), text) }
}

// Nth matches the nth of the statements that another match chooses, from 1.
func Nth(n int, m Match) Match {
	return func(statement string) bool {
		if m(statement) {
			n--
			return n == 0
		}
		return false
	}
}

// Proxy stands between a node and its PostgreSQL, and breaks connections at a
// chosen statement. A statement is seen when it is executed: a Query, or a
// Bind of something that was parsed, by whatever name. A rule serves once. Many
// rules may stand; the first that matches is used up.
type Proxy struct {
	URL string // the database's, through the proxy

	l      net.Listener
	server string

	mu    sync.Mutex
	open  map[net.Conn]bool
	rules []*proxyRule
	lossy int // one COMMIT in so many is lost; 0: none
	down  bool
	black chan struct{} // while packets vanish: closed when they flow again
	ended chan struct{} // closed with the test
	work  sync.WaitGroup
}

type proxyAction int

const (
	cutBefore proxyAction = iota
	loseAnswer
	hold
)

// proxyRule is what to do at a statement.
type proxyRule struct {
	match   Match
	do      proxyAction
	reached chan struct{} // closed at the statement; for a lost answer, once the server has answered
	release chan struct{}
}

// PostgresProxy puts a proxy before the database of a URL until the test ends.
func PostgresProxy(t testing.TB, database string) *Proxy {
	t.Helper()
	u, err := url.Parse(database)
	Must(t, err)
	p := &Proxy{server: u.Host, open: map[net.Conn]bool{}, ended: make(chan struct{})}
	p.l, err = net.Listen("tcp", "127.0.0.1:0")
	Must(t, err)
	u.Host = p.l.Addr().String()
	p.URL = u.String()
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// CutBefore cuts the connection when a statement that matches arrives: it never
// reaches the server. The channel is closed then.
func (p *Proxy) CutBefore(m Match) (cut <-chan struct{}) {
	return p.add(m, cutBefore).reached
}

// LoseAnswer lets a statement that matches take effect, and cuts the connection
// when its answer arrives. The channel is closed then.
func (p *Proxy) LoseAnswer(m Match) (lost <-chan struct{}) {
	return p.add(m, loseAnswer).reached
}

// Hold keeps a statement that matches, and what its connection sends after it,
// from the server until released, even if the client gives up meanwhile.
func (p *Proxy) Hold(m Match) (held <-chan struct{}, release func()) {
	r := p.add(m, hold)
	return r.reached, sync.OnceFunc(func() { close(r.release) })
}

func (p *Proxy) add(m Match, do proxyAction) *proxyRule {
	r := &proxyRule{match: m, do: do, reached: make(chan struct{}), release: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, r)
	return r
}

// Lossy cuts connections at random at one COMMIT in n, before it arrives or when
// its answer does. 0 ends that.
func (p *Proxy) Lossy(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lossy = n
}

// Clear forgets the rules that were not used.
func (p *Proxy) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}

// Blackhole has all packets of all connections vanish, new ones included, and
// resets none. When it ends, what was under way arrives, as TCP would have it.
func (p *Proxy) Blackhole(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.black == nil:
		p.black = make(chan struct{})
	case !on && p.black != nil:
		close(p.black)
		p.black = nil
	}
}

// Down cuts every connection and refuses new ones, until told otherwise.
func (p *Proxy) Down(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.Cut()
	}
}

// Cut cuts every connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

func (p *Proxy) close() {
	close(p.ended)
	_ = p.l.Close()
	p.Down(true)
	p.Blackhole(false)
	p.work.Wait()
}

func (p *Proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.serve(c) })
	}
}

// keep notes an open connection, unless none are wanted.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *Proxy) forget(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// pass waits while packets vanish.
func (p *Proxy) pass() {
	for {
		p.mu.Lock()
		black := p.black
		p.mu.Unlock()
		if black == nil {
			return
		}
		<-black
	}
}

// rule takes the rule for a statement, if there is one.
func (p *Proxy) rule(statement string) *proxyRule {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.rules {
		if r.match(statement) {
			p.rules = append(p.rules[:i:i], p.rules[i+1:]...)
			return r
		}
	}
	if p.lossy > 0 && Commit(statement) && rand.IntN(p.lossy) == 0 {
		return &proxyRule{do: []proxyAction{cutBefore, loseAnswer}[rand.IntN(2)], reached: make(chan struct{})}
	}
	return nil
}

// wire is one connection through the proxy.
type wire struct {
	p              *Proxy
	client, server net.Conn
	parsed         map[string]string // prepared statement → text

	mu   sync.Mutex
	lose *proxyRule // whose answer is lost
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

// The codes of what a client may send before it starts up.
const (
	sslRequest    = 80877103
	gssRequest    = 80877104
	cancelRequest = 80877102
)

// asks carries the client's messages.
func (w *wire) asks() {
	for started := false; !started; {
		m, err := readStartup(w.client)
		if err != nil {
			return
		}
		w.p.pass()
		switch code := binary.BigEndian.Uint32(m[4:]); code {
		case sslRequest, gssRequest: // not here
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

// follow does what a rule says. It reports whether the statement goes on.
func (w *wire) follow(r *proxyRule) bool {
	switch r.do {
	case cutBefore:
		_ = w.client.Close()
		close(r.reached)
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

// statement is the text of what a message executes. A Parse is remembered.
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

// answers carries the server's messages. An answer that is to be lost is over
// when the server is ready for more, or is gone.
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
			_ = w.client.Close()
			close(r.reached)
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

// readStartup reads a message that has no type.
func readStartup(r io.Reader) ([]byte, error) { return readFramed(r, 0) }

// readMessage reads a message: a byte of type, and a length that counts itself.
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

// cstring cuts the text before the first zero byte.
func cstring(b []byte) (text string, rest []byte) {
	i := strings.IndexByte(string(b), 0)
	if i < 0 {
		return string(b), nil
	}
	return string(b[:i]), b[i+1:]
}
