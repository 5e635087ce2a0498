package memory

import "testing"

func TestGarbageIsCollectedOnceTheServerIsCalm(t *testing.T) {
	c := calm{}
	used := uint64(0)
	for second, use := range []uint64{calmWaste, calmRate, 0, 0, 0, 0} {
		if used += use; c.after(used, false) {
			t.Fatalf("collected in second %d, and the server was calm for %d", second, c.seconds)
		}
	}
	if !c.after(used, false) {
		t.Fatalf("not collected after %d calm seconds", c.seconds)
	}
	for range 3 * calmFor {
		if c.after(used, false) {
			t.Fatal("collected twice, and nothing was used between")
		}
	}
	if used += calmWaste; c.after(used, false) {
		t.Fatal("collected while the server works")
	}
	for range 2 * calmFor { // what was moved lately counts, too
		if c.after(used, true) {
			t.Fatal("collected while much data moves")
		}
	}
	for range calmFor - 1 {
		c.after(used, false)
	}
	if !c.after(used, false) {
		t.Error("not collected once the server was calm again")
	}
	if allocated() == 0 {
		t.Error("nothing was allocated so far")
	}
}
