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

// ErrCut is the cause of a session's context when the session was cut off: its
// login was revoked, or the time of the drain is over. What it is doing is not
// waited for.
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
	shed     atomic.Bool // it was ended to make room

	mu     sync.Mutex
	writes map[*stream]time.Time // under way, since when

	// What was refused last, and how often something was.
	refusedWhy, refusedWhat string
	refusals                int
	speaks                  bool // SFTP, on some channel
}

// refused notes a refusal for the connection's record. Who speaks SFTP only probes with
// what it asks for beside, as rclone does, and needs no advice.
func (s *session) refused(reason, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.speaks && reason == model.ReasonNoSFTP {
		return
	}
	s.refusedWhy, s.refusedWhat = reason, detail
	s.refusals++
}

// speaksSFTP notes that a channel asked for SFTP.
func (s *session) speaksSFTP() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speaks = true
	if s.refusedWhy == model.ReasonNoSFTP {
		s.refusedWhy, s.refusedWhat, s.refusals = "", "", 0
	}
}

// refusal is what the record says of refusals; reason "" is none.
func (s *session) refusal() (reason, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	detail = s.refusedWhat
	if s.refusals > 1 {
		detail = fmt.Sprintf("%s (the last of %d)", detail, s.refusals)
	}
	return s.refusedWhy, detail
}

// writing notes that a stream's write begins or is over.
func (s *session) writing(c *stream, begins bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if begins {
		s.writes[c] = time.Now()
	} else {
		delete(s.writes, c)
	}
}

// oldestWrite is how long the oldest write has been under way; 0: there is none.
func (s *session) oldestWrite() (age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, began := range s.writes {
		age = max(age, time.Since(began), 1)
	}
	return age
}

func (s *session) active() { s.lastWork.Store(time.Now().UnixNano()) }

// register holds the live sessions, where limits are counted and revocations
// find them.
type register struct {
	limits Limits
	mu     sync.Mutex
	live   map[*session]struct{}
}

func newRegister(l Limits) *register { return &register{limits: l, live: map[*session]struct{}{}} }

// add registers a session, unless it would be one too many.
func (r *register) add(s *session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	user, account, addr := 0, 0, 0
	for have := range r.live {
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
	if user >= r.limits.User || account >= r.limits.Account || addr >= r.limits.Address {
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

// end closes the sessions that match.
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

// endIdle closes sessions without a request for a while.
func (r *register) endIdle(quiet time.Duration) {
	for _, s := range r.all() {
		if time.Since(time.Unix(0, s.lastWork.Load())) > quiet && s.oldestWrite() == 0 {
			_ = s.wire.Close() // what it is doing is finished, or cut off at the drain's end
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

func (r *register) list() []model.Session {
	all := r.all()
	slices.SortFunc(all, func(a, b *session) int { return a.since.Compare(b.since) })
	out := make([]model.Session, len(all))
	for i, s := range all {
		l := &s.login
		out[i] = model.Session{ID: l.Session, User: l.User.Name, Account: l.User.Account, Address: l.Address,
			Client: l.Client, Fingerprint: l.Fingerprint, Since: s.since, Received: s.wire.Received(), Sent: s.wire.Sent()}
	}
	return out
}
