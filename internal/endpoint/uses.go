package endpoint

import (
	"context"
	"slices"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// LoggedIn notes a log-in through a listener. It does not block.
func (s *Service) LoggedIn(l store.EndpointLogin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{l.Endpoint, l.UserID, l.Address}
	have := s.logins[at]
	if have == nil && len(s.logins) >= mostLogins {
		return
	}
	l.Times, l.At = 1, s.now()
	if have != nil {
		l.Times += have.Times
	}
	s.logins[at] = &l
}

// writeLogins writes down who logged in. What could not be written is noted again.
func (s *Service) writeLogins(ctx context.Context) error {
	s.mu.Lock()
	list := make([]store.EndpointLogin, 0, len(s.logins))
	for _, l := range s.logins {
		list = append(list, *l)
	}
	clear(s.logins)
	s.mu.Unlock()
	for part := range slices.Chunk(list, loginsIn) {
		err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
			for _, l := range part {
				if err := tx.EndpointUsed(l); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.noteAgain(part)
			return err
		}
	}
	return nil
}

func (s *Service) noteAgain(list []store.EndpointLogin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range list {
		at := place{l.Endpoint, l.UserID, l.Address}
		if newer := s.logins[at]; newer != nil {
			newer.Times += l.Times
		} else {
			s.logins[at] = &l
		}
	}
}

// Uses lists who logged in through the listeners.
func (s *Service) Uses(ctx context.Context, f model.EndpointUseFilter) ([]model.EndpointUse, error) {
	if err := s.writeLogins(ctx); err != nil {
		return nil, err
	}
	q := s.o.Store.Read(ctx)
	if f.Endpoint != "" {
		if _, err := q.Endpoint(f.Endpoint); err != nil {
			return nil, missing(err, f.Endpoint)
		}
	}
	return q.EndpointUses(f)
}
