package store

import "strings"

// What every commit reads and hardly anybody changes is remembered from one transaction to the next. That is
// right where one connection writes: SQLite. On PostgreSQL each transaction reads it.

// recallable are words of statements that change what is remembered. They are names of tables, or parts of
// statements that no other has.
var recallable = []string{"expectations", "UPDATE users SET name", "name = 'revocation'"}

// recalled has what transactions have read, by the query and its arguments. The transaction that is open owns it.
type recalled map[string]any

// recall returns what load reads, which a change with the word from recallable makes old. It loads at most once
// between two changes.
func recall[T any](q *Q, key string, load func() (T, error)) (T, error) {
	if q.conn == nil || !q.s.dialect.single {
		return load()
	}
	if v, ok := q.s.recalled[key]; ok {
		return v.(T), nil
	}
	v, err := load()
	if err != nil {
		return v, err
	}
	if q.s.recalled == nil || len(q.s.recalled) >= maxRecalled {
		q.s.recalled = recalled{}
	}
	q.s.recalled[key] = v
	return v, nil
}

// maxRecalled bounds what is remembered: a few of each user that uploads.
const maxRecalled = 10_000

// changesRecalled reports whether a statement may change what is remembered, or undo what it was read of.
func changesRecalled(query string) bool {
	if strings.HasPrefix(query, "ROLLBACK") {
		return true
	}
	for _, word := range recallable {
		if strings.Contains(query, word) && !strings.HasPrefix(query, "SELECT") {
			return true
		}
	}
	return false
}
