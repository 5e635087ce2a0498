package memory

import "testing"

func TestGarbageIsCollectedOnceTheServerIsCalm(t *testing.T) {
	c := calm{}
	used := uint64(0)
	for second, use := range []uint64{calmWaste, calmRate, 0, 0, 0, 0} {
		if used += use; c.after(used) {
			t.Fatalf("collected in second %d, and the server was calm for %d", second, c.seconds)
		}
	}
	if !c.after(used) {
		t.Fatalf("not collected after %d calm seconds", c.seconds)
	}
	for range 3 * calmFor {
		if c.after(used) {
			t.Fatal("collected twice, and nothing was used between")
		}
	}
	if used += calmWaste; c.after(used) {
		t.Fatal("collected while the server works")
	}
	if allocated() == 0 {
		t.Error("nothing was allocated so far")
	}
}
