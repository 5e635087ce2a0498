package sshd

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/sshwire"
	"github.com/sallyport-sftp/sallyport/internal/telemetry"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// handle serves one connection from its first byte until its record is written. What needs much stack is in
// functions that return before the session waits for its client: stacks are most of what an idle session costs.
func (s *Server) handle(l Listener, nc net.Conn, from netip.Addr, place *halfOpen) {
	defer nc.Close()
	if in := s.logIn(l, nc, from, place); in != nil {
		s.serve(in)
		s.logOut(in.attempt)
	}
}

// loggedIn is a connection whose client has logged in.
type loggedIn struct {
	*attempt
	chans    <-chan ssh.NewChannel
	requests <-chan *ssh.Request
}

// logIn lets a client log in. It returns nil if the connection was refused.
func (s *Server) logIn(l Listener, nc net.Conn, from netip.Addr, place *halfOpen) *loggedIn {
	a := &attempt{s: s, ctx: s.ctx, place: place, from: from, region: l.Region, keys: s.o.HostKeys(), old: l.Old,
		rec: Record{From: from, Listener: l.Name,
			Connection: model.Connection{Reference: fault.NewReference(), At: s.o.Clock(), Address: from.String()}}}
	if !s.admit(a, l, nc) {
		s.gate.done(place)
		return nil
	}
	ctx, end := telemetry.Serve(s.ctx, "sftp log-in")
	conn, chans, requests, err := s.handshake(a, nc)
	s.gate.done(place)
	if err != nil {
		s.turnedAway(ctx, a, err)
		end(nil) // a refusal is no failure of ours
		s.ended(a)
		return nil
	}
	sess := a.session
	telemetry.Note(ctx, telemetry.Outcome.String(model.ReasonOK), telemetry.User.String(sess.login.User.Name),
		telemetry.Session.String(sess.login.Session))
	end(nil)
	sess.conn = conn
	a.rec.LoggedIn, a.rec.Outcome, a.rec.Unknown = true, model.ReasonOK, nil
	a.rec.KeyID, a.rec.Fingerprint, a.rec.Session, a.rec.UserID = sess.login.KeyID, sess.login.Fingerprint,
		sess.login.Session, sess.login.User.ID
	s.o.Log.Info("logged in", "reference", a.rec.Reference, "user", sess.login.User.Name, "address", from,
		"client", a.rec.Client, "key", sess.login.Fingerprint, "session", sess.login.Session)
	s.o.Authority.Ended(a.rec) // records the log-in; ended records the end of the session
	return &loggedIn{a, chans, requests}
}

// turnedAway notes why a log-in failed.
func (s *Server) turnedAway(ctx context.Context, a *attempt, err error) {
	a.rec.Outcome, a.rec.Detail = a.outcome(err)
	if a.place.evicted.Load() {
		a.rec.Outcome, a.rec.Detail = model.ReasonServerOverload, ""
	}
	if a.session != nil { // verified, but the connection broke before the client was told
		s.live.remove(a.session)
		a.session.cancel(nil)
	}
	s.o.Log.Info("log-in refused", "reference", a.rec.Reference, "address", a.from, "user", valid.Printable(a.rec.User),
		"client", a.rec.Client, "reason", a.rec.Outcome, "detail", valid.Printable(a.rec.Detail))
	telemetry.Note(ctx, telemetry.Outcome.String(a.rec.Outcome))
}

// logOut records the end of a session.
func (s *Server) logOut(a *attempt) {
	sess := a.session
	if sess.wire.Overrun() { // asked here, because conn.Wait would wait for a client that reads nothing
		sess.refused(model.ReasonUnread, "")
		s.o.Log.Warn("a session was ended: its client sent more than is read", "user", sess.login.User.Name, "session",
			sess.login.Session)
	}
	s.live.remove(sess)
	sess.cancel(nil)
	s.o.Log.Info("session ended", "user", sess.login.User.Name, "session", sess.login.Session,
		"received", sess.wire.Received(), "sent", sess.wire.Sent())
	a.rec.Received, a.rec.Sent = sess.wire.Received(), sess.wire.Sent()
	if reason, detail := sess.refusal(); reason != "" {
		a.rec.Outcome, a.rec.Detail = reason, detail
	}
	s.ended(a)
}

// ended passes the final record to the Authority.
func (s *Server) ended(a *attempt) {
	now := s.o.Clock()
	a.rec.EndedAt = &now
	if !s.healthCheck(a) {
		s.o.Authority.Ended(a.rec)
	}
}

// healthCheck reports whether a connection is one that a trusted proxy made for nobody else (a LOCAL or
// UNKNOWN PROXY header), and that did not try to log in. It leaves no record.
func (s *Server) healthCheck(a *attempt) bool {
	return len(a.rec.Methods) == 0 && a.rec.Outcome != model.ReasonBanned && s.trusted(a.from)
}

// admit reports whether a connection may go on. It refuses a banned address and one that is
// not in the listener's AllowIPs, and delays an address with many recent failures.
func (s *Server) admit(a *attempt, l Listener, nc net.Conn) bool {
	may := s.o.Authority.Admit(a.from)
	if may.Banned {
		ref := ""
		if may.Record {
			ref = a.rec.Reference
			a.rec.Outcome = model.ReasonBanned
			s.ended(a)
		}
		disconnect(nc, s.o.Turned(l.Region, ref, may.Until))
		return false
	}
	if !l.allows(a.from) {
		a.rec.Outcome, a.rec.Detail = model.ReasonAddress, "the server address's own list"
		s.o.Log.Info("log-in refused", "reference", a.rec.Reference, "address", a.from, "reason", a.rec.Outcome, "detail",
			a.rec.Detail)
		s.ended(a)
		return false
	}
	if may.Wait > 0 {
		select {
		case <-time.After(may.Wait):
		case <-s.ctx.Done():
			return false
		}
	}
	return true
}

// disconnectWait bounds how long disconnect may take.
const disconnectWait = 500 * time.Millisecond

// disconnect sends text, the reason of a refusal, in an unencrypted SSH_MSG_DISCONNECT
// (RFC 4253 §11.1). Clients print it.
func disconnect(nc net.Conn, text string) {
	const byHost, messageDisconnect = 11, 1 // SSH_DISCONNECT_BY_APPLICATION
	payload := append([]byte{messageDisconnect}, ssh.Marshal(struct {
		Reason         uint32
		Text, Language string
	}{byHost, text, ""})...)
	pad := 8 - (5+len(payload))%8
	if pad < 4 {
		pad += 8
	}
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+pad))
	packet = append(append(append(packet, byte(pad)), payload...), make([]byte, pad)...)
	_ = nc.SetDeadline(time.Now().Add(disconnectWait))
	if _, err := nc.Write(append([]byte(Version+"\r\n"), packet...)); err != nil {
		return
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	// If what the client sent is not read, the kernel resets the connection, and the
	// client never sees the text.
	_, _ = io.CopyN(io.Discard, nc, 64<<10)
}

// errNotSSH says that the first line is not an SSH client's: it is another protocol, or a
// PROXY header from an address that is not in Options.Proxies.
var errNotSSH = errors.New("the first line is not SSH's")

// handshake peeks at the client's first bytes, then lets the library do key exchange and
// log-in. The deadline for the first line is short (Limits.Handshake). Limits.Login is
// longer, so that a person can compare a fingerprint and type a passphrase.
func (s *Server) handshake(a *attempt, nc net.Conn) (
	*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	began := time.Now()
	tune(nc, *s.limits.Load())
	wire, hello, err := sshwire.Peek(nc, Version, began.Add(s.limits.Load().Handshake))
	a.hello, a.rec.Client = hello, valid.Excerpt(hello.Version, maxSaid)
	if err != nil {
		return nil, nil, nil, err
	}
	if hello.Line && !strings.HasPrefix(hello.Version, "SSH-") {
		return nil, nil, nil, errNotSSH
	}
	a.wire = wire
	wire.Watch(&s.backlog, s.shed)
	if err := nc.SetDeadline(began.Add(s.limits.Load().Login)); err != nil {
		return nil, nil, nil, err
	}
	config, end := a.config(), func(bool) {}
	if _, dear := offers(hello); dear || signsRSA(hello, a.keys.Offered) {
		end = s.gateKex(a, config)
	}
	conn, chans, requests, err := ssh.NewServerConn(wire, config)
	end(err == nil)
	if err != nil {
		return nil, nil, nil, err
	}
	if alg, ok := conn.Conn.(ssh.AlgorithmsConnMetadata); ok {
		n := alg.Algorithms()
		a.rec.Algorithms = strings.Join([]string{n.KeyExchange, n.HostKey, n.Write.Cipher, cmp.Or(n.Write.MAC, "AEAD"),
			a.signature}, " ")
		a.rec.Old = a.used(n)
	}
	_ = nc.SetDeadline(time.Time{}) // fails if the client is gone already; the log-in counts all the same
	return conn, chans, requests, nil
}

// tune makes the kernel end a connection whose peer is gone: it does not acknowledge data,
// or does not answer keep-alive probes.
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

// serve answers a logged-in connection until it ends.
func (s *Server) serve(in *loggedIn) {
	ctx, sess, conn := in.ctx, in.session, in.session.conn
	watch := s.watch(sess, conn)
	defer watch.stop()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	s.channels(ctx, sess, in.chans, in.requests, s.tellKeys(sess, &in.keys))
	_ = conn.Close()
}
