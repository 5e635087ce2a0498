package testkit

import (
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
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
