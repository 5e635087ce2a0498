// Package quietlog limits repeated log lines: it passes on the first few, and counts the others.
package quietlog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The limits. Ten thousand refused clients a second, or an unreachable database, must not fill the
// disk with the same line.
const (
	every   = 10 * time.Second
	maxSame = 5   // lines within every with the same message, reason, address and error, for what went wrong
	maxFine = 200 // the same, for other lines (Info or lower, without a reason)
	maxAll  = 500 // lines within every with the same message
	maxKeys = 10_000
)

// Handler is a slog.Handler that limits repeated lines.
type Handler struct {
	next  slog.Handler
	state *state
}

type state struct {
	mu    sync.Mutex
	began time.Time
	seen  map[kind]int
	more  map[kind]held // lines held back, by message and reason
}

type kind struct {
	level                slog.Level
	message              string
	reason, address, err string
}

// held is the last of the lines that were held back, and their number.
type held struct {
	next   slog.Handler
	record slog.Record
	times  int
}

// New returns a handler that passes lines on to next, within the limits.
func New(next slog.Handler) *Handler {
	return &Handler{next, &state{seen: map[kind]int{}, more: map[kind]held{}}}
}

// Enabled returns what next's Enabled returns.
func (q *Handler) Enabled(ctx context.Context, l slog.Level) bool { return q.next.Enabled(ctx, l) }

// WithAttrs returns a handler with the attributes, which shares q's limits.
func (q *Handler) WithAttrs(a []slog.Attr) slog.Handler {
	return &Handler{q.next.WithAttrs(a), q.state}
}

// WithGroup returns a handler with the group, which shares q's limits.
func (q *Handler) WithGroup(name string) slog.Handler {
	return &Handler{q.next.WithGroup(name), q.state}
}

// Handle passes a line on, or holds it back and counts it.
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
	if named && r.Level >= slog.LevelError { // a client was told the reference, so the line must be in the log
		return q.next.Handle(ctx, r)
	}
	over, said := q.state.admit(q.next, key, r)
	say(ctx, over)
	if !said {
		return nil
	}
	return q.next.Handle(ctx, r)
}

// admit reports whether a line is passed on. over are the counts of a period that has ended; they
// are to be logged first.
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
			s.seen[whole]++ // held-back lines do not count here, so that a flood with one reason does not suppress the others
		}
		return over, true
	}
	if len(s.more) == 0 {
		time.AfterFunc(every, s.flush)
	}
	key.address, key.err = "", "" // one count for all lines with the same reason
	h := s.more[key]
	s.more[key] = held{next, r.Clone(), h.times + 1}
	return over, false
}

// end starts a new period, and returns the lines held back in the last one. Callers hold mu.
func (s *state) end(now time.Time) (over []held) {
	for _, h := range s.more {
		over = append(over, h)
	}
	s.began = now
	clear(s.seen)
	clear(s.more)
	return over
}

// Flush logs the lines held back so far.
func (q *Handler) Flush() { q.state.flush() }

// flush logs the lines held back, in case no other line ends the period.
func (s *state) flush() {
	s.mu.Lock()
	over := s.end(time.Now())
	s.mu.Unlock()
	say(context.Background(), over)
}

// say logs held-back lines with their counts.
func say(ctx context.Context, over []held) {
	for _, h := range over {
		h.record.AddAttrs(slog.Int("repeated", h.times), slog.Duration("within", every))
		_ = h.next.Handle(ctx, h.record) // an error of the log cannot be logged
	}
}
