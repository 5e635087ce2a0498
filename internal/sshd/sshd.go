// Package sshd is the SSH server: it listens, authenticates users by key and by
// nothing else, keeps the register of live sessions, and passes each "sftp"
// subsystem to the Handler.
//
// The steps of a connection are: it gets a place among the half-open ones (limits.go);
// its first bytes decide which algorithms are offered (package sshwire); in the handshake,
// the Authority is asked about every offered key (auth.go); the session is registered,
// so that a revocation finds it (register.go); its channels are served if they ask for the
// sftp subsystem (channel.go). Each connection leaves one Record.
package sshd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Version is the server's version line. It names no release, to give strangers no
// information.
const Version = "SSH-2.0-Sallyport"

// Authority decides who may log in. It is called from many goroutines.
type Authority interface {
	// Admit says what to do with a new connection from an address. It is called
	// before the connection's first byte is read.
	Admit(from netip.Addr) Admission
	// Check says whether a user may log in with a key from an address. The
	// reason is model.ReasonOK or why not. The time that it takes must not depend
	// on whether the user exists. An error means that it could not be checked.
	Check(ctx context.Context, user, fingerprint string, from netip.Addr) (exchange.Login, string, error)
	// Confirm checks a login again after its session was registered, so that a
	// revocation between Check and the registration is not missed.
	Confirm(ctx context.Context, l exchange.Login) (bool, error)
	// History returns when a log-in from an address last succeeded and last
	// failed; zero times mean never.
	History(from netip.Addr) (ok, failed time.Time)
	// LogsInWell reports whether a user, by its name as typed, has logged in from an
	// address lately, and did not fail several times since.
	LogsInWell(user string, from netip.Addr) bool
	// Ended is called once if a connection fails to log in; otherwise when it has
	// logged in, and again when its session has ended. It must not block.
	Ended(Record)
}

// Admission is the decision about a new connection.
type Admission struct {
	Banned bool
	Until  time.Time     // end of the ban
	Record bool          // whether to record the refusal of a banned address
	Wait   time.Duration // delay before the first byte is read
}

// Record describes a connection for the Authority. Text from the client may be any bytes.
type Record struct {
	model.Connection
	From    netip.Addr
	Unknown []string // unknown keys offered for an existing user, as authorized_keys lines
	// Listener is the name of one with old algorithms, Old are those that were used.
	Listener string
	Old      []string
}

// Listener is a net.Listener with its endpoint's settings.
type Listener struct {
	net.Listener
	Region   string                // region of the endpoint that partners are told; "" is the default
	AllowIPs func() []netip.Prefix // addresses that may connect; none allows all. nil: all
	// Name and Old are of a listener for programs that know only old algorithms: names of model.OldAlgorithms, which
	// it offers to those that have nothing better.
	Name string
	Old  []string
}

// allows reports whether an address may connect.
func (l Listener) allows(from netip.Addr) bool {
	if l.AllowIPs == nil {
		return true
	}
	allowed := l.AllowIPs()
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(from) })
}

// Subsystem is one channel on which the client asked for SFTP.
type Subsystem struct {
	Login   exchange.Login
	Channel io.ReadWriter
	// Bulk announces a large write to the connection; call done afterwards.
	Bulk func() (done func())
	// Refused notes a refusal for the connection's record.
	Refused func(reason, detail string)
	// Hold notes that the channel's session waits for its share of the bandwidth, until release is called.
	// Meanwhile it does not count as idle, and what its client sends stays in the network.
	Hold func() (release func())
}

// Handler serves a subsystem until the client leaves or ctx ends. While it waits, it should have little on its
// stack: that is most of what an idle session costs.
type Handler func(ctx context.Context, sub *Subsystem) error

// Options configure a Server.
type Options struct {
	HostKeys  func() HostKeys // asked once for each connection
	Authority Authority
	Handler   Handler
	Clock     exchange.Clock
	IDs       *exchange.IDs
	Log       *slog.Logger
	// Banner returns the text for failed log-ins at a region's endpoint, Turned the text
	// for a banned address. reference may be "".
	Banner func(region, reference string) string
	// Greeting returns what is announced to an account, for those who have proven a key of it; "" for
	// nothing. May be nil.
	Greeting func(ctx context.Context, account string) string
	Turned   func(region, reference string, until time.Time) string
	// Learnt is told of host keys that a session's client did not know and asked a proof of. May be nil.
	Learnt  func(l exchange.Login, fingerprints []string)
	Proxies []netip.Prefix // proxies, whose connections must begin with a PROXY header
	Limits  Limits
	// Used is told how much processor time a user's connection took, and returns for how
	// long nothing more is read from it. user is an id. May be nil.
	Used func(user string, took time.Duration) (pause time.Duration)
	// RateLimit returns how many bytes a second a user's sessions move at most, for their list; 0 is any
	// number. May be nil.
	RateLimit func(u model.User) int64
}

// Limits bound the resources that connections and sessions may use.
type Limits struct {
	HalfOpen        int           // connections not yet logged in
	HalfOpenAddress int           // the same, from one address
	Handshake       time.Duration // until the client's first line
	Login           time.Duration // until logged in
	KeyOffers       int           // log-in tries per connection
	User            int           // sessions of one user
	Account         int           // sessions of one account's users
	Address         int           // sessions from one address
	Idle            time.Duration // without a request
	KeepAlive       time.Duration // silence before the client is asked for a sign of life
	Stall           time.Duration // how long a write to a client may be blocked
	Channels        int           // open at a time, per connection
	Backlog         int64         // received bytes of all connections that are not read yet; 0: any number
	Logins          int64         // per user and hour; more are slowed down. 0: any number
}

// Server is the SSH server.
type Server struct {
	o Options
	// limits and proxies are in force; Replace changes them.
	limits  atomic.Pointer[Limits]
	proxies atomic.Pointer[[]netip.Prefix]
	gate    *gate
	heads   *gate // connections of proxies, until their PROXY header is read
	live    *register
	conns   sync.WaitGroup
	moved   atomic.Int64 // bytes on channels

	backlog   atomic.Int64 // received bytes of all connections that are not read yet
	shedding  sync.Mutex
	logins    fair.Pacer    // by user id
	exchanges *fair.Gateway // of costly key exchanges, by address

	mu        sync.Mutex
	listeners []net.Listener
	closing   bool
	ctx       context.Context
	cancel    context.CancelFunc
}

// New returns a server that does not listen yet.
func New(o Options) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{o: o, gate: newGate(o.Limits, o.Clock), heads: newGate(proxyLimits(o.Limits), o.Clock),
		live: newRegister(o.Limits), exchanges: newExchanges(), ctx: ctx, cancel: cancel}
	s.Replace(o.Limits, o.Proxies)
	return s
}

// Replace puts other limits and proxies in force, for connections and requests from now on. It ends no session.
func (s *Server) Replace(l Limits, proxies []netip.Prefix) {
	s.limits.Store(&l)
	s.proxies.Store(&proxies)
	s.gate.limits.Store(&l)
	s.live.limits.Store(&l)
	heads := proxyLimits(l)
	s.heads.limits.Store(&heads)
}

// Serve accepts a listener's connections until Shutdown, which closes the listener. It
// may be called for several listeners at a time.
func (s *Server) Serve(l Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return l.Close()
	}
	s.listeners = append(s.listeners, l.Listener)
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			s.o.Log.Warn("a connection could not be accepted", "err", err)
			time.Sleep(20 * time.Millisecond) // usually out of descriptors: wait until some are closed
			continue
		}
		from := address(nc.RemoteAddr())
		if s.trusted(from) {
			s.proxied(l, nc)
			continue
		}
		// The gate is entered here, in the order of arrival. In goroutines the order
		// could change, and the newest connection be evicted as the oldest.
		s.accept(l, nc, from)
	}
}

// accept enters a connection at the gate and serves it on a goroutine of its own.
func (s *Server) accept(l Listener, nc net.Conn, from netip.Addr) {
	if place := s.gate.enter(nc, from); place != nil {
		s.conns.Go(func() {
			err := fault.Guard(s.o.Log, "a connection", func() error { s.handle(l, nc, from, place); return nil })
			if err != nil {
				_ = nc.Close()
				s.gate.done(place)
				s.live.forget(nc)
			}
		})
	} else {
		_ = nc.Close()
	}
}

// Sessions lists the live sessions, the oldest first.
func (s *Server) Sessions() []model.Session { return s.live.list(s.o.RateLimit) }

// HasSession reports whether a user has a session.
func (s *Server) HasSession(userID string) bool {
	return slices.ContainsFunc(s.live.all(), func(have *session) bool {
		return have.login.User.ID == userID && !have.login.Probe
	})
}

// Moved returns how many bytes were read from and written to SFTP channels so far.
func (s *Server) Moved() int64 { return s.moved.Load() }

// End cuts off the sessions that match, and returns their number.
func (s *Server) End(match func(*exchange.Login) bool) int { return s.live.end(match) }

// Shutdown stops accepting connections, ends idle sessions, lets the others
// finish until ctx ends, and then cuts them off: their unfinished uploads become
// partials. It returns when all connections have ended.
func (s *Server) Shutdown(ctx context.Context) {
	s.mu.Lock()
	s.closing = true
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.mu.Unlock()
	s.gate.closeAll()
	s.heads.closeAll()
	done := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(done)
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			s.cancel()
			return
		case <-ctx.Done():
			s.live.end(func(*exchange.Login) bool { return true })
			s.cancel()
			<-done
			return
		case <-tick.C:
			s.live.endIdle(time.Second)
		}
	}
}
