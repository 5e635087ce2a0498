// Package store holds all SQL: the schema, its migrations, and one method for each question that a
// service asks or fact that it writes. The same text runs on SQLite and PostgreSQL; what must differ
// is in dialect.go.
//
// Reads go through Read, on a pool of connections. Every change goes through Write, which runs a
// function in a transaction. On SQLite one connection writes, and functions that wait for it share a
// transaction and so a sync of the log (batch.go). On PostgreSQL transactions commit in parallel. A
// function may be run more than once and must not keep state from a run that failed.
//
// The store makes no decisions: the services decide about rights, quotas and states.
package store
