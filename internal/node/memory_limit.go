package node

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// memory is how many bytes there are for this process: the machine's, or what its
// container has. 0: it cannot be told.
func memory() int64 {
	var total int64
	var si syscall.Sysinfo_t
	if syscall.Sysinfo(&si) == nil {
		total = int64(si.Totalram) * int64(si.Unit)
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return total
	}
	if limit := cgroupLimit("/sys/fs/cgroup", string(groups)); limit > 0 && (total == 0 || limit < total) {
		return limit
	}
	return total
}

// cgroupLimit is the least memory limit of the control groups that a process is in
// (/proc/self/cgroup), and of those above them; 0: none. Version 2 has one line,
// "0::/path"; of version 1 the line of the memory controller counts.
func cgroupLimit(root, groups string) (least int64) {
	for line := range strings.Lines(groups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		base, file := root, "memory.max"
		if fields[1] != "" {
			if !strings.Contains(","+fields[1]+",", ",memory,") {
				continue
			}
			base, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		}
		for path := filepath.Clean("/" + fields[2]); ; path = filepath.Dir(path) {
			// Inside a container the path may be that of the host: what is there is looked at.
			if n := limitIn(filepath.Join(base, path, file)); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if path == "/" {
				break
			}
		}
	}
	return least
}

// limitIn reads a limit; 0: there is none. Version 1 writes none as a number that no
// machine has.
func limitIn(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= 1<<60 {
		return 0 // "max"
	}
	return n
}

// limitMemory has the collector work harder before half of the memory is used, unless
// the environment says otherwise. It returns how much there is.
func limitMemory() int64 {
	total := memory()
	if os.Getenv("GOMEMLIMIT") == "" && total > 0 {
		debug.SetMemoryLimit(total / 2)
	}
	return total
}
