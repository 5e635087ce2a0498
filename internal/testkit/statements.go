package testkit

import (
	"errors"
	"sync"
)

// ErrStatement is what a statement fails with that a test let fail.
var ErrStatement = errors.New("a test let this statement fail")

// Statements watches the statements of a store (World.Asked). Between Watch and
// Stop it counts them and calls do with the number of each, from 1 on, before it
// is run and again once it ran; what do returns stands for the statement's error.
type Statements struct {
	Proxy *Proxy // that the store's PostgreSQL is behind; for Steps

	mu    sync.Mutex
	n     int
	texts []string
	do    func(n int, statement string, ran bool) error
}

// Probe is for store.Options.
func (s *Statements) Probe(statement string, ran bool) error {
	s.mu.Lock()
	do := s.do
	if do == nil {
		s.mu.Unlock()
		return nil
	}
	if !ran {
		s.n++
		s.texts = append(s.texts, statement)
	}
	n := s.n
	s.mu.Unlock()
	return do(n, statement, ran)
}

// Watch begins to count anew.
func (s *Statements) Watch(do func(n int, statement string, ran bool) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.texts, s.do = 0, nil, do
}

// Stop ends the watch, and returns the statements that there were.
func (s *Statements) Stop() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = nil
	return s.texts
}

// LoseCommits fails COMMITs, once they ran or before, as long as times lasts.
func (s *Statements) LoseCommits(ran bool, times int) {
	s.Watch(func(_ int, statement string, is bool) error {
		if statement != "COMMIT" || is != ran || times == 0 {
			return nil
		}
		times--
		return ErrStatement
	})
}
