// Package fault is how errors are told: a kind, which every protocol maps to its own
// code, one sentence that the person who asked may read, and the next step.
package fault
