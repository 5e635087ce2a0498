package expect

import (
	"fmt"
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Policy says what happens to files that are not as expected: exchange.OddFlag, OddTell or OddRefuse.
type Policy struct {
	Larger string // than an expectation's most bytes
	Later  string // than the deadline that they were needed for
}

// Odd compares a file that was received with what is expected of its user.
func (r *Service) Odd(q *store.Q, f exchange.Received) (odd exchange.Odd, err error) {
	list, err := q.ExpectationsOf(f.User.ID)
	if err != nil {
		return odd, err
	}
	for i := range list {
		e := &list[i]
		if ok, _ := path.Match(e.Glob, f.Name); !ok && e.Glob != "" {
			continue
		}
		if e.MostBytes > 0 && f.Size > e.MostBytes {
			r.larger(&odd, e, f)
		}
		due, late, err := r.missedBefore(q, e, f.At)
		if err != nil {
			return odd, err
		}
		if late {
			r.later(&odd, e, due)
		}
	}
	return odd, nil
}

// larger adds that a file is larger than expected.
func (r *Service) larger(odd *exchange.Odd, e *model.Expectation, f exchange.Received) {
	add(odd, fmt.Sprintf("larger than expected: %d bytes, %d at most (%s)", f.Size, e.MostBytes, e.Name))
	switch r.policy.Larger {
	case exchange.OddRefuse:
		odd.Refuse, odd.Reason = true, fmt.Sprintf("It is larger than agreed: %d bytes, and %d at most.", f.Size, e.MostBytes)
		odd.Advice = "split it, or ask us whether we can take larger files"
	case exchange.OddTell:
		name := valid.Printable(f.Name)
		data := model.ExpectationChanged{Expectation: e.Name, File: name, Size: f.Size, Most: e.MostBytes, Pattern: e.Glob,
			AtLeast: e.AtLeast, Came: 1, Due: f.At, Zone: e.Zone,
			Words: fmt.Sprintf("%s sent %s with %d bytes; %d are expected at most. The expectation is %q.",
				f.User.Name, name, f.Size, e.MostBytes, e.Name)}
		if e.Tell {
			data.Partner = fmt.Sprintf("We received %s with %d bytes, and expected %d at most. If the file is right, there is "+
				"nothing to do. If it is not, please send it again.", name, f.Size, e.MostBytes)
		}
		odd.Tell = &model.Event{ID: r.ids.New(), Type: model.EventLarger, At: r.now(), Account: f.User.Account,
			User: f.User.Name, Data: data}
	}
}

// later adds that a file came after its deadline. That it came at last is told when the expectation is judged.
func (r *Service) later(odd *exchange.Odd, e *model.Expectation, due time.Time) {
	by := localText(due, e.Zone) + " (" + e.Zone + ")"
	add(odd, fmt.Sprintf("later than expected: by %s (%s)", by, e.Name))
	if r.policy.Later == exchange.OddRefuse {
		odd.Refuse, odd.Reason = true, "It came after its time: we expected it by "+by+"."
		odd.Advice = "ask us whether we can still take it"
	}
}

// add adds words about a file.
func add(odd *exchange.Odd, words string) {
	if odd.Words != "" {
		words = odd.Words + "; " + words
	}
	odd.Words = words
}

// missedBefore reports whether a file that comes at a time is one that an earlier deadline missed, and which.
func (r *Service) missedBefore(q *store.Q, e *model.Expectation, at time.Time) (due time.Time, late bool, err error) {
	s, err := parseSchedule(*e)
	if err != nil {
		return due, false, err
	}
	due = s.before(at)
	switch {
	case !due.After(e.CreatedAt):
		return due, false, nil
	case e.DueAt != nil && e.DueAt.Equal(due):
		return due, e.State == model.ExpectMissed, nil
	case e.LeastRows > 0:
		return due, false, nil // not judged yet, and counting lines takes too long here
	}
	from := s.before(due)
	if e.State == model.ExpectMet && e.Since != nil && e.Since.After(from) {
		from = *e.Since
	}
	n, _, _, err := r.came(q, e, from, due)
	return due, n < e.AtLeast, err
}
