// Package store holds all SQL: the schema, its migrations, and one method for
// each question a service asks or fact it writes. The same text runs on SQLite
// and PostgreSQL; what must differ is in dialect.go.
//
// Reads go through Read, on a pool of connections. Every change goes through
// Write, which runs a function in a transaction. On SQLite one connection
// writes, and functions that wait together for it share a
// transaction and so a sync of the log (see batch.go); on PostgreSQL they
// commit in parallel. A function may be run more than once and must not keep
// what it learned from a run that failed.
//
// The store decides nothing: rights, quotas and states are the services'.
package store
