// Package fault defines errors that can be shown: a kind, which every protocol maps to its own
// code, one sentence for the person who asked, and the next step.
package fault
