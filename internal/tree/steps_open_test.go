package tree_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

var openFlags = []exchange.OpenFlags{create, update, exchange.FlagWrite | exchange.FlagCreate,
	exchange.FlagWrite | exchange.FlagAppend | exchange.FlagCreate, create | exchange.FlagExclusive,
	exchange.FlagWrite | exchange.FlagTruncate}

func (m *machine) doOpen(t *rapid.T) {
	m.open(t, m.client(t), m.spot(t, "name"), rapid.SampledFrom(openFlags).Draw(t, "flags"))
}

// doResume opens the name of an unfinished upload for writing.
func (m *machine) doResume(t *rapid.T) {
	var begun []spot
	for _, k := range m.spots {
		if len(m.uploads[k]) > 0 {
			begun = append(begun, k)
		}
	}
	if len(begun) == 0 {
		t.Skip("nothing is begun")
	}
	m.open(t, m.client(t), rapid.SampledFrom(begun).Draw(t, "name"), exchange.FlagWrite|exchange.FlagCreate)
}

func (m *machine) open(t *rapid.T, c *client, k spot, flags exchange.OpenFlags) {
	if len(c.files) == 3 {
		t.Skip("enough are open")
	}
	h, err := c.s.Open(m.where(k), flags, 0)
	hits := m.l.met()
	exists := m.visible(k, c)
	ok := flags&exchange.FlagCreate != 0 && (!exists || flags&exchange.FlagExclusive == 0) || exists &&
		flags&exchange.FlagExclusive == 0
	want(t, fmt.Sprintf("%v opens %s %x", c, m.where(k), flags), ok, err, hits)
	if err != nil {
		return
	}
	o := &opened{c: c, h: h, adds: flags&exchange.FlagAppend != 0}
	fresh := !exists || flags&exchange.FlagTruncate != 0
	m.attach(o, k, fresh, !fresh)
	c.files = append(c.files, o)
}

// doRead opens a name for reading, reads what is open, or closes it.
func (m *machine) doRead(t *rapid.T) {
	c := m.client(t)
	if len(c.readers) < 2 && rapid.Bool().Draw(t, "one more") {
		m.openRead(t, c)
		return
	}
	if len(c.readers) == 0 {
		t.Skip("nothing is read")
	}
	i := rapid.IntRange(0, len(c.readers)-1).Draw(t, "reader")
	o := c.readers[i]
	if rapid.Bool().Draw(t, "to the end") {
		c.readers = slices.Delete(c.readers, i, i+1)
		want(t, fmt.Sprintf("%v closes a reader", c), true, closeHandle(o.h), nil)
		if o.img != nil {
			m.letGo(o.img, m.l.met())
		}
		return
	}
	err := o.h.Ready()
	hits, u := m.l.met(), o.img
	if u != nil {
		want(t, fmt.Sprintf("%v reads an upload", c), u.phase != gone && u.epoch == o.epoch && !u.broken, err, hits)
		if err != nil {
			return
		}
		o.content = u.raw[:u.size]
	}
	got := make([]byte, len(o.content)+10)
	n, err := o.h.ReadAt(got, 0)
	want(t, fmt.Sprintf("%v reads %d bytes", c, len(o.content)), len(o.content) > 0, err, m.l.met())
	if err == nil && !bytes.Equal(got[:n], o.content) {
		t.Fatalf("it read %d bytes %.20x, want %d %.20x", n, got[:n], len(o.content), o.content)
	}
}

func (m *machine) openRead(t *rapid.T, c *client) {
	k := m.spot(t, "name")
	h, err := c.s.Open(m.where(k), exchange.FlagRead, 0)
	want(t, fmt.Sprintf("%v opens %s to read", c, m.where(k)), m.visible(k, c), err, m.l.met())
	if err != nil {
		return
	}
	o := &opened{c: c, h: h}
	if u := m.newest(k, c); u != nil {
		o.img, o.epoch = u, u.epoch
		u.refs++
	} else {
		o.content = m.stored[k].content
	}
	c.readers = append(c.readers, o)
}

// text returns n bytes that differ from those of every other write.
func (m *machine) text(n int) []byte {
	m.writes++
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.writes*31 + i)
	}
	return b
}

func (m *machine) doWrite(t *rapid.T) {
	o := m.file(t)
	u := o.img
	at := u.size
	switch rapid.IntRange(0, 3).Draw(t, "where") {
	case 2:
		at = rapid.IntRange(0, u.size).Draw(t, "at")
	case 3: // leaves a hole
		at += rapid.IntRange(1, 20).Draw(t, "hole")
	}
	p := m.text(rapid.IntRange(0, 40).Draw(t, "length"))
	if at < u.size && rapid.IntRange(0, 4).Draw(t, "again") == 0 { // repeat bytes, as a resumed upload does
		p = bytes.Clone(u.raw[at:min(u.size, len(u.raw), at+len(p))])
	}
	err := write(o.h, string(p), int64(at))
	m.wrote(t, o, p, at, err, m.l.met())
}

// wrote checks the outcome of a WRITE and applies it to the model.
func (m *machine) wrote(t *rapid.T, o *opened, p []byte, at int, err error, hits []hit) {
	ok := m.current(o)
	u := o.img
	want(t, fmt.Sprintf("%v writes %d at %d of %v", o.c, len(p), at, u.at), ok && !u.broken, err, hits)
	switch {
	case !ok:
		return
	case u.broken:
		o.bad, u.damaged = true, true
		return
	case len(p) == 0 && err == nil:
		return
	case among(hits, blobtest.OpFree), u.overlay && among(hits, blobtest.OpStage): // refused before anything was changed
		o.bad, u.damaged = true, true
		return
	}
	if o.adds {
		at = u.size
	}
	o.changed, u.dirty = true, true
	if u.overlay {
		u.overlay = false
		if among(hits, blobtest.OpOpen, blobtest.OpFill) {
			u.broken, u.spans = true, nil
			return
		}
		u.fresh = u.fresh || u.size > 0
	}
	n := len(p)
	switch {
	case late(hits, blobtest.OpWriteAt):
		n /= 2
	case among(hits, blobtest.OpWriteAt):
		n = 0
	}
	u.write(p, at, n, among(hits, blobtest.OpTruncate))
}

func (m *machine) doTruncate(t *rapid.T) {
	o := m.file(t)
	size := rapid.IntRange(0, o.img.size+10).Draw(t, "size")
	err := wait(func(done func(error)) { o.h.Truncate(int64(size), done) })
	m.truncated(t, o, size, err, m.l.met())
}

func (m *machine) truncated(t *rapid.T, o *opened, size int, err error, hits []hit) {
	ok := m.current(o)
	u := o.img
	want(t, fmt.Sprintf("%v truncates %v to %d", o.c, u.at, size), ok && !u.broken, err, hits)
	switch {
	case !ok || err == nil && size == u.size:
		return
	case u.broken, among(hits, blobtest.OpFree), u.overlay && among(hits, blobtest.OpStage):
		o.bad = true
		return
	}
	o.changed, u.dirty = true, true
	if u.overlay {
		u.overlay = false
		if among(hits, blobtest.OpOpen, blobtest.OpFill) {
			u.broken, u.spans = true, nil
			return
		}
		keep := min(u.size, size)
		u.raw, u.size, u.spans = u.raw[:keep], keep, u.spans.Cut(int64(keep))
		u.fresh = u.fresh || keep > 0
		if keep == size {
			return
		}
	}
	u.truncate(size, among(hits, blobtest.OpTruncate))
}

func (m *machine) doSync(t *rapid.T) {
	o := m.file(t)
	err := wait(o.h.Sync)
	m.synced(t, o, err, m.l.met())
}

// synced checks the outcome of an fsync and applies it to the model.
func (m *machine) synced(t *rapid.T, o *opened, err error, hits []hit) {
	ok := m.current(o)
	if ok && !o.img.broken {
		ok = o.img.overlay || m.sync(o.img, hits)
	} else {
		ok = false
	}
	want(t, fmt.Sprintf("%v syncs %v", o.c, o.img.at), ok, err, hits)
}

// doSlowSync writes while a sync is under way. The sync does not cover the write.
func (m *machine) doSlowSync(t *rapid.T) {
	o := m.file(t)
	m.releaseAll()
	p := m.text(rapid.IntRange(1, 40).Draw(t, "length"))
	reached, release, outcome := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	stop := func() { close(reached); <-release }
	f := blobtest.Fault{Before: stop}
	if rapid.Bool().Draw(t, "late") {
		f = blobtest.Fault{After: stop}
	}
	m.l.arm(blobtest.OpSync, f)
	o.h.Sync(func(err error) { outcome <- err })
	select {
	case err := <-outcome:
		m.l.disarm(blobtest.OpSync)
		m.synced(t, o, err, m.l.met())
		return
	case <-reached:
	}
	hits := m.l.met()
	at := o.img.size
	err := write(o.h, string(p), int64(at))
	written := m.l.met()
	close(release)
	m.synced(t, o, <-outcome, hits)
	m.wrote(t, o, p, at, err, written)
}

// doMove moves small files out of the database.
func (m *machine) doMove(t *rapid.T) {
	m.l.pass(time.Second)
	m.l.looking(func() {
		if _, err := m.l.small.Move(context.Background()); err != nil {
			t.Fatalf("moving: %v", err)
		}
	})
}

// doSyncAll does the janitor's syncs.
func (m *machine) doSyncAll(t *rapid.T) {
	m.l.pass(10 * time.Second)
	var due []*upload
	for _, k := range slices.SortedFunc(maps.Keys(m.uploads), compareSpots) {
		for _, u := range m.uploads[k] {
			if u.phase == growing && u.fresh && !u.overlay {
				due = append(due, u)
			}
		}
	}
	if len(due) > 1 { // it is not known which upload a fault would affect
		m.l.looking(m.l.tree.SyncLong)
	} else {
		m.l.tree.SyncLong()
	}
	hits := m.l.met()
	for _, u := range due {
		m.sync(u, hits)
	}
}
