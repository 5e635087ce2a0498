// Package operator knows who may manage the server over the network: API tokens of programs. It says
// who sent a request, and slows down whoever guesses.
package operator

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
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
}

// Options are the dependencies of the service.
type Options struct {
	Store  *store.Store
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Log    *slog.Logger
	Policy Policy
}

// Service knows operators and tokens. It is safe for concurrent use.
type Service struct {
	o       Options
	guesses *throttle // by address

	mu   sync.Mutex
	used map[string]use    // by a token's id: what is not written yet
	pace map[string]*paced // by a token's id
}

// New makes the service.
func New(o Options) *Service {
	return &Service{o: o, guesses: newThrottle(o.Policy.After, o.Policy.Within, o.Policy.For), used: map[string]use{},
		pace: map[string]*paced{}}
}

func (s *Service) now() time.Time { return s.o.Clock().UTC().Truncate(time.Microsecond) }

func (s *Service) audit(tx *store.Tx, actor, action, subject string, detail map[string]string) error {
	return tx.Audit(model.AuditRow{ID: s.o.IDs.New(), At: s.now(), Actor: actor, Action: action, Subject: subject,
		Detail: detail})
}

// spared reports whether an address is never refused for wrong secrets.
func (s *Service) spared(from netip.Addr) bool {
	for _, p := range s.o.Policy.Never {
		if p.Contains(from) {
			return true
		}
	}
	return false
}
