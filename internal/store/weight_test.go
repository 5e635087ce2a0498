package store

import (
	"testing"
	"time"
)

// TestTheServersOwnWorkIsNoCompany: each upload leaves the server work of its own. A user who uploads alone was held
// back by it to half a millisecond a batch.
func TestTheServersOwnWorkIsNoCompany(t *testing.T) {
	var w weights
	now := time.Now()
	w.add("user", time.Second, now)
	for range 3 {
		w.add(Behind, time.Millisecond, now)
	}
	if w.heavy("user", now) {
		t.Error("a user who writes much is held back, and nobody else writes but the server")
	}
	w.add("other", time.Millisecond, now)
	if !w.heavy("user", now) {
		t.Error("a user who writes much is not held back, and another writes, too")
	}
	if w.heavy("other", now) {
		t.Error("a user who writes little is held back")
	}
}
