//go:build !unix

package fault

import "errors"

// programRuns is reported by Unix alone.
var programRuns = errors.New("text file busy")
