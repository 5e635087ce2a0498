package expect

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// came counts the expected files of a period. enough is when the last needed one came; small
// lists the files that were too small to count.
func (r *Service) came(q *store.Q, e *model.Expectation, from,
	to time.Time) (n int64, enough time.Time, small []string, err error) {
	list, err := candidates(q, e, from, to)
	if err != nil {
		return 0, enough, nil, err
	}
	for _, c := range list {
		why, err := r.lines.tooFew(e, c)
		if err != nil {
			return 0, enough, nil, err
		}
		if why != "" {
			small = append(small, valid.Printable(c.Name)+" ("+why+")")
			continue
		}
		if n++; n == e.AtLeast {
			enough = c.At
		}
	}
	return n, enough, small, nil
}

// candidates returns the files of a period whose names match.
func candidates(q *store.Q, e *model.Expectation, from, to time.Time) (out []store.Came, err error) {
	var list []store.Came
	if e.UserID != "" {
		list, err = q.DropsBetween(e.UserID, from, to)
	} else {
		list, err = q.PublicationsBetween(e.Feed, e.Account, from, to)
	}
	for _, c := range list {
		if ok, _ := path.Match(e.Glob, c.Name); ok || e.Glob == "" {
			out = append(out, c)
		}
	}
	return out, err
}

// namedSmall is how many too small files a text lists.
const namedSmall = 5

// tooSmall returns a sentence about the files that did not count, or "".
func tooSmall(names []string) string {
	if len(names) == 0 {
		return ""
	}
	more := ""
	if len(names) > namedSmall {
		more = fmt.Sprintf(" and %d more", len(names)-namedSmall)
	}
	return " Too small to count: " + strings.Join(names[:min(len(names), namedSmall)], ", ") + more + "."
}

// readAhead counts lines before the transaction needs them. Contents may be large, and a
// transaction must not hold the database's only writer that long.
func (r *Service) readAhead(ctx context.Context, e model.Expectation, s schedule, now time.Time) error {
	if e.LeastRows == 0 {
		return nil
	}
	from := s.before(s.after(e.CheckedAt))
	if e.Since != nil && e.Since.Before(from) {
		from = *e.Since
	}
	list, err := candidates(r.store.Read(ctx), &e, from, now)
	for _, c := range list {
		if err != nil || ctx.Err() != nil {
			break
		}
		_, err = r.lines.tooFew(&e, c)
	}
	return err
}

// lines counts the lines of contents and caches the results.
type lines struct {
	count func(versionID string) (int64, error)

	mu    sync.Mutex
	known map[string]int64 // by version, whose content never changes
}

// maxKnown bounds the cache. A full cache is emptied.
const maxKnown = 10_000

// tooFew returns why a file does not count, or "" if it does. If its content was removed, only
// its size is checked.
func (l *lines) tooFew(e *model.Expectation, c store.Came) (why string, err error) {
	if c.Size < e.LeastBytes {
		return fmt.Sprintf("%d bytes", c.Size), nil
	}
	if e.LeastRows == 0 || l.count == nil {
		return "", nil
	}
	l.mu.Lock()
	n, known := l.known[c.Version]
	l.mu.Unlock()
	if !known {
		if n, err = l.count(c.Version); fault.Is(err, fault.NotFound) {
			return "", nil
		} else if err != nil {
			return "", err
		}
		l.mu.Lock()
		if len(l.known) >= maxKnown {
			clear(l.known)
		}
		l.known[c.Version] = n
		l.mu.Unlock()
	}
	if n < e.LeastRows {
		return fmt.Sprintf("%d lines", n), nil
	}
	return "", nil
}
