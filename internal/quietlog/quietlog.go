// Package quietlog bounds what a log says: what repeats is said a few times, then counted.
package quietlog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The bounds. Somebody who is refused ten thousand times a second, or a database that is away, must
// not fill the disk with one sentence.
const (
	every   = 10 * time.Second
	maxSame = 5   // lines in this time of one message, reason and address, for what went wrong
	maxFine = 200 // the same, for what went well
	maxAll  = 500 // lines in this time of one message, whatever the rest of it
	maxKeys = 10_000
)

// Handler is a log handler that counts what repeats.
type Handler struct {
	next  slog.Handler
	state *state
}

type state struct {
	mu    sync.Mutex
	began time.Time
	seen  map[kind]int
	more  map[kind]held // what was not said, by message
}

type kind struct {
	level                slog.Level
	message              string
	reason, address, err string
}

// held is the last line of those that were not said.
type held struct {
	next   slog.Handler
	record slog.Record
	times  int
}

// New makes a handler that passes lines on to next, within bounds.
func New(next slog.Handler) *Handler {
	return &Handler{next, &state{seen: map[kind]int{}, more: map[kind]held{}}}
}

// Enabled is next's.
func (q *Handler) Enabled(ctx context.Context, l slog.Level) bool { return q.next.Enabled(ctx, l) }

// WithAttrs is next's, within the same bounds.
func (q *Handler) WithAttrs(a []slog.Attr) slog.Handler {
	return &Handler{q.next.WithAttrs(a), q.state}
}

// WithGroup is next's, within the same bounds.
func (q *Handler) WithGroup(name string) slog.Handler {
	return &Handler{q.next.WithGroup(name), q.state}
}

// Handle passes a line on, or counts it.
func (q *Handler) Handle(ctx context.Context, r slog.Record) error {
	key, named := kind{level: r.Level, message: r.Message}, false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "reason":
			key.reason = a.Value.String()
		case "address":
			key.address = a.Value.String()
		case "err":
			key.err = a.Value.String()
		case "reference":
			named = true
		}
		return true
	})
	if named && r.Level >= slog.LevelError { // somebody was told to name it
		return q.next.Handle(ctx, r)
	}
	over, said := q.state.admit(q.next, key, r)
	say(ctx, over)
	if !said {
		return nil
	}
	return q.next.Handle(ctx, r)
}

// admit decides about one line. over are counts of a time that has ended, to be said
// first.
func (s *state) admit(next slog.Handler, key kind, r slog.Record) (over []held, said bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.began) >= every {
		over = s.end(now)
	}
	limit := maxFine
	if r.Level >= slog.LevelWarn || key.reason != "" {
		limit = maxSame
	}
	whole := kind{level: key.level, message: key.message}
	if s.seen[key] < limit && s.seen[whole] < maxAll && len(s.seen) < maxKeys {
		s.seen[key]++
		if key != whole {
			s.seen[whole]++ // what is said, not what is counted: a flood of one reason silences no other
		}
		return over, true
	}
	if len(s.more) == 0 {
		time.AfterFunc(every, s.flush)
	}
	key.address, key.err = "", "" // one count for all of a reason
	h := s.more[key]
	s.more[key] = held{next, r.Clone(), h.times + 1}
	return over, false
}

// end begins a new time and returns what was counted in the last one. Callers hold mu.
func (s *state) end(now time.Time) (over []held) {
	for _, h := range s.more {
		over = append(over, h)
	}
	s.began = now
	clear(s.seen)
	clear(s.more)
	return over
}

// Flush says what was counted and not said yet.
func (q *Handler) Flush() { q.state.flush() }

// flush says what was counted, when nothing else is logged.
func (s *state) flush() {
	s.mu.Lock()
	over := s.end(time.Now())
	s.mu.Unlock()
	say(context.Background(), over)
}

// say logs what was counted.
func say(ctx context.Context, over []held) {
	for _, h := range over {
		h.record.AddAttrs(slog.Int("repeated", h.times), slog.Duration("within", every))
		_ = h.next.Handle(ctx, h.record) // there is nobody to tell that the log can't be written
	}
}
