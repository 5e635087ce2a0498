package tree_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/tree"
)

// The model says what names must show after every step, in the plainest way:
// bytes are slices, and nothing is shared, cached or hashed.

// spot is a name in one of the lab's directories, wherever that was moved.
type spot struct{ dir, name string }

func (k spot) final() bool { return k.dir != "/stage" && !strings.HasSuffix(k.name, ".part") }

// version is what a name shows to everybody.
type version struct {
	content []byte
	drop    bool   // the inbox has it
	id      string // once it was seen in the database
}

// phase is where an upload is in its life.
type phase int

const (
	growing phase = iota
	closing       // its CLOSE is held
	done
	gone
)

// upload is the bytes of a name that are not stored yet.
type upload struct {
	at      spot
	owner   *client // nil: a partial
	phase   phase
	epoch   int
	refs    int
	dirty   bool     // it answers for its name
	behind  bool     // a version was stored since it began
	resumed bool     // it was a partial, or another session's
	begun   int      // in which order
	over    *version // what the name showed when it began
	change  bool     // it began as the stored file
	byName  bool     // it stands for a change of a stored file by name

	raw     []byte // what the stage has, or the stored file that it overlays
	size    int    // of it, that counts
	overlay bool   // nothing was changed yet
	ahead   bool   // one byte more is kept than counts
	spans   exchange.Spans
	fresh   bool // it has bytes that no sync covers
	note    *noted
	damaged bool // a write failed
	broken  bool // the stored file could not be copied
	lost    bool // a sync failed
}

// noted is what the last sync made durable.
type noted struct {
	size int
	at   spot
	over *version

	change bool
}

const manySpans = 1024

func (u *upload) shown() int { return min(u.size, int(u.spans.Prefix())) }

// grow makes bytes present, as zeros.
func grow(b []byte, size int) []byte {
	if size <= len(b) {
		return b
	}
	return append(b, make([]byte, size-len(b))...)
}

// trim cuts what does not count; false says that the disk refused.
func (u *upload) trim(refused *bool) bool {
	want := u.size
	if u.ahead {
		want++
	}
	if len(u.raw) <= want {
		return true
	}
	if *refused {
		*refused = false
		return false
	}
	u.raw = u.raw[:want]
	return true
}

// write is a WRITE of which the disk takes n bytes of p.
func (u *upload) write(p []byte, at, n int, refused bool) {
	if !u.trim(&refused) {
		u.damaged = true
		return
	}
	if u.ahead && (at > u.size || at+len(p) <= u.size) {
		u.ahead = false
		if !u.trim(&refused) {
			u.damaged = true
			return
		}
	}
	u.damaged = u.damaged || n < len(p)
	if n == 0 {
		return
	}
	u.raw = grow(u.raw, at+n)
	copy(u.raw[at:], p[:n])
	u.spans = u.spans.Add(int64(at), int64(at+n), manySpans)
	u.size = max(u.size, at+n)
	u.ahead = u.ahead && u.size < len(u.raw)
	u.fresh = true
}

// truncate sets the size, unless the disk refuses.
func (u *upload) truncate(size int, refused bool) bool {
	u.ahead = false
	if !u.trim(&refused) || refused {
		return false
	}
	u.raw = grow(u.raw[:min(size, len(u.raw))], size)
	u.size, u.spans = size, u.spans.Cut(int64(size))
	return true
}

// client is a session with its open files.
type client struct {
	s       *tree.Session
	n       int
	files   []*opened // for writing
	readers []*opened
}

func (c *client) String() string { return fmt.Sprintf("session %d", c.n) }

// opened is a handle.
type opened struct {
	c       *client
	h       *tree.Handle
	img     *upload
	epoch   int
	changed bool   // it has something to commit
	bad     bool   // a change that was sent was refused
	adds    bool   // it appends
	content []byte // of a reader
}

// held is a CLOSE in whose middle others act.
type held struct {
	c        *client
	img      *upload
	content  []byte
	row      bool // the database has it
	release  func()
	outcome  chan error
	followed []chan error // of other handles whose bytes went along
	over     *version
}

// newest is the upload that answers for a name in a session.
func (m *machine) newest(k spot, c *client) *upload {
	list := m.uploads[k]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].dirty && (!list[i].behind || list[i].owner == c) {
			return list[i]
		}
	}
	return nil
}

func (m *machine) own(k spot, c *client) *upload {
	for _, u := range m.uploads[k] {
		if u.owner == c && u.phase == growing {
			return u
		}
	}
	return nil
}

// legible is whether a session may look at what a name shows: a change of its
// own for which the stored file could not be copied hides it.
func (m *machine) legible(k spot, c *client) bool {
	u := m.newest(k, c)
	return u == nil || u.owner != c || !u.broken
}

func (m *machine) visible(k spot, c *client) bool {
	return m.stored[k] != nil || m.newest(k, c) != nil
}

// attach gives a handle the upload that it works on.
func (m *machine) attach(o *opened, k spot, fresh, resume bool) {
	u := m.own(k, o.c)
	if n := m.newest(k, o.c); resume && n != nil {
		u = n
		if u.owner != o.c {
			u.owner, u.resumed, u.epoch = o.c, true, u.epoch+1
		}
	}
	if u == nil {
		m.begun++
		u = &upload{at: k, owner: o.c, over: m.stored[k], begun: m.begun}
		if old := m.stored[k]; old != nil && !fresh {
			u.overlay, u.change, u.raw, u.size = true, true, bytes.Clone(old.content), len(old.content)
			u.spans = u.spans.Add(0, int64(u.size), manySpans)
		}
		m.uploads[k] = append(m.uploads[k], u)
	}
	if fresh {
		u.raw, u.size, u.spans, u.ahead, u.overlay, u.change = nil, 0, nil, false, false, false
		u.dirty, u.resumed, u.damaged, u.broken = true, false, false, false
		m.dropPartials(k, u)
	}
	u.refs++
	o.img, o.epoch, o.changed = u, u.epoch, fresh
}

// current is whether a handle's upload is still its own.
func (m *machine) current(o *opened) bool {
	u := o.img
	switch {
	case u.phase == gone, u.epoch != o.epoch:
		return false
	case u.phase == done:
		o.changed = false
		u.refs--
		if m.stored[u.at] == nil {
			o.img = &upload{phase: gone, refs: 1}
			return false
		}
		m.attach(o, u.at, false, false)
	}
	return true
}

func (m *machine) dropPartials(k spot, except *upload) {
	for _, u := range slices.Clone(m.uploads[k]) {
		if u != except && u.owner == nil && u.phase == growing && u.refs == 0 {
			m.discard(u)
		}
	}
}

func (m *machine) discard(u *upload) {
	u.phase, u.epoch = gone, u.epoch+1
	m.unlist(u)
}

func (m *machine) unlist(u *upload) {
	m.uploads[u.at] = slices.DeleteFunc(m.uploads[u.at], func(have *upload) bool { return have == u })
	if len(m.uploads[u.at]) == 0 {
		delete(m.uploads, u.at)
	}
}

// letGo is the end of a handle that commits nothing.
func (m *machine) letGo(u *upload, hits []hit) {
	u.refs--
	switch {
	case u.refs > 0 || u.phase != growing:
	case !u.dirty:
		m.discard(u)
	case u.owner != nil:
		m.orphan(u, hits)
	}
}

// orphan makes an upload that nobody has open a partial: what is contiguous, less
// one byte, which stays in the stage.
func (m *machine) orphan(u *upload, hits []hit) {
	u.owner, u.resumed, u.epoch = nil, true, u.epoch+1
	n := u.shown()
	if n > 0 && !whole(u.change, u.over, n) && !(u.ahead && n == u.size) {
		n, u.ahead = n-1, true
	}
	u.size, u.spans, u.damaged = n, u.spans.Cut(int64(n)), false
	if n == 0 || u.behind {
		m.discard(u)
		return
	}
	if _, lost := m.syncing(u, hits); lost { // its bytes can never be stored
		m.discard(u)
	}
}

// sync is what a sync of an upload makes durable, and whether it must succeed.
func (m *machine) sync(u *upload, hits []hit) bool {
	ok, _ := m.syncing(u, hits)
	return ok
}

// syncing is sync; lost: the stage says that it may have lost bytes.
func (m *machine) syncing(u *upload, hits []hit) (ok, lost bool) {
	if u.phase != growing || !u.dirty {
		return true, false
	}
	refused := among(hits, blobtest.OpTruncate)
	if !u.trim(&refused) {
		return false, false
	}
	if among(hits, blobtest.OpReadAt) {
		return false, false
	}
	n := u.shown()
	if u.ahead && n == u.size {
		n++
	}
	u.fresh = false
	if among(hits, blobtest.OpSync) && !late(hits, blobtest.OpSync) {
		return false, false
	}
	if u.lost {
		return false, true
	}
	u.note = &noted{size: n, at: u.at, over: u.over, change: u.change}
	u.lost = late(hits, blobtest.OpSync)
	return !u.lost, u.lost
}

func among(hits []hit, ops ...blobtest.Op) bool {
	return slices.ContainsFunc(hits, func(h hit) bool { return slices.Contains(ops, h.op) })
}

func without(hits []hit, ops ...blobtest.Op) []hit {
	return slices.DeleteFunc(slices.Clone(hits), func(h hit) bool { return slices.Contains(ops, h.op) })
}

func late(hits []hit, op blobtest.Op) bool { return slices.Contains(hits, hit{op, true}) }

// outrun reports whether a commit must fail since the name shows what an older
// upload must not replace.
func (m *machine) outrun(u *upload) bool {
	old := m.stored[u.at]
	return u.resumed && old != nil && old != u.over
}

// store is a commit's transaction.
func (m *machine) store(at spot, content []byte, operator bool) {
	drop := at.final() && !operator
	if drop {
		m.drops++
	}
	m.stored[at] = &version{content: content, drop: drop}
}

// finish is what follows the transaction of a commit.
func (m *machine) finish(u *upload) {
	u.phase = done
	u.refs--
	m.unlist(u)
	m.dropPartials(u.at, u)
	for _, other := range m.uploads[u.at] {
		other.behind = true
	}
}

// whole reports whether an upload is a stored file that was changed within its
// length, and keeps its last byte.
func whole(change bool, over *version, size int) bool {
	return change && over != nil && size <= len(over.content)
}

// leftover is the partial that the next process finds of an upload, if any: what
// its note speaks of, as far as it is there.
func (u *upload) leftover() *upload {
	if u.note == nil || u.overlay || min(u.note.size, len(u.raw)) == 0 {
		return nil
	}
	n := min(u.note.size, len(u.raw))
	p := &upload{at: u.note.at, dirty: true, resumed: true, over: u.note.over, change: u.note.change, raw: u.raw[:n],
		size: n, note: u.note}
	if !whole(p.change, p.over, n) {
		p.size, p.ahead = n-1, true
	}
	p.spans = exchange.Spans(nil).Add(0, int64(p.size), manySpans)
	return p
}
