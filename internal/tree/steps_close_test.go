package tree_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
)

// forget removes a handle from its session's list.
func (o *opened) forget() {
	o.c.files = slices.DeleteFunc(o.c.files, func(have *opened) bool { return have == o })
}

func (m *machine) doClose(t *rapid.T) {
	o := m.file(t)
	if o.img.phase == closing {
		m.follow(o)
		return
	}
	err := closeHandle(o.h)
	m.closed(t, o, err, m.l.met())
}

// follow closes a handle whose upload is being committed by another handle's CLOSE.
func (m *machine) follow(o *opened) {
	for _, h := range m.held {
		if h.img == o.img && o.changed && o.epoch == o.img.epoch && !o.img.broken {
			outcome := make(chan error, 1)
			o.h.Close(func(err error) { outcome <- err })
			h.followed = append(h.followed, outcome)
			o.img.refs--
			o.forget()
			return
		}
	}
	m.releaseAll()
}

// commits reports whether a CLOSE of the handle commits.
func (o *opened) commits() bool {
	return o.changed && !o.img.broken && o.img.phase == growing && o.epoch == o.img.epoch
}

// closed checks the outcome of a CLOSE and applies it to the model.
func (m *machine) closed(t *rapid.T, o *opened, err error, hits []hit) {
	o.forget()
	u := o.img
	if u.broken {
		o.changed, o.bad = false, true
	}
	switch {
	case o.commits():
		m.committed(t, o.c, u, bytes.Clone(u.raw[:u.size]), err, hits)
	case !o.changed:
		want(t, fmt.Sprintf("%v closes %v with nothing new", o.c, u.at),
			!o.bad && !(u.phase == growing && u.dirty && u.refs == 1), err, hits)
		m.letGo(u, hits)
	case u.phase == gone, u.epoch != o.epoch:
		want(t, fmt.Sprintf("%v closes %v, not its own", o.c, u.at), false, err, hits)
		m.letGo(u, hits)
	default:
		want(t, fmt.Sprintf("%v closes %v, which another one stored", o.c, u.at), true, err, hits)
		u.refs--
	}
}

// committed does the same for a CLOSE that commits.
func (m *machine) committed(t *rapid.T, c *client, u *upload, content []byte, err error, hits []hit) {
	outrun := m.outrun(u)
	excuses := without(hits, blobtest.OpSettle, blobtest.OpDiscard, blobtest.OpSync)
	want(t, fmt.Sprintf("%v closes %v", c, u.at), !u.damaged && !u.lost && !outrun, err, excuses)
	if err == nil {
		m.store(u.at, content, false)
		m.finish(u)
		return
	}
	m.failed(u, err, hits)
}

// failed applies a failed commit to the model.
func (m *machine) failed(u *upload, err error, hits []hit) {
	u.lost = u.lost || late(hits, blobtest.OpCommit)
	if errors.Is(err, blob.ErrSealed) { // unusable until the next start
		m.discard(u)
		m.sealed = append(m.sealed, u)
		u.refs--
		return
	}
	u.phase = growing
	early := u.damaged || u.lost || among(hits, opHook, blobtest.OpCommit) // it failed for another reason
	stops := []blobtest.Op{blobtest.OpReadAt, blobtest.OpStage, blobtest.OpTruncate}
	if !early && among(hits, stops...) { // these faults are used up, and do not affect the sync that follows
		early, hits = true, without(hits, stops...)
	}
	u.behind = u.behind || m.outrun(u) && !early
	byName := u.byName
	u.byName = false
	if u.refs--; u.refs > 0 {
		return
	}
	if byName || errors.Is(err, blob.ErrLost) {
		m.discard(u)
		return
	}
	m.orphan(u, hits)
}

// doHold closes a file and stops the commit in the middle, so that other steps happen
// meanwhile.
func (m *machine) doHold(t *rapid.T) {
	o := m.file(t)
	if !o.commits() || len(m.held) == 2 {
		t.Skip("there is nothing to hold")
	}
	step := rapid.SampledFrom([]string{"before the bytes", "after the bytes", "after the rows"}).Draw(t, "held")
	u := o.img
	h := &held{c: o.c, img: u, content: bytes.Clone(u.raw[:u.size]), outcome: make(chan error, 1), over: m.stored[u.at]}
	reached, release := make(chan struct{}), make(chan struct{})
	stop := func() { close(reached); <-release }
	op, f := blobtest.OpCommit, blobtest.Fault{Before: stop}
	switch step {
	case "after the bytes":
		f = blobtest.Fault{After: stop}
	case "after the rows":
		op = blobtest.OpSettle
	}
	m.l.arm(op, f)
	o.h.Close(func(err error) { h.outcome <- err })
	select {
	case err := <-h.outcome:
		m.l.disarm(op)
		m.closed(t, o, err, m.l.met())
		return
	case <-reached:
	}
	hits := m.l.met()
	if u.damaged {
		t.Fatalf("a damaged upload is being stored")
	}
	o.forget()
	h.release = func() { close(release) }
	u.phase = closing
	if step == "after the rows" {
		if u.lost || m.outrun(u) {
			t.Fatalf("an upload that is lost, or outrun, was stored (met %v)", hits)
		}
		h.row = true
		m.store(u.at, h.content, false)
	}
	m.held = append(m.held, h)
	if rapid.IntRange(0, 3).Draw(t, "sweep") == 0 { // the sweep sees bytes whose row may not be written yet
		want(t, "sweep", true, m.l.sweep(), m.l.met())
	}
}

func (m *machine) doRelease(t *rapid.T) {
	if len(m.held) == 0 {
		t.Skip("nothing is held")
	}
	m.releaseAll()
}

// releaseAll lets the held CLOSEs go on, one after another. Sessions call it before they
// wait.
func (m *machine) releaseAll() {
	for len(m.held) > 0 {
		h := m.held[0]
		m.held = m.held[1:]
		h.release()
		err := <-h.outcome
		m.released(h, err)
		for _, f := range h.followed {
			if followed := <-f; (followed == nil) != (err == nil) {
				m.wrong(fmt.Sprintf("one handle was told %v, another of the same bytes %v", err, followed))
			}
		}
	}
}

func (m *machine) released(h *held, err error) {
	hits := m.l.met()
	u := h.img
	excused := among(hits, opHook, blobtest.OpCommit)
	switch {
	case h.row && err != nil:
		m.wrong(fmt.Sprintf("what is in the database was answered with %v", err))
	case h.row:
		m.finish(u)
	case err == nil:
		if u.lost || m.outrun(u) {
			m.wrong("an upload that is lost, or outrun, was stored")
		}
		m.store(u.at, h.content, false)
		m.finish(u)
	case !u.lost && !m.outrun(u) && !excused:
		m.wrong(fmt.Sprintf("the held CLOSE of %v: %v", u.at, err))
	default:
		m.failed(u, err, hits)
	}
}

// wrong records a failure where the step cannot be aborted, because a session waits.
func (m *machine) wrong(what string) { m.faults = append(m.faults, what) }

// doVanish ends a session as a broken connection does.
func (m *machine) doVanish(t *rapid.T) {
	i := rapid.IntRange(0, len(m.clients)-1).Draw(t, "session")
	c := m.clients[i]
	if slices.ContainsFunc(m.held, func(h *held) bool { return h.c == c }) {
		m.releaseAll() // the session ends only after its commits
	}
	shared := len(c.files)+len(c.readers) > 1
	if shared { // it is not known which upload a fault would affect
		m.l.looking(func() { c.s.End(); m.l.tree.WaitForSyncs() })
	} else {
		c.s.End()
	}
	hits := m.l.met()
	for _, o := range append(slices.Clone(c.files), c.readers...) {
		if o.img != nil {
			m.letGo(o.img, hits)
		}
	}
	m.clients[i] = m.login()
}
