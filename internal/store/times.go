package store

import (
	"fmt"
	"time"
)

// Columns store a time as microseconds since 1970, UTC. Only the store sees this form: the functions
// below make arguments of statements, and the types scan columns.
//
// A column for an optional time has NULL for none, or 0 if it cannot be NULL. In a struct of the
// store, no time is the zero time.

// micros is a time as an argument, rounded down to microseconds.
func micros(t time.Time) int64 { return t.UnixMicro() }

// microsOrZero is a time as an argument; the zero time is 0.
func microsOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

// microsOrNull is a time as an argument; the zero time, and 1970 itself, are NULL.
func microsOrNull(t time.Time) any { return null(microsOrZero(t)) }

// timeNull is a time as an argument; nil is NULL.
func timeNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return micros(*t)
}

// fromMicros is a stored time.
func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// stamp scans a time; NULL is the zero time.
type stamp struct{ to *time.Time }

// Scan implements sql.Scanner.
func (s stamp) Scan(v any) error {
	us, there, err := scanned(v)
	*s.to = time.Time{}
	if there {
		*s.to = fromMicros(us)
	}
	return err
}

// stampOrZero scans a time; NULL and 0 are the zero time.
type stampOrZero struct{ to *time.Time }

// Scan implements sql.Scanner.
func (s stampOrZero) Scan(v any) error {
	us, _, err := scanned(v)
	*s.to = time.Time{}
	if us != 0 {
		*s.to = fromMicros(us)
	}
	return err
}

// stampPtr scans a time; NULL is nil.
type stampPtr struct{ to **time.Time }

// Scan implements sql.Scanner.
func (s stampPtr) Scan(v any) error {
	us, there, err := scanned(v)
	*s.to = nil
	if there {
		t := fromMicros(us)
		*s.to = &t
	}
	return err
}

// scanned converts what a driver read from a time column; there is false for NULL.
func scanned(v any) (us int64, there bool, err error) {
	switch v := v.(type) {
	case nil:
		return 0, false, nil
	case int64:
		return v, true, nil
	}
	return 0, false, fmt.Errorf("a stored time is %T, and not a number", v)
}
