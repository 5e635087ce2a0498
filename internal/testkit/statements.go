package testkit

import (
	"errors"
	"sync"
)

// ErrStatement is the error of a statement that a test makes fail.
var ErrStatement = errors.New("a test let this statement fail")

// Statements observes the statements of a store (World.Asked). Between Watch and Stop it counts
// them. It calls do with the number of each, from 1 on, once before the statement is run and once
// after. An error of do replaces the statement's result.
type Statements struct {
	Proxy *Proxy // the proxy before the store's PostgreSQL; used by Steps

	mu    sync.Mutex
	n     int
	texts []string
	do    func(n int, statement string, ran bool) error
}

// Probe is the function for store.Options.Probe.
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

// Watch starts counting from 0, and sets do.
func (s *Statements) Watch(do func(n int, statement string, ran bool) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.texts, s.do = 0, nil, do
}

// Stop stops watching, and returns the texts of the statements.
func (s *Statements) Stop() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = nil
	return s.texts
}

// LoseCommits makes the next times COMMITs fail: after they ran if ran is set, else instead of
// running.
func (s *Statements) LoseCommits(ran bool, times int) {
	s.Watch(func(_ int, statement string, is bool) error {
		if statement != "COMMIT" || is != ran || times == 0 {
			return nil
		}
		times--
		return ErrStatement
	})
}
