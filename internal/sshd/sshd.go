// Package sshd is the SSH server: it listens, lets users in by key and by
// nothing else, keeps the register of live sessions, and hands each "sftp"
// subsystem to the Handler it was given.
//
// A connection goes: a place among the half-open ones (limits.go); the peek
// that chooses ciphers (package sshwire); the handshake, with the Authority
// asked about every key offered (auth.go); a place in the register, where a
// revocation finds it (register.go); channels, of which only sessions with the
// sftp subsystem are served (channel.go). Each leaves one Record.
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

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Version is the server's version line. It names no release, so that it tells
// a stranger nothing.
const Version = "SSH-2.0-Sallyport"

// Authority answers for who may come in. It is asked from many goroutines.
type Authority interface {
	// Admit says what may be done with a new connection from an address,
	// before its first byte.
	Admit(from netip.Addr) Admission
	// Check says whether a user may log in with a key from an address. The
	// reason is model.ReasonOK or why not; its time and its answers to a
	// stranger do not depend on what exists. An error means it can't be said.
	Check(ctx context.Context, user, fingerprint string, from netip.Addr) (exchange.Login, string, error)
	// Confirm looks again once a session is registered, so that a revocation
	// between Check and the register is not missed.
	Confirm(ctx context.Context, l exchange.Login) (bool, error)
	// History is when somebody last got in from an address, and last failed
	// to; zero times for never.
	History(from netip.Addr) (ok, failed time.Time)
	// Ended is told how a connection ended: once, when no log-in came of it;
	// else when it logged in, and when that session ended. It must not wait.
	Ended(Record)
}

// Admission is what may be done with a new connection.
type Admission struct {
	Banned bool
	Until  time.Time     // of the ban
	Record bool          // of being turned away
	Wait   time.Duration // before the first byte
}

// Record is what a connection leaves. Text from the client may be any bytes.
type Record struct {
	model.Connection
	From    netip.Addr
	Unknown []string // unknown keys offered for a user that there is, as authorized_keys lines
}

// Listener is a listener with what it stands for.
type Listener struct {
	net.Listener
	Region   string         // of the endpoint that partners are told; "" is the default one
	AllowIPs []netip.Prefix // who may knock; none allows all
}

// Subsystem is one channel on which the client asked for SFTP.
type Subsystem struct {
	Login   exchange.Login
	Channel io.ReadWriter
	// Bulk tells the connection that much is about to be written; call what
	// it returns afterwards.
	Bulk func() (done func())
	// Refused notes for the connection's record that something was refused.
	Refused func(reason, detail string)
}

// Handler serves a subsystem until the client leaves or ctx ends.
type Handler func(ctx context.Context, sub Subsystem) error

// Options are what a server needs.
type Options struct {
	HostKeys  []ssh.Signer
	Authority Authority
	Handler   Handler
	Clock     exchange.Clock
	IDs       *exchange.IDs
	Log       *slog.Logger
	// Banner is the text for failed log-ins at a region's endpoint, Turned that
	// for a banned address. reference may be "".
	Banner  func(region, reference string) string
	Turned  func(region, reference string, until time.Time) string
	Proxies []netip.Prefix // whose PROXY headers are believed, and needed
	Limits  Limits
	// Used is told what a user's connections use of the processor, and says for how
	// long no more is read of this one. May be nil.
	Used func(user string, took time.Duration) (pause time.Duration)
}

// Limits bound what strangers and sessions may take.
type Limits struct {
	HalfOpen        int           // connections not yet logged in
	HalfOpenAddress int           // of one address
	Handshake       time.Duration // until the client's first line
	Login           time.Duration // until logged in
	KeyOffers       int           // a connection
	User            int           // sessions of one user
	Account         int           // sessions of one account's users
	Address         int           // sessions from one address
	Idle            time.Duration // without a request
	KeepAlive       time.Duration // silence before the client is asked for a sign of life
	Stall           time.Duration // a client that takes no replies
	Channels        int           // a connection
	Backlog         int64         // bytes that all clients together may have sent and nobody read; 0: any number
	Logins          int64         // of a user in an hour; more are slowed down. 0: any number
}

// Server is the SSH server.
type Server struct {
	o     Options
	gate  *gate
	heads *gate // connections of proxies, until their PROXY header is read
	live  *register
	conns sync.WaitGroup
	moved atomic.Int64 // bytes on channels

	backlog   atomic.Int64 // bytes that clients sent and nobody has read
	shedding  sync.Mutex
	logins    fair.Pacer    // by user id
	exchanges *fair.Gateway // of costly key exchanges, by address

	mu        sync.Mutex
	listeners []net.Listener
	closing   bool
	ctx       context.Context
	cancel    context.CancelFunc
}

// New prepares a server.
func New(o Options) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{o: o, gate: newGate(o.Limits, o.Clock), heads: newGate(proxyLimits(o.Limits), o.Clock),
		live: newRegister(o.Limits), exchanges: newExchanges(), ctx: ctx, cancel: cancel}
}

// Serve takes a listener's connections until Shutdown.
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
			time.Sleep(20 * time.Millisecond) // out of descriptors: let some end
			continue
		}
		from := address(nc.RemoteAddr())
		if s.trusted(from) {
			s.proxied(l, nc)
			continue
		}
		// Counted in here, in the order they came: in goroutines the newest
		// could be taken for the oldest.
		s.accept(l, nc, from)
	}
}

// accept gives a connection its place among the half-open ones, and a goroutine.
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

// Sessions lists who is logged in, the oldest first.
func (s *Server) Sessions() []model.Session { return s.live.list() }

// HasSession reports whether a user has a session.
func (s *Server) HasSession(userID string) bool {
	return slices.ContainsFunc(s.live.all(), func(have *session) bool { return have.login.User.ID == userID })
}

// Moved is how many bytes of SFTP have come and gone so far.
func (s *Server) Moved() int64 { return s.moved.Load() }

// End ends the sessions that match, and says how many.
func (s *Server) End(match func(*exchange.Login) bool) int { return s.live.end(match) }

// Shutdown takes no more connections, ends idle sessions, lets the others
// finish until ctx ends, and then closes them: what they were uploading
// becomes partials.
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
