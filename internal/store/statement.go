package store

import (
	"context"
	"database/sql"
	"regexp"
	"strconv"
)

// Statements on SQLite, which are prepared once.

var parameter = regexp.MustCompile(`\$[0-9]+`)

// unnamed replaces $1, $2, … by ? if they are in this order, each once. To SQLite, $1 is a name, and its driver looks
// up the name of each parameter, one after the other: of a statement with hundreds, that took longer than running it.
func unnamed(query string) string {
	n, inOrder := 0, true
	out := parameter.ReplaceAllStringFunc(query, func(p string) string {
		n++
		inOrder = inOrder && p == "$"+strconv.Itoa(n)
		return "?"
	})
	if !inOrder {
		return query
	}
	return out
}

// prepared is a statement on the reading pool or on the writing connection.
type prepared struct {
	*sql.Stmt
	forgets bool // it changes what is remembered (recall.go)
}

// stmt prepares a query once: on the reading pool, or on the writing
// connection. SQLite only; PostgreSQL's driver keeps a cache of its own.
func (q *Q) stmt(query string) (*prepared, error) {
	cache, prepare := &q.s.readStmts, q.s.read.PrepareContext
	if q.conn != nil {
		cache, prepare = &q.s.writeStmts, q.conn.PrepareContext
	}
	have, ok := cache.Load(query)
	if !ok {
		st, err := prepare(context.Background(), unnamed(query))
		if err != nil {
			return nil, err
		}
		made := &prepared{st, changesRecalled(query)}
		if have, ok = cache.LoadOrStore(query, made); ok {
			_ = made.Close() // another goroutine was first
		}
	}
	p := have.(*prepared)
	if p.forgets && q.conn != nil {
		q.s.recalled = nil
	}
	return p, nil
}
