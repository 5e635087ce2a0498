// Package endpoint keeps listeners of their own for programs that know only old algorithms. Each has its own port, the
// networks that may connect, named algorithms, and a day from which it is closed; who logs in through it is recorded.
// The listeners of the configuration never offer old algorithms.
package endpoint

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	every      = 5 * time.Second
	longest    = 366 * 24 * time.Hour
	widest4    = 16 // bits of the largest IPv4 network that may connect
	widest6    = 32
	mostLogins = 10_000 // places that are noted between two writes
	loginsIn   = 200    // in a transaction
)

// Options are the dependencies of the service.
type Options struct {
	Store *store.Store
	Clock exchange.Clock
	IDs   *exchange.IDs
	Log   *slog.Logger
	// Open listens on an address and serves SSH there until stop is called. It is called again if it failed.
	Open func(e model.Endpoint, allow []netip.Prefix) (stop func(), err error)
}

// Service keeps the listeners.
type Service struct {
	o Options

	mu     sync.Mutex
	open   map[string]*listener
	failed map[string]string // by name: why it is not open
	logins map[place]*store.EndpointLogin
}

// listener is one that is open.
type listener struct {
	as   model.Endpoint // when it was opened
	stop func()
}

// same reports whether a listener need not be opened anew.
func (l *listener) same(e model.Endpoint) bool {
	return slices.Equal(l.as.AllowIPs, e.AllowIPs) && slices.Equal(l.as.Algorithms, e.Algorithms)
}

// place is where a user logs in from, and through which listener.
type place struct{ endpoint, user, address string }

// New makes the service. Nothing is open before Step.
func New(o Options) *Service {
	return &Service{o: o, open: map[string]*listener{}, failed: map[string]string{},
		logins: map[place]*store.EndpointLogin{}}
}

func (s *Service) now() time.Time { return s.o.Clock().UTC().Truncate(time.Microsecond) }

// Keep opens and closes listeners until ctx ends. Then it closes all.
func (s *Service) Keep(ctx context.Context) {
	exchange.Task{Every: every, Do: s.Step, Failure: "listeners with old algorithms could not be looked after",
		Log: s.o.Log}.Run(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, l := range s.open {
		l.stop()
		delete(s.open, name)
	}
}

// Step does what Keep does, once: it opens what should be open, closes the rest, and writes down who logged in.
func (s *Service) Step(ctx context.Context) error {
	if err := s.writeLogins(ctx); err != nil {
		return err
	}
	all, err := s.o.Store.Read(ctx).Endpoints()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, e := range all {
		l := s.open[e.Name]
		switch due := e.ClosedAt == nil && now.Before(e.Until); {
		case l != nil && (!due || !l.same(e)):
			l.stop()
			delete(s.open, e.Name)
			s.o.Log.Info("a listener with old algorithms is closed", "endpoint", e.Name, "address", e.Listen)
			if due {
				s.start(e) // with its new lists
			}
		case l == nil && due:
			s.start(e)
		}
	}
	return nil
}

// start opens a listener, or notes why it cannot be. s.mu is held.
func (s *Service) start(e model.Endpoint) {
	stop, err := s.o.Open(e, networks(e.AllowIPs))
	if err != nil {
		why := fault.PublicText(err)
		if s.failed[e.Name] != why {
			s.o.Log.Error("a listener with old algorithms could not be opened", "endpoint", e.Name, "address", e.Listen,
				"err", err)
		}
		s.failed[e.Name] = why
		return
	}
	delete(s.failed, e.Name)
	s.open[e.Name] = &listener{e, stop}
	s.o.Log.Warn("a listener with old algorithms is open", "endpoint", e.Name, "address", e.Listen, "algorithms",
		strings.Join(e.Algorithms, " "), "until", e.Until)
}

func networks(list []string) (out []netip.Prefix) {
	for _, s := range list {
		if p, ok := valid.ParseNetwork(s); ok {
			out = append(out, p)
		}
	}
	return out
}

// stated returns a listener with its state.
func (s *Service) stated(e model.Endpoint) model.Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.ClosedAt != nil:
		e.State = model.EndpointClosed
	case !s.now().Before(e.Until):
		e.State = model.EndpointOver
	case s.open[e.Name] == nil && s.failed[e.Name] != "":
		e.State, e.Error = model.EndpointFailed, s.failed[e.Name]
	default:
		e.State = model.EndpointOpen
	}
	return e
}

// Add opens a listener. It fails, and leaves nothing, if its address cannot be listened on.
func (s *Service) Add(ctx context.Context, actor string, n model.NewEndpoint) (model.Endpoint, error) {
	e := model.Endpoint{Name: n.Name, Listen: n.Listen, AllowIPs: n.AllowIPs, Algorithms: n.Algorithms,
		Until: n.Until.UTC().Truncate(time.Microsecond), Note: strings.TrimSpace(n.Note), CreatedAt: s.now(),
		CreatedBy: actor}
	if err := s.check(&e); err != nil {
		return e, err
	}
	if err := s.mayListen(ctx, e); err != nil {
		return e, err
	}
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.AddEndpoint(e); fault.Is(err, fault.Exists) {
			return fault.E("endpoint.Add", fault.Exists, "There is a listener %q already, or was one.", e.Name).
				WithHint("choose another name").WithAction("list-endpoints")
		} else if err != nil {
			return err
		}
		return s.audit(tx, actor, "endpoint.add", e)
	})
	if err != nil {
		return e, err
	}
	if err := s.Step(ctx); err != nil {
		return e, err
	}
	return s.stated(e), nil
}

// mayListen refuses an address that cannot be listened on.
func (s *Service) mayListen(ctx context.Context, e model.Endpoint) error {
	all, err := s.o.Store.Read(ctx).Endpoints()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(have model.Endpoint) bool { return have.Name == e.Name }) {
		return nil // Add says so
	}
	l, err := net.Listen("tcp", e.Listen)
	if err != nil {
		return fault.E("endpoint.Add", fault.Conflict, "%s cannot be listened on: %v.", valid.Printable(e.Listen),
			fault.InWords(err)).WithHint("choose an address that nothing else listens on: --listen :2200")
	}
	return l.Close()
}

// Edit changes networks, algorithms, day and note.
func (s *Service) Edit(ctx context.Context, actor, name string, in model.EditEndpoint) (model.Endpoint, error) {
	e, err := store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Endpoint, error) {
		e, err := tx.Endpoint(name)
		if err != nil {
			return e, missing(err, name)
		}
		if in.AllowIPs != nil {
			e.AllowIPs = *in.AllowIPs
		}
		if in.Algorithms != nil {
			e.Algorithms = *in.Algorithms
		}
		if in.Until != nil {
			e.Until = in.Until.UTC().Truncate(time.Microsecond)
		}
		if in.Note != nil {
			e.Note = strings.TrimSpace(*in.Note)
		}
		if err := s.check(&e); err != nil {
			return e, err
		}
		if err := tx.SetEndpoint(e); fault.Is(err, fault.NotFound) {
			return e, fault.E("endpoint.Edit", fault.Conflict, "The listener %q was closed.", name).
				WithHint("open another one")
		} else if err != nil {
			return e, err
		}
		return e, s.audit(tx, actor, "endpoint.set", e)
	})
	if err != nil {
		return e, err
	}
	if err := s.Step(ctx); err != nil {
		return e, err
	}
	return s.stated(e), nil
}

// Close closes a listener for good. Sessions that came through it go on.
func (s *Service) Close(ctx context.Context, actor, name string) (model.Endpoint, error) {
	e, err := store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Endpoint, error) {
		e, err := tx.Endpoint(name)
		if err != nil {
			return e, missing(err, name)
		}
		if err := tx.CloseEndpoint(name, s.now()); fault.Is(err, fault.NotFound) {
			return e, fault.E("endpoint.Close", fault.Conflict, "The listener %q was closed before.", name)
		} else if err != nil {
			return e, err
		}
		if err := s.audit(tx, actor, "endpoint.close", e); err != nil {
			return e, err
		}
		return tx.Endpoint(name)
	})
	if err != nil {
		return e, err
	}
	if err := s.Step(ctx); err != nil {
		return e, err
	}
	return s.stated(e), nil
}

func missing(err error, name string) error {
	return fault.Missing("endpoint.find", err, "There is no listener %q with old algorithms.", valid.Printable(name))
}

// List lists the listeners.
func (s *Service) List(ctx context.Context) ([]model.Endpoint, error) {
	if err := s.writeLogins(ctx); err != nil {
		return nil, err
	}
	all, err := s.o.Store.Read(ctx).Endpoints()
	for i := range all {
		all[i] = s.stated(all[i])
	}
	return all, err
}

func (s *Service) audit(tx *store.Tx, actor, action string, e model.Endpoint) error {
	return tx.Audit(model.AuditRow{ID: s.o.IDs.New(), At: s.now(), Actor: actor, Action: action, Subject: e.Name,
		Detail: map[string]string{"listen": e.Listen, "allow_ips": strings.Join(e.AllowIPs, " "),
			"algorithms": strings.Join(e.Algorithms, " "), "until": e.Until.Format(time.RFC3339)}})
}

// check validates a listener, and completes it.
func (s *Service) check(e *model.Endpoint) error {
	const op = "endpoint.check"
	if err := valid.CheckID("name", e.Name); err != nil {
		return err
	}
	if e.Note != "" {
		if err := valid.CheckLabel("note", e.Note); err != nil {
			return err
		}
	}
	if _, port, err := net.SplitHostPort(e.Listen); err != nil || port == "" || port == "0" {
		return fault.E(op, fault.Invalid, "%q is not an address such as :2200.", valid.Printable(e.Listen))
	}
	if len(e.Algorithms) == 0 {
		e.Algorithms = model.UsualOldAlgorithms
	}
	for _, a := range e.Algorithms {
		if !slices.Contains(model.OldAlgorithms, a) {
			return fault.E(op, fault.Invalid, "%q is not an old algorithm that can be offered.", valid.Printable(a)).
				WithHint("these can: %s", strings.Join(model.OldAlgorithms, ", "))
		}
	}
	if len(e.AllowIPs) == 0 {
		return fault.E(op, fault.Invalid, "Old algorithms are offered to named networks alone: say which.").
			WithHint("--allow-ip 203.0.113.0/24")
	}
	for _, text := range e.AllowIPs {
		p, ok := valid.ParseNetwork(text)
		if !ok {
			return fault.E(op, fault.Invalid, "%q is not an address or network.", valid.Printable(text))
		}
		if least := map[bool]int{true: widest4, false: widest6}[p.Addr().Is4()]; p.Bits() < least {
			return fault.E(op, fault.Invalid, "%s is too many addresses for old algorithms: name the partner's own.", p).
				WithHint("the largest networks are /%d of IPv4 and /%d of IPv6", widest4, widest6)
		}
	}
	switch left := e.Until.Sub(s.now()); {
	case left <= 0:
		return fault.E(op, fault.Invalid, "It would be closed already: the day is over.")
	case left > longest:
		return fault.E(op, fault.Invalid, "It would be open for more than a year: choose an earlier day.").
			WithHint("it can be moved later")
	}
	return nil
}
