package sshd

import (
	"context"
	"crypto/rand"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/sshwire"
)

// A stranger can make the server compute before it has shown any key: 40 ms for a
// finite-field group of 4096 bits, for a packet that costs nothing to make. So a
// client that can do better is offered nothing worse, which holds for its later key
// exchanges, too; and what is costly is computed for few at a time, address by
// address.

// keyExchanges are what is offered, by what they cost. Nothing has SHA-1.
var keyExchanges = [][]string{
	// under 1 ms
	{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519, ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384},
	{ssh.KeyExchangeECDHP521},
	{ssh.KeyExchangeDH14SHA256}, // 5 ms
	{ssh.KeyExchangeDH16SHA512}, // 40 ms
}

// allExchanges are those of every cost.
var allExchanges = slices.Concat(keyExchanges...)

// offers chooses what a client is offered; dear says that it costs much. A client whose
// list has not come yet is offered everything.
func offers(h sshwire.Hello) (list []string, dear bool) {
	if h.KeyExchanges == nil {
		return allExchanges, true
	}
	for cost, list := range keyExchanges {
		if slices.ContainsFunc(h.KeyExchanges,
			func(k string) bool { return slices.Contains(list, k) || k == curveOld && cost == 0 }) {
			return list, cost > 0
		}
	}
	return allExchanges, true
}

// curveOld is Curve25519's first name, which the library takes for the new one.
const curveOld = "curve25519-sha256@libssh.org"

// signsRSA reports whether the server will sign with an RSA host key: that costs as much
// as a key exchange.
func (s *Server) signsRSA(h sshwire.Hello) bool {
	for _, wanted := range h.HostKeys {
		for _, k := range s.o.HostKeys {
			switch kind := k.PublicKey().Type(); {
			case kind == ssh.KeyAlgoRSA && strings.HasPrefix(wanted, "rsa-sha2-"):
				return true
			case kind != ssh.KeyAlgoRSA && kind == wanted:
				return false
			}
		}
	}
	return false
}

// newExchanges is the gateway of key exchanges: half of the processors are left to
// those who are in.
func newExchanges() *fair.Gateway {
	return &fair.Gateway{All: max(1, runtime.GOMAXPROCS(0)/2), Party: func(string) int { return 1 }}
}

// turn is a connection's place at the gateway.
type turn struct {
	gate  *fair.Gateway
	party string

	mu    sync.Mutex
	ctx   context.Context // of the handshake, then of the server
	in    bool
	late  *time.Timer // gives a turn back that nothing else has ended
	ended bool        // the handshake failed
}

// turnLasts is longer than any key exchange takes.
const turnLasts = 2 * time.Second

// gateKex lets the costly part of a connection's key exchanges in by turns. end is to be
// called with the outcome of the handshake.
func (s *Server) gateKex(a *attempt, c *ssh.ServerConfig) (end func(ok bool)) {
	party := a.from.String()
	if p, err := a.from.Prefix(64); err == nil && a.from.Is6() {
		party = p.String() // every subscriber has one of these
	}
	ctx, cancel := context.WithTimeout(a.place.ctx, s.o.Limits.Login)
	t := &turn{gate: s.exchanges, party: party, ctx: ctx}
	a.wire.Gate(t.enter)
	// Later key exchanges are encrypted. What can be seen of them is that a finite-field
	// group draws its secret first, and writes when it has computed.
	c.Rand = secrets{t}
	a.wire.OnWrite(t.end)
	return func(ok bool) {
		t.mu.Lock()
		t.ended, t.ctx = !ok, s.ctx
		t.mu.Unlock()
		cancel()
		t.end()
	}
}

// secrets is the library's source of randomness: a long read is a finite-field secret.
type secrets struct{ t *turn }

func (r secrets) Read(b []byte) (int, error) {
	if len(b) >= 128 {
		if _, err := r.t.enter(); err != nil {
			return 0, err
		}
	}
	return rand.Read(b)
}

func (t *turn) enter() (leave func(), err error) {
	t.mu.Lock()
	ctx, in := t.ctx, t.in
	t.mu.Unlock()
	if in { // the packet's turn is this one's, too
		return t.end, nil
	}
	if err := t.gate.Enter(ctx, t.party); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended { // the handshake failed meanwhile, and nobody would leave
		t.gate.Leave(t.party)
		return nil, context.Canceled
	}
	t.in = true
	t.late = time.AfterFunc(turnLasts, t.end)
	return t.end, nil
}

func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.in {
		t.in = false
		t.late.Stop()
		t.gate.Leave(t.party)
	}
}
