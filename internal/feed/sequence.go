package feed

import (
	"fmt"
	"slices"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// maxMissing bounds how many ranges of missing numbers are remembered; the
// oldest are forgotten first.
const maxMissing = 100

// count takes a number that was just published, and returns the range that is
// missing before it, if one is.
func (r *Room) count(tx *store.Tx, feed, account string, seq int64) (gap [2]int64, found bool, err error) {
	s, err := tx.Sequence(feed, account)
	switch {
	case exchange.Is(err, exchange.NotFound): // the first: nothing is missing before it
		return gap, false, tx.PutSequence(feed, exchange.Sequence{Account: account, Last: seq, Missing: [][2]int64{}})
	case err != nil:
		return gap, false, err
	case seq > s.Last+1:
		gap, found = [2]int64{s.Last + 1, seq - 1}, true
		s.Missing = append(s.Missing, gap)
		s.Missing = s.Missing[max(0, len(s.Missing)-maxMissing):]
		s.Last = seq
	case seq == s.Last+1:
		s.Last = seq
	default:
		s.Missing = fill(s.Missing, seq)
	}
	return gap, found, tx.PutSequence(feed, s)
}

// fill takes a late number out of the ranges that miss it.
func fill(missing [][2]int64, seq int64) [][2]int64 {
	i := slices.IndexFunc(missing, func(g [2]int64) bool { return g[0] <= seq && seq <= g[1] })
	if i < 0 {
		return missing
	}
	var rest [][2]int64
	if g := missing[i]; g[0] < seq {
		rest = append(rest, [2]int64{g[0], seq - 1})
	}
	if g := missing[i]; seq < g[1] {
		rest = append(rest, [2]int64{seq + 1, g[1]})
	}
	return append([][2]int64{}, slices.Concat(missing[:i], rest, missing[i+1:])...)
}

// rangeText is a range for people: 7, or 7 to 9.
func rangeText(g [2]int64) string {
	if g[0] == g[1] {
		return fmt.Sprint(g[0])
	}
	return fmt.Sprintf("%d to %d", g[0], g[1])
}

// number counts a publication's number, and makes an event of a gap.
func (r *Room) number(tx *store.Tx, p *exchange.Publication, seq int64) error {
	if seq < 0 {
		return nil
	}
	gap, found, err := r.count(tx, p.Feed, p.Account, seq)
	if err != nil || !found {
		return err
	}
	p.Missing = []string{rangeText(gap)}
	to := "all subscribers"
	if p.Account != "" {
		to = "account " + p.Account
	}
	return tx.Emit(exchange.Event{ID: r.o.IDs.New(), Type: exchange.EventGap, At: r.now(), Account: p.Account, Data: map[string]any{
		"feed": p.Feed, "name": p.Name, "from": gap[0], "to": gap[1],
		"text": fmt.Sprintf("The feed %s has a gap for %s: %s came, and number %s did not.", p.Feed, to, p.Name, rangeText(gap))}})
}
