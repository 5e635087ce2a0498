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

// The model computes what names must show after every step. It is as simple as possible:
// contents are byte slices, and nothing is shared, cached or hashed.

// spot is a name in one of the lab's directories. dir is the directory's first path, even
// after a rename.
type spot struct{ dir, name string }

func (k spot) final() bool { return k.dir != "/stage" && !strings.HasSuffix(k.name, ".part") }

// version is the stored content of a name, which all sessions see.
type version struct {
	content []byte
	drop    bool   // the inbox has it
	id      string // set when the row was first read
}

// phase is the stage of an upload's life cycle.
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
	dirty   bool     // it was changed, so it is visible under its name
	behind  bool     // a version was stored since it began
	resumed bool     // it was a partial, or another session's
	begun   int      // sequence number
	over    *version // what the name showed when it began
	change  bool     // it began as an overlay of the stored file
	byName  bool     // it belongs to a change of a stored file by name

	raw     []byte // content of the stage, or of the stored file that it overlays
	size    int    // logical size
	overlay bool   // nothing was changed yet
	ahead   bool   // raw has one byte more than size
	spans   exchange.Spans
	fresh   bool // it has bytes that no sync covers
	note    *noted
	damaged bool // a write failed
	broken  bool // the stored file could not be copied
	lost    bool // a sync failed
}

// noted is the state that the last sync made durable.
type noted struct {
	size int
	at   spot
	over *version

	change bool
}

const manySpans = 1024

func (u *upload) shown() int { return min(u.size, int(u.spans.Prefix())) }

// grow extends b to size with zeros.
func grow(b []byte, size int) []byte {
	if size <= len(b) {
		return b
	}
	return append(b, make([]byte, size-len(b))...)
}

// trim cuts raw to the logical size; false says that the disk refused.
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

// write applies a WRITE of p of which the disk accepts n bytes.
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

// truncate sets the size. It returns false if the disk refuses.
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
	bad     bool   // a change was refused
	adds    bool   // it appends
	content []byte // if open for reading, what it must show
}

// held is a CLOSE that is stopped in the middle, so that other steps happen meanwhile.
type held struct {
	c        *client
	img      *upload
	content  []byte
	row      bool // the rows are written
	release  func()
	outcome  chan error
	followed []chan error // outcomes of other handles on the same upload
	over     *version
}

// newest returns the upload that a session sees under a name, or nil.
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

// legible reports whether a session can read what a name shows. It cannot if its own change
// failed because the stored file could not be copied.
func (m *machine) legible(k spot, c *client) bool {
	u := m.newest(k, c)
	return u == nil || u.owner != c || !u.broken
}

func (m *machine) visible(k spot, c *client) bool {
	return m.stored[k] != nil || m.newest(k, c) != nil
}

// attach finds or makes the upload that a handle works on.
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

// current reports whether a handle may still use its upload.
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

// letGo ends a handle that commits nothing.
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

// orphan turns an upload without handles into a partial: the contiguous prefix less one
// byte, which stays in the stage.
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
	if _, lost := m.syncing(u, hits); lost { // its bytes cannot be stored any more
		m.discard(u)
	}
}

// sync applies a sync of an upload, and reports whether it must succeed.
func (m *machine) sync(u *upload, hits []hit) bool {
	ok, _ := m.syncing(u, hits)
	return ok
}

// syncing is sync; lost says that the stage may have lost bytes.
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

// outrun reports whether a commit must fail because the name shows a version that is newer
// than the upload.
func (m *machine) outrun(u *upload) bool {
	old := m.stored[u.at]
	return u.resumed && old != nil && old != u.over
}

// store applies a commit's transaction.
func (m *machine) store(at spot, content []byte, operator bool) {
	drop := at.final() && !operator
	if drop {
		m.drops++
	}
	m.stored[at] = &version{content: content, drop: drop}
}

// finish applies the effects that follow a commit's transaction.
func (m *machine) finish(u *upload) {
	u.phase = done
	u.refs--
	m.unlist(u)
	m.dropPartials(u.at, u)
	for _, other := range m.uploads[u.at] {
		other.behind = true
	}
}

// whole reports whether an upload is a changed stored file that did not grow. Such a partial
// keeps its last byte.
func whole(change bool, over *version, size int) bool {
	return change && over != nil && size <= len(over.content)
}

// leftover returns the partial that the next process makes of an upload, or nil: the bytes
// that its note covers, as far as they exist.
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
