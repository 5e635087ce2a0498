package store

import (
	"fmt"
	"strings"
	"sync"
)

// Statements with many values have a few shapes only: they are kept prepared.
const valuesAtOnce = 25

// inChunks calls fn with the parts of a list: full ones, and then one by one.
func inChunks[T any](list []T, fn func(part []T) error) error {
	for len(list) > 0 {
		n := 1
		if len(list) >= valuesAtOnce {
			n = valuesAtOnce
		}
		if err := fn(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// marks are the places of values in a statement: ($1, $2), ($3, $4).
func marks(rows, columns, from int) string {
	shape := [3]int{rows, columns, from}
	if text, ok := markTexts.Load(shape); ok {
		return text.(string)
	}
	var b strings.Builder
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		for j := range columns {
			b.WriteByte("(,"[min(j, 1)])
			fmt.Fprintf(&b, "$%d", from+i*columns+j)
		}
		b.WriteByte(')')
	}
	markTexts.Store(shape, b.String())
	return b.String()
}

var markTexts sync.Map // [3]int → string; there are a few shapes
