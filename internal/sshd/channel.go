package sshd

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/sshwire"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// channels serves the session channels that the client opens, at most Limits.Channels at
// a time, proves host keys, and refuses all else. It returns when the connection has ended and all
// work on its channels is done.
func (s *Server) channels(ctx context.Context, sess *session, chans <-chan ssh.NewChannel,
	requests <-chan *ssh.Request, p *proofs) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		select {
		case r, ok := <-requests: // global requests, such as forwarding
			if !ok {
				requests = nil
				continue
			}
			p.reply(r)
		case nc, ok := <-chans:
			if !ok {
				return
			}
			s.channel(ctx, sess, nc, &open)
		}
	}
}

// channel serves a channel on a goroutine of its own, or refuses it.
func (s *Server) channel(ctx context.Context, sess *session, nc ssh.NewChannel, open *sync.WaitGroup) {
	if nc.ChannelType() != "session" {
		_ = nc.Reject(ssh.Prohibited, "only SFTP is offered here")
		return
	}
	if int(sess.channels.Load()) >= s.limits.Load().Channels {
		_ = nc.Reject(ssh.ResourceShortage,
			fmt.Sprintf("at most %d channels at a time on one connection", s.limits.Load().Channels))
		sess.refused(model.ReasonChannels, "")
		return
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		return // the connection is ending
	}
	sess.channels.Add(1)
	open.Go(func() {
		defer sess.channels.Add(-1)
		if err := fault.Guard(s.o.Log, "a channel",
			func() error { s.session(ctx, sess, ch, reqs); return nil }); err != nil {
			_ = ch.Close()
			_ = sess.wire.Close()
		}
	})
}

// session serves one channel: it waits for the request for the sftp subsystem and serves
// that. It refuses all other requests, before and after, until the channel is closed: a
// request that is not received would block the library's whole connection.
func (s *Server) session(ctx context.Context, sess *session, ch ssh.Channel, reqs <-chan *ssh.Request) {
	lane := sess.wire.Lane()
	defer lane.End()
	go drain(ch.Stderr()) // extended data, which nothing else reads
	asked, ok := awaitSFTP(reqs, lane)
	if ok {
		sess.speaksSFTP()
		var refusals sync.WaitGroup
		refusals.Go(func() { refuse(reqs) })
		s.sftp(ctx, sess, ch, lane)
		_ = ch.Close()
		refusals.Wait()
		return
	}
	if asked != "" {
		sess.refused(model.ReasonNoSFTP, asked)
	}
	s.o.Log.Info("refused", "reason", model.ReasonNoSFTP, "session", sess.login.Session, "asked", valid.Printable(asked))
	_ = ch.Close()
	refuse(reqs)
}

// askWithin is how long a channel may be open before it asks for SFTP. Data that is sent
// on it meanwhile stays in memory.
const askWithin = 10 * time.Second

// awaitSFTP answers requests until the client asks for the sftp subsystem, which it
// accepts (ok). It gives up when the client asks for a shell or a command, when the
// channel ends, or after askWithin; asked is then what was asked for last, "" for nothing.
func awaitSFTP(reqs <-chan *ssh.Request, lane *sshwire.Lane) (asked string, ok bool) {
	late := time.NewTimer(askWithin)
	defer late.Stop()
	for {
		var r *ssh.Request
		select {
		case r = <-reqs:
		case <-late.C:
			return cmp.Or(asked, "nothing for "+askWithin.String()), false
		}
		if r == nil {
			return asked, false
		}
		lane.Read(len(r.Type)+len(r.Payload)+32, false) // 32: about its overhead on the wire
		what := r.Type
		if r.Type == "subsystem" || r.Type == "exec" {
			what += " " + requested(r.Payload)
		}
		ok := what == "subsystem sftp"
		if r.WantReply {
			_ = r.Reply(ok, nil)
		}
		switch r.Type {
		case "shell", "exec":
			return what, false
		case "subsystem":
			asked = what
		}
		if ok {
			return what, true
		}
	}
}

// drain reads until the channel ends. It holds little memory meanwhile: io.Discard would keep a buffer of 8 KiB.
func drain(r io.Reader) {
	var few [256]byte
	for {
		if _, err := r.Read(few[:]); err != nil {
			return
		}
	}
}

func refuse(reqs <-chan *ssh.Request) {
	for r := range reqs {
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

// sftp runs the handler on the channel, and sends the exit status: 1 after an error.
func (s *Server) sftp(ctx context.Context, sess *session, ch ssh.Channel, lane *sshwire.Lane) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := s.o.Handler(ctx, sess.subsystem(&stream{ch, sess, lane, &s.moved}))
	status := uint32(0)
	if err != nil {
		status = 1
		s.o.Log.Info("a channel ended early", "session", sess.login.Session, "err", err)
	}
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

// subsystem is what the handler gets. A function of its own makes it, so that the caller's stack stays small.
func (sess *session) subsystem(ch io.ReadWriter) *Subsystem {
	return &Subsystem{Login: sess.login, Channel: ch, Bulk: sess.wire.Bulk, Refused: sess.refused, Hold: sess.hold}
}

// requested reads the string of a subsystem or exec request (RFC 4254 §6.5); "" if the
// payload is malformed.
func requested(payload []byte) string {
	if len(payload) < 4 {
		return ""
	}
	n := binary.BigEndian.Uint32(payload)
	if uint64(n) != uint64(len(payload)-4) {
		return ""
	}
	return string(payload[4:])
}

// stream is a channel that records when the client last sent something, and how long a
// write has been under way.
type stream struct {
	ssh.Channel
	sess  *session
	lane  *sshwire.Lane
	moved *atomic.Int64
}

func (c *stream) Read(p []byte) (int, error) {
	c.lane.Wait()
	n, err := c.Channel.Read(p)
	c.lane.Read(n, n < len(p))
	c.sess.active()
	c.moved.Add(int64(n))
	return n, err
}

func (c *stream) Write(p []byte) (int, error) {
	c.sess.writing(c, true)
	defer c.sess.writing(c, false)
	c.moved.Add(int64(len(p)))
	return c.Channel.Write(p)
}

// watcher ends a session whose client is gone, idle or does not take its replies. It uses a
// timer instead of a goroutine, so that thousands of idle sessions cost little.
type watcher struct {
	s     *Server
	sess  *session
	conn  *ssh.ServerConn
	timer *time.Timer

	mu      sync.Mutex
	stopped bool
	asking  bool // a keep-alive request is unanswered
}

func (s *Server) watch(sess *session, conn *ssh.ServerConn) *watcher {
	w := &watcher{s: s, sess: sess, conn: conn}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(s.limits.Load().KeepAlive, w.look)
	return w
}

func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

// look runs every Limits.KeepAlive. It closes the connection or asks for a sign of life.
func (w *watcher) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	l := w.s.limits.Load()
	quiet := w.sess.quiet()
	writing := w.sess.oldestWrite()
	stuck := writing > l.Stall
	switch {
	case quiet > l.Idle && writing == 0, stuck, w.asking && quiet > l.KeepAlive:
		w.s.o.Log.Info("session given up", "session", w.sess.login.Session, "quiet", quiet.Round(time.Second), "stuck", stuck,
			"unanswered", w.asking)
		w.stopped = true
		_ = w.conn.Close()
		return
	case quiet > l.KeepAlive:
		w.asking = true
		go w.ask()
	}
	w.timer.Reset(l.KeepAlive)
}

// ask sends a keep-alive request and waits for any answer, even a refusal. It also ends
// when the connection ends.
func (w *watcher) ask() {
	_, _, err := w.conn.SendRequest("keepalive@openssh.com", true, nil)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asking = false
}
