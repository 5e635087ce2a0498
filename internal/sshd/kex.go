package sshd

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"

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
	{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519, ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384}, // under 1 ms
	{ssh.KeyExchangeECDHP521},
	{ssh.KeyExchangeDH14SHA256}, // 5 ms
	{ssh.KeyExchangeDH16SHA512}, // 40 ms
}

// allExchanges are those of every cost.
var allExchanges = slices.Concat(keyExchanges...)

// offers chooses what a client is offered; dear says that its key exchange is to be
// computed by turns. A client whose list has not come yet is offered everything.
func offers(h sshwire.Hello) (list []string, dear bool) {
	if h.KeyExchanges == nil {
		return allExchanges, true
	}
	for cost, list := range keyExchanges {
		if slices.ContainsFunc(h.KeyExchanges, func(k string) bool { return slices.Contains(list, k) || k == curveOld && cost == 0 }) {
			return list, cost > 0 || signsRSA(h)
		}
	}
	return allExchanges, true
}

// curveOld is Curve25519's first name, which the library takes for the new one.
const curveOld = "curve25519-sha256@libssh.org"

// signsRSA reports whether the client wants an RSA host key first: a signature with
// one costs as much as a key exchange.
func signsRSA(h sshwire.Hello) bool {
	return len(h.HostKeys) > 0 && (strings.HasPrefix(h.HostKeys[0], "rsa-") || strings.HasPrefix(h.HostKeys[0], "ssh-rsa"))
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
	ctx   context.Context

	mu    sync.Mutex
	in    bool
	ended bool
}

// gateKex lets the costly part of a connection's key exchange in by turns, until end
// is called.
func (s *Server) gateKex(a *attempt) (end func()) {
	party := a.from.String()
	if p, err := a.from.Prefix(64); err == nil && a.from.Is6() {
		party = p.String() // every subscriber has one of these
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.o.Limits.Login)
	t := &turn{gate: s.exchanges, party: party, ctx: ctx}
	a.wire.Gate(t.enter)
	return func() {
		cancel()
		t.mu.Lock()
		t.ended = true
		t.mu.Unlock()
		t.leave()
	}
}

func (t *turn) enter() (leave func(), err error) {
	if err := t.gate.Enter(t.ctx, t.party); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended { // the handshake failed meanwhile, and nobody would leave
		t.gate.Leave(t.party)
		return nil, context.Canceled
	}
	t.in = true
	return t.leave, nil
}

func (t *turn) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.in {
		t.in = false
		t.gate.Leave(t.party)
	}
}
