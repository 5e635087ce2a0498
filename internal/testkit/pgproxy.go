package testkit

import (
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Match chooses statements by their text. Several statements in one Query message are one text; a
// BEGIN may be followed by others.
type Match func(statement string) bool

// Next matches every statement.
func Next(string) bool { return true }

// Commit matches a statement that commits a transaction.
func Commit(statement string) bool { return strings.EqualFold(statement, "commit") }

// Begin matches a text that begins a transaction.
func Begin(statement string) bool { return strings.HasPrefix(strings.ToLower(statement), "begin") }

// Containing matches statements that contain a text, regardless of case.
func Containing(text string) Match {
	text = strings.ToLower(text)
	return func(statement string) bool { return strings.Contains(strings.ToLower(statement), text) }
}

// Nth matches the nth statement, counted from 1, that m matches.
func Nth(n int, m Match) Match {
	return func(statement string) bool {
		if m(statement) {
			n--
			return n == 0
		}
		return false
	}
}

// Proxy stands between a node and its PostgreSQL, and breaks connections at chosen statements. A
// statement is seen when it is executed: in a Query, or in a Bind of a prepared statement. There
// may be many rules. The first that matches is applied, and then removed.
type Proxy struct {
	URL string // the database's, through the proxy

	l      net.Listener
	server string

	mu    sync.Mutex
	open  map[net.Conn]bool
	rules []*proxyRule
	lossy int // one COMMIT in this many is lost; 0: none
	down  bool
	black chan struct{} // not nil while Blackhole is on; closed when it ends
	ended chan struct{} // closed when the test ends
	work  sync.WaitGroup
}

type proxyAction int

const (
	cutBefore proxyAction = iota
	loseAnswer
	hold
)

// proxyRule says what to do at a statement.
type proxyRule struct {
	match    Match
	do       proxyAction
	stayDown bool          // the proxy is down before the client can notice that it was cut
	reached  chan struct{} // closed at the statement; for loseAnswer, once the server has answered
	release  chan struct{}
}

// PostgresProxy starts a proxy before a database, which runs until the test ends. database is the
// database's URL.
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

// CutBefore cuts the connection when a matching statement arrives, before the server gets it. Then
// it closes the channel.
func (p *Proxy) CutBefore(m Match) (cut <-chan struct{}) {
	return p.add(proxyRule{match: m, do: cutBefore}).reached
}

// CutAndStayDown is CutBefore, and Down, before the client can connect again.
func (p *Proxy) CutAndStayDown(m Match) { p.add(proxyRule{match: m, do: cutBefore, stayDown: true}) }

// LoseAnswer lets the server execute a matching statement, and cuts the connection instead of
// passing the answer on. Then it closes the channel.
func (p *Proxy) LoseAnswer(m Match) (lost <-chan struct{}) {
	return p.add(proxyRule{match: m, do: loseAnswer}).reached
}

// LoseAndStayDown is LoseAnswer, and Down, before the client can connect again.
func (p *Proxy) LoseAndStayDown(m Match) { p.add(proxyRule{match: m, do: loseAnswer, stayDown: true}) }

// Hold delays a matching statement, and what its connection sends after it, until release is
// called. This holds even if the client gives up. The channel is closed when the statement has
// arrived.
func (p *Proxy) Hold(m Match) (held <-chan struct{}, release func()) {
	r := p.add(proxyRule{match: m, do: hold})
	return r.reached, sync.OnceFunc(func() { close(r.release) })
}

func (p *Proxy) add(r proxyRule) *proxyRule {
	r.reached, r.release = make(chan struct{}), make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, &r)
	return &r
}

// Lossy cuts the connection at one in n COMMITs, at random: before the statement or before the
// answer. 0 turns that off.
func (p *Proxy) Lossy(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lossy = n
}

// Clear removes the rules that have not been applied.
func (p *Proxy) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}

// Blackhole stops all data on all connections, including new ones, without closing them. When it is
// turned off, the data arrives, as with TCP retransmission.
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

// Down cuts every connection and refuses new ones, until it is called with false.
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

// keep registers an open connection. If the proxy is down, it closes it and returns false.
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

// pass waits while Blackhole is on.
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

// rule removes and returns the rule for a statement; nil if there is none.
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
