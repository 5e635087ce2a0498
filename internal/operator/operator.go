// Package operator knows who may manage the server over the network: people, who sign in in a browser,
// and API tokens of programs. It says who sent a request, and slows down whoever guesses.
package operator

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Policy is the part of the configuration that is about operators and tokens.
type Policy struct {
	// Rate is how many requests a minute a token may send, and Burst how many at once.
	Rate, Burst int
	// After so many wrong secrets Within a time, an address is refused For a while, unless it is of Never.
	After  int
	Within time.Duration
	For    time.Duration
	Never  []netip.Prefix

	Idle     time.Duration // a session that nobody uses ends
	Longest  time.Duration // every session ends
	Unused   time.Duration // operators who do not sign in for so long are disabled; 0: never
	Password bool          // people may sign in with a password and a code
	Passkeys bool          // people may sign in with a passkey, if the pages' address allows it
	SSO      SSO
}

// Options are the dependencies of the service.
type Options struct {
	Store  *store.Store
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Vault  *keys.Vault // keeps what codes are made from
	Log    *slog.Logger
	URL    string // of the pages, as operators reach them; "" if it is not known
	Name   string // of whoever runs the server, for authenticator apps
	Policy Policy
}

// Service knows operators and tokens. It is safe for concurrent use.
type Service struct {
	o       Options
	policy  atomic.Pointer[Policy] // in force
	guesses *throttle              // by address
	aimed   *throttle              // by operator
	begins  *throttle              // sign-ins that have begun, by address
	hashing chan struct{}          // turns to hash
	own     chan struct{}          // of people who sign in from where they did last
	keys    *passkeys              // nil: there are none
	sso     *provider              // nil: there is none

	mu   sync.Mutex
	used map[string]use    // by a token's id: what is not written yet
	pace map[string]*paced // by a token's id
}

// New makes the service.
func New(o Options) *Service {
	p := o.Policy
	s := &Service{o: o, guesses: newThrottle(p.After, p.Within, p.For), aimed: newThrottle(mostAimed, p.Within, p.For),
		begins: newThrottle(mostBegun, time.Minute, time.Minute), hashing: make(chan struct{}, hashesAtOnce()),
		own:  make(chan struct{}, 1),
		used: map[string]use{}, pace: map[string]*paced{}}
	s.policy.Store(&p)
	if p.Passkeys {
		s.keys = newPasskeys(o.URL, o.Name)
	}
	if p.SSO.Issuer != "" {
		s.sso = newProvider(p.SSO, o.URL)
	}
	return s
}

// Replace puts the limits and spans of another policy in force. Ways to sign in (Password, Passkeys, SSO) stay as they
// were when the service was made.
func (s *Service) Replace(p Policy) {
	was := s.policy.Load()
	p.Password, p.Passkeys, p.SSO = was.Password, was.Passkeys, was.SSO
	s.policy.Store(&p)
	s.guesses.limit(p.After, p.Within, p.For)
	s.aimed.limit(mostAimed, p.Within, p.For)
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.pace) // they were made with the old rate
}

func (s *Service) now() time.Time { return s.o.Clock().UTC().Truncate(time.Microsecond) }

func (s *Service) audit(tx *store.Tx, actor, action, subject string, detail map[string]string) error {
	return tx.Audit(model.AuditRow{ID: s.o.IDs.New(), At: s.now(), Actor: actor, Action: action, Subject: subject,
		Detail: detail})
}

// spared reports whether an address is never refused for wrong secrets.
func (s *Service) spared(from netip.Addr) bool {
	for _, p := range s.policy.Load().Never {
		if p.Contains(from) {
			return true
		}
	}
	return false
}

// party is by whom guesses are counted: one subscriber of a provider.
func party(from netip.Addr) string { return valid.Subscriber(from).String() }

// randomSecret returns 256 random bits, in base64url: of a link, a cookie or a ticket.
func randomSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// hashOf returns the SHA-256 of a secret, in hex.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
