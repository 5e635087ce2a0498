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
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// A client can make the server compute before it has authenticated: a finite-field
// group of 4096 bits takes 40 ms, for a packet that costs the client nothing. So a
// client is offered only the cheapest class of key exchanges that it supports, which holds
// for its later key exchanges, too. Costly ones are computed for few addresses at a time.

// keyExchanges are the key exchanges that are offered, in classes, the cheapest first.
// None uses SHA-1.
var keyExchanges = [][]string{
	// under 1 ms
	{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519, ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384},
	{ssh.KeyExchangeECDHP521},
	{ssh.KeyExchangeDH14SHA256}, // 5 ms
	{ssh.KeyExchangeDH16SHA512}, // 40 ms
}

// allExchanges are the key exchanges of all classes.
var allExchanges = slices.Concat(keyExchanges...)

// offers returns the key exchanges to offer to a client; dear says that they are costly. A
// client whose KEXINIT did not come in time, or has none of them, is offered all.
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

// curveOld is Curve25519's older name. The library treats both names as the same.
const curveOld = "curve25519-sha256@libssh.org"

// signsRSA reports whether the server will sign with an RSA host key, which costs as much
// as a costly key exchange.
func signsRSA(h sshwire.Hello, keys []ssh.Signer) bool {
	for _, wanted := range h.HostKeys {
		for _, k := range keys {
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

// newExchanges returns the gateway of costly key exchanges. It lets half as many in as there
// are processors (at least one), so that the others are left to sessions.
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
	late  *time.Timer // ends a turn that nothing else has ended
	ended bool        // the handshake failed
}

// turnLasts is the longest that a turn lasts. Any key exchange is shorter.
const turnLasts = 2 * time.Second

// gateKex makes the costly part of a connection's key exchanges wait for a turn at the
// gateway. The caller must call end with the outcome of the handshake.
func (s *Server) gateKex(a *attempt, c *ssh.ServerConfig) (end func(ok bool)) {
	party := valid.Subscriber(a.from).String()
	ctx, cancel := context.WithTimeout(a.place.ctx, s.limits.Load().Login)
	t := &turn{gate: s.exchanges, party: party, ctx: ctx}
	a.wire.Gate(t.enter)
	// Later key exchanges are encrypted. They can be noticed by two things: a finite-field
	// exchange reads its secret from Rand when it begins, and writes when it has computed.
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

// secrets is the library's source of randomness. A read of 128 bytes or more is the secret
// of a finite-field exchange, and waits for a turn.
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
	if in { // the connection has its turn already
		return t.end, nil
	}
	if err := t.gate.Enter(ctx, t.party); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended { // the handshake failed meanwhile, so nothing would call end
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
