// Package fair keeps parties from crowding each other out: lines that are served in
// turn (Turns), a gateway that lets few in at a time (Gateway), a pace for those who do
// something too often (Pacer), and parts of a processor that is short (Share).
package fair

import "slices"

// Turns is a line for each party that waits. The lines are served in turn, so
// that a long one delays nobody else. Its owner guards it.
type Turns[T any] struct {
	lines map[string][]T
	order []string // parties with somebody in line, whose turn is next first
}

// Add puts v at the end of its party's line.
func (t *Turns[T]) Add(party string, v T) {
	if t.lines == nil {
		t.lines = map[string][]T{}
	}
	if _, ok := t.lines[party]; !ok {
		t.order = append(t.order, party)
	}
	t.lines[party] = append(t.lines[party], v)
}

// PutBack puts several at the head of their party's line, and makes that the next.
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

// Next takes the head of the line whose turn it is.
func (t *Turns[T]) Next() (v T, ok bool) {
	return t.NextOf(func(string) bool { return true })
}

// NextOf is Next among the parties that may.
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

// remove takes v out of its party's line; false says that it is in none.
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
