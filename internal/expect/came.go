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

// came counts the files of a time that are what is expected, and says when there were
// enough, and which were too small.
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

// candidates are the files of a time whose names are what is expected.
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

// namedSmall is how many files that were too small are named.
const namedSmall = 5

// tooSmall says which files came and did not count.
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

// readAhead counts lines before a transaction asks for them: contents may be large, and the
// database has one writer.
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

// lines counts the lines of contents, each once.
type lines struct {
	count func(versionID string) (int64, error)

	mu    sync.Mutex
	known map[string]int64 // by version; contents never change
}

// maxKnown bounds what is remembered.
const maxKnown = 10_000

// tooFew says why a file does not count; "" if it does. Of one whose bytes are gone only the
// size is known.
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
