//go:build unix

package fault

import "syscall"

const programRuns = syscall.ETXTBSY
