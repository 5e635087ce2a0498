package fair_test

import (
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
)

// TestAPacerSlowsAndNeverRefuses: an hour's worth is allowed at once, then the hourly rate. Unused
// tokens do not add up beyond an hour's worth.
func TestAPacerSlowsAndNeverRefuses(t *testing.T) {
	var b fair.Pacer
	now := time.Now()
	for i := range 3600 {
		if wait, _ := b.Wait("acme", 3600, time.Minute, now); wait != 0 {
			t.Fatalf("change %d waits for %v", i, wait)
		}
	}
	for i := 1; i <= 5; i++ { // five at once wait for 1 s, 2 s and so on
		wait, tell := b.Wait("acme", 3600, time.Minute, now)
		if wait.Round(time.Millisecond) != time.Duration(i)*time.Second || tell != (i == 1) {
			t.Fatalf("change %d past the budget waits for %v (told: %v)", i, wait, tell)
		}
	}
	for range 1000 {
		if wait, _ := b.Wait("crowd", 1, time.Minute, now); wait > time.Minute {
			t.Fatalf("a crowd waits for %v", wait)
		}
	}
	if wait, _ := b.Wait("beta", 3600, time.Minute, now); wait != 0 {
		t.Fatal("another user waits")
	}
	now = now.Add(10 * time.Second)
	if wait, _ := b.Wait("acme", 3600, time.Minute, now); wait != 0 {
		t.Fatalf("after ten seconds one waits for %v", wait)
	}
	now = now.Add(100 * time.Hour)
	for range 3600 {
		_, _ = b.Wait("acme", 3600, time.Minute, now)
	}
	if wait, tell := b.Wait("acme", 3600, time.Minute, now); wait == 0 || !tell {
		t.Fatal("what was not used for days adds up")
	}
}
