// Package fair keeps parties from crowding each other out. It has queues that are served in turn
// (Turns), a limit on how many are admitted at a time (Gateway), a limit on how often something is
// done (Pacer), and shares of a processor that is short (Share).
package fair

import "slices"

// Turns is a queue for each party. The queues are served in turn, so that a long one does not delay
// other parties. It is not safe for concurrent use; its owner guards it.
type Turns[T any] struct {
	lines map[string][]T
	order []string // parties that have a queue, the next one first
}

// Add puts v at the end of its party's queue.
func (t *Turns[T]) Add(party string, v T) {
	if t.lines == nil {
		t.lines = map[string][]T{}
	}
	if _, ok := t.lines[party]; !ok {
		t.order = append(t.order, party)
	}
	t.lines[party] = append(t.lines[party], v)
}

// PutBack puts a list at the head of its party's queue, and makes that party the next.
func (t *Turns[T]) PutBack(party string, list []T) {
	if t.lines == nil {
		t.lines = map[string][]T{}
	}
	t.lines[party] = append(slices.Clip(list), t.lines[party]...)
	if i := slices.Index(t.order, party); i >= 0 {
		t.order = slices.Delete(t.order, i, i+1)
	}
	t.order = append([]string{party}, t.order...)
}

// Next removes and returns the head of the queue whose turn it is; ok is false if all are empty.
func (t *Turns[T]) Next() (v T, ok bool) {
	return t.NextOf(func(string) bool { return true })
}

// NextOf is Next among the parties for which may returns true.
func (t *Turns[T]) NextOf(may func(party string) bool) (v T, ok bool) {
	for i, party := range t.order {
		if !may(party) {
			continue
		}
		line := t.lines[party]
		v = line[0]
		t.order = slices.Delete(t.order, i, i+1)
		if len(line) == 1 {
			delete(t.lines, party)
		} else {
			t.lines[party] = line[1:]
			t.order = append(t.order, party)
		}
		return v, true
	}
	return v, false
}

// remove removes v from its party's queue; it returns false if v is not there.
func remove[T comparable](t *Turns[T], party string, v T) bool {
	i := slices.Index(t.lines[party], v)
	if i < 0 {
		return false
	}
	if len(t.lines[party]) > 1 {
		t.lines[party] = slices.Delete(slices.Clone(t.lines[party]), i, i+1)
		return true
	}
	delete(t.lines, party)
	t.order = slices.DeleteFunc(t.order, func(p string) bool { return p == party })
	return true
}
