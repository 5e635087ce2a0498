package store

import (
	"fmt"
	"slices"
	"strings"
)

// rowsAtOnce is how many rows one statement adds, or asks for, at most.
const rowsAtOnce = 50

// inserts makes statements that add 1 to rowsAtOnce rows at a time: head, then
// for each row its parameters and what tail adds to every one.
func inserts(columns int, head, tail string) (out [rowsAtOnce]string) {
	var b strings.Builder
	b.WriteString(head)
	for row := range rowsAtOnce {
		if row > 0 {
			b.WriteString(",")
		}
		b.WriteString(" (")
		for c := range columns {
			if c > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", row*columns+c+1)
		}
		b.WriteString(tail + ")")
		out[row] = b.String()
	}
	return out
}

// insert adds rows with the statements that inserts made. add is Tx.exec or Tx.book. Each row is the
// list of its parameters.
func insert(add func(op, query string, args ...any) (int64, error), op string, into *[rowsAtOnce]string,
	rows [][]any) error {
	for part := range slices.Chunk(rows, rowsAtOnce) {
		if _, err := add(op, into[len(part)-1], slices.Concat(part...)...); err != nil {
			return err
		}
	}
	return nil
}
