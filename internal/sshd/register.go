package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/sshwire"
	"github.com/sallyport-sftp/sallyport/model"
)

// ErrCut is the cause of a session's context when the session was cut off, for example
// because its login was revoked, the drain's time is over, or the server needed its memory.
// Its work under way need not be completed.
var ErrCut = errors.New("the session was cut off")

// session is one live login.
type session struct {
	login    exchange.Login
	since    time.Time
	wire     *sshwire.Conn
	conn     *ssh.ServerConn // nil until the handshake is over
	cancel   context.CancelCauseFunc
	lastWork atomic.Int64 // UnixNano of the last request
	channels atomic.Int32
	holds    atomic.Int32 // channels that wait for bandwidth
	shed     atomic.Bool  // it was ended to free memory (shed.go)

	mu     sync.Mutex
	writes map[*stream]time.Time // writes under way, and when they began

	rate rate
	// Reason and detail of the last refusal, and the number of refusals.
	refusedWhy, refusedWhat string
	refusals                int
	speaks                  bool // a channel asked for SFTP
}

// refused notes a refusal for the connection's record. A client that uses SFTP and also
// asks for something else only probes, as rclone does, so ReasonNoSFTP is ignored then.
func (s *session) refused(reason, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.speaks && reason == model.ReasonNoSFTP {
		return
	}
	s.refusedWhy, s.refusedWhat = reason, detail
	s.refusals++
}

// speaksSFTP notes that a channel asked for SFTP, and forgets a ReasonNoSFTP from before.
func (s *session) speaksSFTP() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speaks = true
	if s.refusedWhy == model.ReasonNoSFTP {
		s.refusedWhy, s.refusedWhat, s.refusals = "", "", 0
	}
}

// refusal returns the last refusal's reason and detail for the record; reason "" means
// there was none.
func (s *session) refusal() (reason, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	detail = s.refusedWhat
	if s.refusals > 1 {
		detail = fmt.Sprintf("%s (the last of %d)", detail, s.refusals)
	}
	return s.refusedWhy, detail
}

// writing notes that a write of a stream begins or has ended.
func (s *session) writing(c *stream, begins bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if begins {
		now := time.Now()
		s.writes[c] = now
		s.rate.moved(now, s.bytes)
	} else {
		delete(s.writes, c)
	}
}

// oldestWrite returns how long the oldest write has been under way; 0 if there is none.
func (s *session) oldestWrite() (age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, began := range s.writes {
		age = max(age, time.Since(began), 1)
	}
	return age
}

// aliveEvery is how often a client whose session waits for bandwidth hears of us. Programs give a server up
// that answers nothing for half a minute, and what they ask is not read meanwhile.
const aliveEvery = 5 * time.Second

// hold notes that a channel's session waits for bandwidth, until release is called.
func (s *session) hold() (release func()) {
	s.holds.Add(1)
	open := s.wire.Hold()
	over := make(chan struct{})
	alive := time.AfterFunc(aliveEvery, func() { s.keepAlive(over) })
	return func() {
		alive.Stop()
		close(over)
		open()
		s.active()
		s.holds.Add(-1)
	}
}

// keepAlive sends the client something to which it need not answer, now and then, until over is closed.
func (s *session) keepAlive(over <-chan struct{}) {
	for {
		if _, _, err := s.conn.SendRequest("keepalive@openssh.com", false, nil); err != nil {
			return // the connection has ended
		}
		select {
		case <-over:
			return
		case <-time.After(aliveEvery):
		}
	}
}

// quiet returns how long the client has sent nothing. While the server makes it wait, that is 0.
func (s *session) quiet() time.Duration {
	if s.holds.Load() > 0 {
		return 0
	}
	return time.Since(time.Unix(0, s.lastWork.Load()))
}

func (s *session) active() {
	now := time.Now()
	s.lastWork.Store(now.UnixNano())
	s.rate.moved(now, s.bytes)
}

// bytes returns how many bytes came and went.
func (s *session) bytes() int64 { return s.wire.Received() + s.wire.Sent() }

// register holds the live sessions. Limits on sessions are checked here, and revocations
// find sessions here.
type register struct {
	limits atomic.Pointer[Limits]
	mu     sync.Mutex
	live   map[*session]struct{}
}

func newRegister(l Limits) *register {
	r := &register{live: map[*session]struct{}{}}
	r.limits.Store(&l)
	return r
}

// add registers a session. It returns false if its user, account or address has too many. Probes
// do not count, and are not listed.
func (r *register) add(s *session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	user, account, addr := 0, 0, 0
	for have := range r.live {
		if have.login.Probe {
			continue
		}
		if have.login.User.ID == s.login.User.ID {
			user++
		}
		if have.login.User.Account == s.login.User.Account {
			account++
		}
		if have.login.Address == s.login.Address {
			addr++
		}
	}
	limits := r.limits.Load()
	if !s.login.Probe && (user >= limits.User || account >= limits.Account || addr >= limits.Address) {
		return false
	}
	r.live[s] = struct{}{}
	return true
}

func (r *register) remove(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, s)
}

// forget ends and removes the session of a connection, if it has one.
func (r *register) forget(nc net.Conn) {
	for _, s := range r.all() {
		if s.wire.Conn == nc {
			r.remove(s)
			s.cancel(ErrCut)
		}
	}
}

// end closes the sessions that match, and returns their number.
func (r *register) end(match func(*exchange.Login) bool) (n int) {
	for _, s := range r.all() {
		if match(&s.login) {
			n++
			s.cancel(ErrCut)
			_ = s.wire.Close()
		}
	}
	return n
}

// endIdle closes the sessions that had no request for longer than quiet.
func (r *register) endIdle(quiet time.Duration) {
	for _, s := range r.all() {
		if s.quiet() > quiet && s.oldestWrite() == 0 {
			_ = s.wire.Close() // its commits under way go on until the drain ends
		}
	}
}

func (r *register) all() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*session, 0, len(r.live))
	for s := range r.live {
		out = append(out, s)
	}
	return out
}

func (r *register) list(limit func(model.User) int64) []model.Session {
	all := r.all()
	slices.SortFunc(all, func(a, b *session) int { return a.since.Compare(b.since) })
	out := make([]model.Session, 0, len(all))
	for _, s := range all {
		l := &s.login
		if l.Probe {
			continue
		}
		shown := model.Session{ID: l.Session, User: l.User.Name, Account: l.User.Account, Address: l.Address,
			Client: l.Client, Fingerprint: l.Fingerprint, Since: s.since, Received: s.wire.Received(), Sent: s.wire.Sent(),
			Rate: s.rate.lately(time.Now(), s.bytes()), Slowed: s.holds.Load() > 0}
		if limit != nil {
			shown.RateLimit = limit(l.User)
		}
		out = append(out, shown)
	}
	return out
}
