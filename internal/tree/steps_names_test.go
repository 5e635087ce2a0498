package tree_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

func (m *machine) doRename(t *rapid.T) {
	c, from, to := m.client(t), m.spot(t, "from"), m.spot(t, "to")
	replace := rapid.Bool().Draw(t, "replace")
	err := c.s.Rename(m.where(from), m.where(to), replace)
	hits := m.l.met()
	ok := m.visible(from, c) && m.legible(from, c) && m.legible(to, c) && (replace || !m.visible(to, c))
	want(t, fmt.Sprintf("%v renames %v to %v", c, from, to), ok, err, hits)
	if err != nil || from == to {
		return
	}
	f, over := m.stored[from], m.stored[to]
	if f != nil {
		delete(m.stored, from)
		m.stored[to] = f
		if !from.final() && to.final() && !f.drop {
			f.drop = true
			m.drops++
		}
	}
	for _, u := range slices.Clone(m.uploads[to]) {
		if u.phase == growing {
			m.discard(u)
		}
	}
	for _, u := range slices.Clone(m.uploads[from]) {
		if u.phase != growing {
			continue
		}
		m.unlist(u)
		u.at = to
		if f == nil {
			u.over = over
		}
		m.uploads[to] = append(m.uploads[to], u)
	}
}

func (m *machine) doRenameDir(t *rapid.T) {
	c := m.client(t)
	from := m.dir("/upload/d")
	to := "/upload/other"
	if m.moved {
		to = "/upload/d"
	}
	err := c.s.Rename(from, to, false)
	want(t, "rename "+from, true, err, m.l.met())
	if err == nil {
		m.moved = !m.moved
	}
}

func (m *machine) doRemove(t *rapid.T) {
	c, k := m.client(t), m.spot(t, "name")
	err := c.s.Remove(m.where(k))
	hits := m.l.met()
	want(t, fmt.Sprintf("%v removes %v", c, k), m.visible(k, c) && m.legible(k, c), err, hits)
	if err != nil {
		return
	}
	delete(m.stored, k)
	for _, u := range slices.Clone(m.uploads[k]) {
		if u.phase == growing {
			m.discard(u)
		}
	}
}

// doSetSize is SETSTAT of a size by name: OPEN, truncate and CLOSE in one.
func (m *machine) doSetSize(t *rapid.T) {
	c, k := m.client(t), m.spot(t, "name")
	m.releaseAll()
	size := rapid.IntRange(0, 100).Draw(t, "size")
	n := int64(size)
	var err error
	m.l.looking(func() { // without faults: other steps try its parts with faults
		err = c.s.Setstat(m.where(k), exchange.Change{Size: &n})
		m.l.tree.WaitForSyncs()
	})
	hits := m.l.met()
	if !m.visible(k, c) || !m.legible(k, c) {
		want(t, "set size", false, err, hits)
		return
	}
	u := m.newest(k, c)
	if u == nil && len(m.stored[k].content) == size || u != nil &&
		(u.owner == c && u.size == size || u.owner != c && u.shown() == size) {
		want(t, "set size", true, err, hits)
		return
	}
	o := &opened{c: c}
	m.attach(o, k, false, true)
	u = o.img
	partial := u.dirty
	u.byName = !partial && u.refs == 1
	if u.broken {
		want(t, "set size", false, err, hits)
		m.letGo(u, hits)
		return
	}
	if u.size != size {
		m.truncated(t, o, size, nil, nil)
	}
	if partial || !o.changed {
		for _, other := range c.files {
			if other.img == u && other.epoch == u.epoch {
				other.changed = other.changed || o.changed
			}
		}
		want(t, "set size", true, err, hits)
		m.letGo(u, hits)
		return
	}
	m.committed(t, c, u, bytes.Clone(u.raw[:u.size]), err, hits)
}

// doOperator stores a file as the operator's API does.
func (m *machine) doOperator(t *rapid.T) {
	k := m.spot(t, "name")
	text := m.text(rapid.IntRange(0, 100).Draw(t, "length"))
	c := &client{s: m.l.loginWaiting("test", m.releaseAll)}
	var err error
	m.l.looking(func() {
		err = c.s.Store(m.where(k), bytes.NewReader(text))
		c.s.End()
	})
	want(t, "operator's store", true, err, m.l.met())
	o := &opened{c: c}
	m.attach(o, k, true, false)
	m.store(k, text, true)
	m.finish(o.img)
}

// doTime lets a week pass and expires partials, or sweeps, usually after some days.
func (m *machine) doTime(t *rapid.T) {
	if rapid.Bool().Draw(t, "a week") {
		m.releaseAll() // commits do not take as long as the sweep's grace period
		m.l.pass(8 * 24 * time.Hour)
		m.l.looking(m.l.tree.ExpirePartials)
		for _, k := range spots {
			m.dropPartials(k, nil)
		}
		return
	}
	if m.l.unsettled {
		t.Skip("a stage waits for the next start")
	}
	if len(m.held) > 0 && rapid.Bool().Draw(t, "at once") {
		want(t, "sweep", true, m.l.sweep(), m.l.met())
		return
	}
	if m.outlived() {
		t.Skip("a handle would go on from a version that nobody keeps any more")
	}
	m.releaseAll()
	for range 3 {
		m.l.pass(25 * time.Hour)
		want(t, "sweep", true, m.l.sweep(), m.l.met())
	}
}

// outlived reports whether an open handle shows a stored file that was replaced since. Its
// bytes are kept for a day; a later change through the handle fails.
func (m *machine) outlived() bool {
	for _, c := range m.clients {
		for _, o := range c.files {
			if u := o.img; u != nil && u.overlay && u.over != m.stored[u.at] {
				return true
			}
		}
	}
	return false
}

// doFault makes the next disk call of one kind fail, or the next transaction that calls a
// hook.
func (m *machine) doFault(t *rapid.T) {
	if !m.faulty {
		t.Skip("nothing fails")
	}
	op := rapid.SampledFrom([]blobtest.Op{blobtest.OpWriteAt, blobtest.OpCommit, blobtest.OpSync, blobtest.OpTruncate,
		blobtest.OpFill, blobtest.OpStage, blobtest.OpOpen, blobtest.OpReadAt, blobtest.OpSettle, blobtest.OpRevert,
		blobtest.OpDiscard, blobtest.OpRemove,
		blobtest.OpFree, blobtest.OpWalk,
		opHook}).Draw(t, "op")
	late := rapid.Bool().Draw(t, "late")
	if op != opHook {
		m.l.arm(op, blobtest.Fault{Fail: !late, Late: late})
		return
	}
	err := errRefused
	if late { // the outcome is unknown
		err = errors.Join(errRefused, store.ErrOutcomeUnknown)
	}
	m.l.refuse(err)
}

var errRefused = errors.New("the transaction is refused")
