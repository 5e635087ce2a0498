package memory

import (
	"runtime/debug"
	"syscall"
	"testing"
)

func TestTheCollectorMayUseHalfOfTheMemoryUnlessTheEnvironmentSaysOtherwise(t *testing.T) {
	var machine syscall.Sysinfo_t
	if err := syscall.Sysinfo(&machine); err != nil {
		t.Fatal(err)
	}
	const before = 1 << 40
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(before))
	t.Setenv("GOMEMLIMIT", "1TiB")
	total := Limit()
	if most := int64(machine.Totalram) * int64(machine.Unit); total <= 0 || total > most {
		t.Errorf("there are %d bytes, of the machine's %d", total, most)
	}
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("the limit is %d, and the environment said %d", got, before)
	}
	t.Setenv("GOMEMLIMIT", "")
	Limit()
	if got := debug.SetMemoryLimit(-1); got != total/2 {
		t.Errorf("the limit is %d, not half of %d", got, total)
	}
}
