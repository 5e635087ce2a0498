package sshd

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/sshwire"
)

// handle serves one connection from its first byte to its record.
func (s *Server) handle(nc net.Conn, from netip.Addr, place *half) {
	defer nc.Close()
	a := &attempt{s: s, ctx: s.ctx, from: from, rec: Record{Reference: reference(), At: s.o.Clock(), Address: from}}
	conn, chans, requests, err := s.handshake(a, nc)
	s.gate.leave(place)
	if err != nil {
		a.rec.Outcome = a.outcome(err)
		if a.session != nil { // verified, but the connection broke before it was told
			s.live.remove(a.session)
			a.session.cancel()
		}
		s.o.Log.Info("log-in refused", "reference", a.rec.Reference, "address", from, "user", exchange.Printable(a.rec.User),
			"client", exchange.Printable(a.rec.Client), "reason", a.rec.Outcome)
		s.ended(a)
		return
	}
	sess := a.session
	sess.conn = conn
	a.rec.LoggedIn, a.rec.Outcome, a.rec.KeyID = true, exchange.ReasonOK, sess.login.KeyID
	s.o.Log.Info("logged in", "reference", a.rec.Reference, "user", sess.login.User.Name, "address", from,
		"client", exchange.Printable(a.rec.Client), "key", sess.login.Fingerprint, "session", sess.login.Session)
	s.ended(a) // the log-in is known from now on
	s.serve(a.ctx, sess, conn, chans, requests)
	s.live.remove(sess)
	sess.cancel()
	s.o.Log.Info("session ended", "user", sess.login.User.Name, "session", sess.login.Session,
		"received", sess.wire.Received(), "sent", sess.wire.Sent())
}

// ended hands the record on.
func (s *Server) ended(a *attempt) {
	a.rec.Lasted = s.o.Clock().Sub(a.rec.At)
	s.o.Authority.Ended(a.rec)
}

// handshake peeks, then lets the library do key exchange and log-in, all
// within one deadline.
func (s *Server) handshake(a *attempt, nc net.Conn) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	deadline := time.Now().Add(s.o.Limits.Handshake)
	tune(nc, s.o.Limits)
	wire, hello, err := sshwire.Peek(nc, Version, deadline)
	a.rec.Client = hello.Version
	if err != nil {
		return nil, nil, nil, err
	}
	a.wire, a.hello = wire, hello
	conn, chans, requests, err := ssh.NewServerConn(wire, a.config())
	if err != nil {
		return nil, nil, nil, err
	}
	if alg, ok := conn.Conn.(ssh.AlgorithmsConnMetadata); ok {
		a.rec.Cipher = alg.Algorithms().Write.Cipher
	}
	return conn, chans, requests, nc.SetDeadline(time.Time{})
}

// tune makes the kernel notice a peer that is gone: unanswered data, or
// unanswered probes of an idle connection.
func tune(nc net.Conn, l Limits) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: l.KeepAlive, Interval: l.KeepAlive / 4, Count: 3})
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((2 * l.KeepAlive).Milliseconds()))
		})
	}
}

// reference is a short word that a person can read out on the phone: letters
// and digits that are not mistaken for one another.
func reference() string {
	const alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	var out strings.Builder
	for i, v := range b {
		if i == 4 {
			out.WriteByte('-')
		}
		out.WriteByte(alphabet[int(v)%len(alphabet)])
	}
	return out.String()
}

// serve answers a logged-in connection until it ends.
func (s *Server) serve(ctx context.Context, sess *session, conn *ssh.ServerConn, chans <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	watch := s.watch(sess, conn)
	defer watch.stop()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	s.channels(ctx, sess, chans, requests)
	_ = conn.Close()
}
