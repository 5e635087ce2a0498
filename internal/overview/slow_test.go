//go:build !race

package overview_test

// slow is how much longer an answer may take than it should.
const slow = 1
