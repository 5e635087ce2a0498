package operator

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Visitor is the browser at the other end.
type Visitor struct {
	Address netip.Addr
	Agent   string // as it names itself
}

// Session is a browser that is signed in.
type Session struct {
	model.OperatorSession
	Who    model.Operator
	Cookie string // the session's secret; only when it begins
}

// Identity is who the session's requests are from.
func (s *Session) Identity() model.Identity {
	return model.Identity{Name: s.Who.Actor(), Role: s.Who.Role}
}

// seenEvery is how exact the time is at which a session was last used.
const seenEvery = time.Minute

// mostAgent is how much is kept of a browser's name, in bytes.
const mostAgent = 200

// enter begins a session in the transaction that lets somebody in. who does the rest of that transaction, and
// returns the operator.
func (s *Service) enter(ctx context.Context, by model.SignInMethod, v Visitor,
	who func(tx *store.Tx) (model.Operator, error)) (Session, error) {
	now := s.now()
	begins := Session{Cookie: randomSecret(), OperatorSession: model.OperatorSession{ID: s.o.IDs.New(), Method: by,
		Address: address(v.Address), Agent: valid.Excerpt(v.Agent, mostAgent), CreatedAt: now, SeenAt: now,
		EndsAt: now.Add(s.policy.Load().Longest)}}
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (Session, error) {
		o, err := who(tx)
		if err != nil {
			return Session{}, err
		}
		in := begins
		in.Who, in.Operator = o, o.Email
		err = tx.OperatorSignedIn(o.ID, in.Address, by, now)
		if fault.Is(err, fault.NotFound) {
			return in, fault.E("operator.enter", fault.Denied, "%s was disabled meanwhile.", o.Email)
		} else if err != nil {
			return in, err
		}
		if err := tx.AddOperatorSession(in.OperatorSession, hashOf(in.Cookie), o.ID); err != nil {
			return in, err
		}
		return in, s.audit(tx, o.Actor(), "operator.sign_in", o.Email, map[string]string{"method": string(by),
			"from": in.Address, "session": in.ID})
	})
}

// address is an address for people; "" if it is not known.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// noSession is the one answer to every cookie that does not work.
func noSession() error {
	return fault.E("operator.BySession", fault.Unauthenticated, "Please sign in.").
		WithHint("a session ends when nobody uses it for a while, and when somebody ends it")
}

// BySession returns the session that a cookie is of.
func (s *Service) BySession(ctx context.Context, cookie string) (Session, error) {
	if cookie == "" || len(cookie) > 100 {
		return Session{}, noSession()
	}
	row, err := s.o.Store.Read(ctx).OperatorSession(hashOf(cookie))
	if fault.Is(err, fault.NotFound) {
		return Session{}, noSession()
	} else if err != nil {
		return Session{}, err
	}
	now := s.now()
	// A clock that was set back must not make a session live longer than it may.
	over := !now.Before(row.EndsAt) || now.Sub(row.SeenAt) >= s.policy.Load().Idle ||
		now.Before(row.CreatedAt.Add(-s.policy.Load().Idle))
	if row.EndedAt != nil || row.Who.DisabledAt != nil || over {
		return Session{}, noSession()
	}
	if now.Sub(row.SeenAt) >= seenEvery {
		err := s.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.OperatorSeen(row.ID, now) })
		if err != nil {
			return Session{}, err
		}
	}
	return Session{OperatorSession: row.OperatorSession, Who: row.Who}, nil
}

// Sessions lists browsers in which operators are, or were, signed in, the newest first.
func (s *Service) Sessions(ctx context.Context, f model.OperatorSessionFilter) ([]model.OperatorSession, error) {
	id := ""
	if f.Operator != "" {
		o, err := s.Operator(ctx, f.Operator)
		if err != nil {
			return nil, err
		}
		id = o.ID
	}
	now := s.now()
	return s.o.Store.Read(ctx).OperatorSessions(f, id, now, now.Add(-s.policy.Load().Idle))
}

// EndSession ends a session. Nobody is signed in with it from now on.
func (s *Service) EndSession(ctx context.Context, actor, id string) error {
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.EndOperatorSession(id, actor, s.now()); fault.Is(err, fault.NotFound) {
			return fault.E("operator.EndSession", fault.NotFound, "There is no live session %q.", valid.Printable(id)).
				WithAction("list-operator-sessions")
		} else if err != nil {
			return err
		}
		return s.audit(tx, actor, "operator.session.end", id, nil)
	})
}

// SignOut ends a session, at its own wish.
func (s *Service) SignOut(ctx context.Context, v Session) error {
	return s.EndSession(ctx, v.Who.Actor(), v.ID)
}

// EndOthers ends the other sessions of a session's operator.
func (s *Service) EndOthers(ctx context.Context, v Session) error {
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.EndOperatorSessions(v.Who.ID, v.ID, v.Who.Actor(), s.now()); err != nil {
			return err
		}
		return s.audit(tx, v.Who.Actor(), "operator.session.end", v.Who.Email, map[string]string{"but": v.ID})
	})
}

// ownSession returns an error unless a session is the operator's.
func (s *Service) ownSession(ctx context.Context, o model.Operator, id string) error {
	list, err := s.o.Store.Read(ctx).OperatorSessions(model.OperatorSessionFilter{}, o.ID, s.now(), s.now())
	if err != nil {
		return err
	}
	for _, v := range list {
		if strings.EqualFold(v.ID, id) {
			return nil
		}
	}
	return fault.E("operator.ownSession", fault.NotFound, "You have no such session.")
}

// EndOwn ends one of an operator's own sessions.
func (s *Service) EndOwn(ctx context.Context, v Session, id string) error {
	if err := s.ownSession(ctx, v.Who, id); err != nil {
		return err
	}
	return s.EndSession(ctx, v.Who.Actor(), id)
}
