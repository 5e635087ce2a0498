package node

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Log lines are bounded: what repeats is said a few times and then counted. Somebody
// who is refused ten thousand times a second, or a database that is away, must
// not fill the disk with one sentence.
const (
	quietEvery = 10 * time.Second
	quietSame  = 5   // lines in this time of one message, reason and address, for what went wrong
	quietFine  = 200 // the same, for what went well
	quietAll   = 500 // lines in this time of one message, whatever the rest of it
	quietKeys  = 10_000
)

// quiet is a handler that counts what repeats.
type quiet struct {
	next  slog.Handler
	state *quietState
}

type quietState struct {
	mu    sync.Mutex
	began time.Time
	seen  map[quietKey]int
	more  map[quietKey]held // what was not said, by message
}

type quietKey struct {
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

// newQuiet makes a handler that passes lines on to next, within bounds.
func newQuiet(next slog.Handler) slog.Handler {
	return &quiet{next, &quietState{seen: map[quietKey]int{}, more: map[quietKey]held{}}}
}

// Enabled is next's.
func (q *quiet) Enabled(ctx context.Context, l slog.Level) bool { return q.next.Enabled(ctx, l) }

// WithAttrs is next's, within the same bounds.
func (q *quiet) WithAttrs(a []slog.Attr) slog.Handler { return &quiet{q.next.WithAttrs(a), q.state} }

// WithGroup is next's, within the same bounds.
func (q *quiet) WithGroup(name string) slog.Handler { return &quiet{q.next.WithGroup(name), q.state} }

// Handle passes a line on, or counts it.
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	key, named := quietKey{level: r.Level, message: r.Message}, false
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
func (s *quietState) admit(next slog.Handler, key quietKey, r slog.Record) (over []held, said bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.began) >= quietEvery {
		over = s.end(now)
	}
	limit := quietFine
	if r.Level >= slog.LevelWarn || key.reason != "" {
		limit = quietSame
	}
	whole := quietKey{level: key.level, message: key.message}
	if s.seen[key] < limit && s.seen[whole] < quietAll && len(s.seen) < quietKeys {
		s.seen[key]++
		if key != whole {
			s.seen[whole]++ // what is said, not what is counted: a flood of one reason silences no other
		}
		return over, true
	}
	if len(s.more) == 0 {
		time.AfterFunc(quietEvery, s.flush)
	}
	key.address, key.err = "", "" // one count for all of a reason
	h := s.more[key]
	s.more[key] = held{next, r.Clone(), h.times + 1}
	return over, false
}

// end begins a new time and returns what was counted in the last one. Callers hold mu.
func (s *quietState) end(now time.Time) (over []held) {
	for _, h := range s.more {
		over = append(over, h)
	}
	s.began = now
	clear(s.seen)
	clear(s.more)
	return over
}

// Flush says what was counted and not said yet.
func (q *quiet) Flush() { q.state.flush() }

// flush says what was counted, when nothing else is logged.
func (s *quietState) flush() {
	s.mu.Lock()
	over := s.end(time.Now())
	s.mu.Unlock()
	say(context.Background(), over)
}

// say logs what was counted.
func say(ctx context.Context, over []held) {
	for _, h := range over {
		h.record.AddAttrs(slog.Int("repeated", h.times), slog.Duration("within", quietEvery))
		_ = h.next.Handle(ctx, h.record) // there is nobody to tell that the log can't be written
	}
}
