// Package onboard is the life of a request for access: from a form, a mail or a call, through the check of
// the address and an operator's decision, to the first file.
//
// submit.go takes what a stranger sends, and partner.go what a requester does behind a link. decide.go and
// approve.go are for operators; judge.go finds what they need to decide. keep.go reminds, expires and notes the
// first use. Every step is a row of the history, an audit row and an event (steps.go).
package onboard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Paths of the links in mails; the secret follows.
const (
	VerifyPath = "/request/verify/"
	StatusPath = "/request/status/"
)

// Purposes of links.
const (
	forVerify = "verify"
	forStatus = "status"
)

// statusLasts is how long a link to a status page works.
const statusLasts = 180 * 24 * time.Hour

// Policy is the operator's configuration.
type Policy struct {
	Help         string // how to reach support; ""
	Open         bool   // strangers may send requests
	FourEyes     bool   // a second operator approves, too
	AnswerWithin time.Duration
	VerifyWithin time.Duration
	RemindAfter  time.Duration
	ExpireAfter  time.Duration // without the requester's answer
	Feeds        []string      // that may be asked for; "*": all that are for every account
	// Limits of what strangers may send.
	PerAddress int   // requests of a network address in an hour
	PerEmail   int64 // undecided requests of an e-mail address, and mails to it in a day to confirm it
	Unverified int64 // requests whose address is not confirmed
	PerHour    int64 // requests in all in an hour
}

// Options are the dependencies of the service.
type Options struct {
	Store    *store.Store
	Clock    exchange.Clock
	IDs      *exchange.IDs
	Log      *slog.Logger
	Accounts *account.Service
	Feeds    *feed.Service
	Policy   Policy
	// Mail queues a letter in a transaction. Nil: no mail server is configured, or no page that a link could lead to.
	Mail func(tx *store.Tx, l Letter) error
	// Explain returns why a user's log-ins fail, in words for its people; "" for no known reason. May be nil.
	Explain func(ctx context.Context, user string) (string, error)
}

// Service is the life of requests. It is safe for concurrent use.
type Service struct {
	o      Options
	policy atomic.Pointer[Policy] // in force
	pace   *pace                  // of requests
	reads  *pace                  // of what is only read
}

// New returns the service.
func New(o Options) *Service {
	s := &Service{o: o, pace: newPace(o.Policy.PerAddress, time.Hour),
		reads: newPace(o.Policy.PerAddress*readsPerRequest, time.Hour)}
	s.policy.Store(&o.Policy)
	return s
}

// Replace puts another policy in force, from now on.
func (s *Service) Replace(p Policy) {
	s.policy.Store(&p)
	s.pace.limit(p.PerAddress)
	s.reads.limit(p.PerAddress * readsPerRequest)
}

func (s *Service) now() time.Time { return s.o.Clock().UTC().Truncate(time.Microsecond) }

// newSecret returns the secret of a link, of 256 bits.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashOf returns what is stored of a secret.
func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// gone is the only answer for a link that does not work, whatever the reason.
func gone() error {
	return fault.E("onboard", fault.NotFound,
		"This link does not work. It may have been used already, or its time is over.")
}

// link makes a link to a request's page, and returns its secret.
func (s *Service) link(tx *store.Tx, r model.Request, purpose string) (string, error) {
	lasts := statusLasts
	if purpose == forVerify {
		lasts = s.policy.Load().VerifyWithin
	}
	secret := newSecret()
	return secret, tx.AddRequestLink(r.ID, purpose, hashOf(secret), s.now().Add(lasts))
}

// requestOf finds the request of a link's secret.
func (s *Service) requestOf(q *store.Q, secret string) (model.Request, string, error) {
	if len(secret) > 100 {
		return model.Request{}, "", gone()
	}
	id, purpose, err := q.RequestOfLink(hashOf(secret), s.now())
	if fault.Is(err, fault.NotFound) {
		return model.Request{}, "", gone()
	} else if err != nil {
		return model.Request{}, "", err
	}
	r, err := q.Request(id)
	return r, purpose, fault.Missing("onboard", err, "There is no such request.")
}
