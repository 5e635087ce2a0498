package store

import "testing"

// SQLite's parameters lose their names only where that changes nothing: they are in order, each once.
func TestParametersWithoutNames(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1": "SELECT 1",
		"INSERT INTO t VALUES ($1, $2, $3), ($4, $5, $6)":     "INSERT INTO t VALUES (?, ?, ?), (?, ?, ?)",
		"SELECT a FROM t WHERE b = $1 AND c > $2 LIMIT $3":    "SELECT a FROM t WHERE b = ? AND c > ? LIMIT ?",
		"SELECT a FROM t WHERE b = $2 AND c > $1":             "SELECT a FROM t WHERE b = $2 AND c > $1",
		"SELECT a FROM t WHERE b = $1 OR c = $1 OR d = $2":    "SELECT a FROM t WHERE b = $1 OR c = $1 OR d = $2",
		"SELECT a, $2 FROM t WHERE b = $3 AND c > $1":         "SELECT a, $2 FROM t WHERE b = $3 AND c > $1",
		"SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11": "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?",
	} {
		if got := unnamed(query); got != want {
			t.Errorf("%s becomes %s", query, got)
		}
	}
}
