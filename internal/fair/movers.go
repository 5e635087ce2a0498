package fair

import "container/heap"

// movers is a heap of parties. A party is in one of them at most.
type movers struct {
	list    []*mover
	earlier func(a, b *mover) bool
}

func byTurn(a, b *mover) bool { return a.next < b.next }
func byTime(a, b *mover) bool { return a.until.Before(b.until) }

// add puts a party into its place, wherever it was.
func (h *movers) add(m *mover) {
	switch m.in {
	case h:
		heap.Fix((*heaped)(h), m.at)
		return
	case nil:
	default:
		m.in.remove(m)
	}
	m.in = h
	heap.Push((*heaped)(h), m)
}

// remove takes a party out.
func (h *movers) remove(m *mover) {
	heap.Remove((*heaped)(h), m.at)
	m.in = nil
}

// heaped implements heap.Interface.
type heaped movers

func (h *heaped) Len() int           { return len(h.list) }
func (h *heaped) Less(i, j int) bool { return h.earlier(h.list[i], h.list[j]) }
func (h *heaped) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].at, h.list[j].at = i, j
}
func (h *heaped) Push(m any) {
	m.(*mover).at = len(h.list)
	h.list = append(h.list, m.(*mover))
}
func (h *heaped) Pop() any {
	last := len(h.list) - 1
	m := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	return m
}
