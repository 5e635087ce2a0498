package store

import (
	"fmt"
	"math"
	"time"

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
