package node

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTheContainersLimitCounts: the least on the way up, of both versions of control
// groups; "max" and what no machine has are none.
func TestTheContainersLimitCounts(t *testing.T) {
	for name, c := range map[string]struct {
		files  map[string]string
		groups string
		want   int64
	}{
		"none":            {nil, "0::/\n", 0},
		"no limit":        {map[string]string{"memory.max": "max\n"}, "0::/\n", 0},
		"a container":     {map[string]string{"memory.max": "536870912\n"}, "0::/\n", 512 << 20},
		"a unit":          {map[string]string{"system.slice/s.service/memory.max": "1073741824\n", "system.slice/memory.max": "max\n"}, "0::/system.slice/s.service\n", 1 << 30},
		"a tighter slice": {map[string]string{"a/b/memory.max": "1073741824\n", "a/memory.max": "1000000\n"}, "0::/a/b\n", 1000000},
		"version 1": {map[string]string{"memory/docker/x/memory.limit_in_bytes": "268435456\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"},
			"5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n", 256 << 20},
		"the host's path, seen from inside": {map[string]string{"memory.max": "1000\n"}, "0::/docker/0123\n", 1000},
		"garbage":                           {map[string]string{"memory.max": "lots"}, "what\n0:\n0::\n", 0},
	} {
		root := t.TempDir()
		for path, text := range c.files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := cgroupLimit(root, c.groups); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
