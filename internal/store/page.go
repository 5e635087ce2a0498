package store

import (
	"fmt"
	"math"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// most is a page's limit for SQL; a paging without one asks for everything.
func most(p model.Paging) int64 {
	if p.Limit <= 0 {
		return math.MaxInt64
	}
	return int64(p.Limit)
}

// latest returns where a page starts in a list sorted by a time and then a text, the newest first: the
// page has the rows that sort below at and text. Services make the cursor with LatestCursor. A cursor
// that cannot be parsed starts at the first row.
func latest(p model.Paging) (at int64, text string) {
	if _, err := fmt.Sscanf(p.Cursor, "%d %s", &at, &text); err != nil {
		return math.MaxInt64, ""
	}
	return at, text
}

// LatestCursor returns the cursor with which such a list continues after a row.
func LatestCursor(at time.Time, text string) string { return fmt.Sprintf("%d %s", micros(at), text) }

// lastID sorts behind every id, in any collation.
const lastID = "zzzzzzzzzzzzzzzzzzzzzzzzzzz"

// before is a page's start in a list of ids that has the newest first.
func before(p model.Paging) string {
	if p.Cursor == "" {
		return lastID
	}
	return p.Cursor
}

// paged is the part of a statement that chooses one page of a list by its ids: the condition on the
// cursor, which is argument $1, and the order.
type paged struct{ after, order, cursor string }

// pageOf returns the page of a list that begins with the oldest or the newest id.
func pageOf(column string, p model.Paging, newest bool) paged {
	if newest {
		return paged{column + ` < $1`, ` ORDER BY ` + column + ` DESC`, before(p)}
	}
	return paged{column + ` > $1`, ` ORDER BY ` + column, p.Cursor}
}

// firstID is the first id of a time, or other if there is none.
func firstID(at time.Time, other string) string {
	if at.IsZero() {
		return other
	}
	return exchange.FirstID(at)
}
