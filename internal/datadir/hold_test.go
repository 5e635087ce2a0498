package datadir

import (
	"errors"
	"testing"
)

// TestOneHoldAtATime: until it is released.
func TestOneHoldAtATime(t *testing.T) {
	dir := t.TempDir()
	release, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(dir); !errors.Is(err, ErrHeld) {
		t.Fatalf("a second hold: %v", err)
	}
	release()
	if release, err = Hold(dir); err != nil {
		t.Fatal(err)
	}
	release()
}
