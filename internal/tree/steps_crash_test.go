package tree_test

import (
	"bytes"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
)

// die simulates kill -9: held CLOSEs end without any further effect.
func (m *machine) die() {
	m.l.die()
	for _, h := range m.held {
		h.release()
		<-h.outcome
		if h.row {
			h.img.phase = done
		}
		for _, f := range h.followed {
			<-f
		}
	}
	m.held = nil
	for _, c := range m.clients {
		c.s.End()
	}
}

func (m *machine) doCrash(t *rapid.T) {
	switch rapid.SampledFrom([]string{"now", "in a close", "in a write"}).Draw(t, "crash") {
	case "in a close":
		m.crashInClose(t)
	case "in a write":
		m.crashInWrite(t)
	default:
		m.die()
		m.restart(t)
	}
}

// restart starts the next process. It may die while it recovers, and is then started again.
func (m *machine) restart(t *rapid.T) {
	m.l.bury()
	sessions := len(m.clients)
	if op := rapid.SampledFrom([]blobtest.Op{"", blobtest.OpDrop, blobtest.OpForget}).Draw(t, "dies again at"); op != "" {
		kill := func() { m.l.blobs.Kill() }
		f := blobtest.Fault{Before: kill}
		if rapid.Bool().Draw(t, "late") {
			f = blobtest.Fault{After: kill}
		}
		m.l.arm(op, f)
		if err := m.l.start(); err == nil {
			m.die0()
		}
		m.l.reset()
	}
	if err := m.l.start(); err != nil {
		t.Fatalf("it does not start: %v", err)
	}
	m.clients = nil
	for range sessions {
		m.clients = append(m.clients, m.login())
	}
	m.recovered(t)
}

// die0 kills a process that has no sessions yet.
func (m *machine) die0() {
	m.l.die()
	m.l.bury()
}

// recovered applies a restart to the model.
func (m *machine) recovered(t *rapid.T) {
	all := m.sealed
	for _, k := range slices.SortedFunc(maps.Keys(m.uploads), compareSpots) {
		all = append(all, m.uploads[k]...)
	}
	m.sealed, m.uploads = nil, map[spot][]*upload{}
	slices.SortStableFunc(all, func(a, b *upload) int { return a.begun - b.begun })
	for _, u := range all {
		if p := u.leftover(); p != nil && u.phase != done {
			p.begun = u.begun
			m.uploads[p.at] = append(m.uploads[p.at], p)
		}
	}
	m.noStagedRows(t)
}

// crashInClose dies at one step of a CLOSE. The file is then stored completely or not at all.
func (m *machine) crashInClose(t *rapid.T) {
	o := m.file(t)
	if !o.commits() {
		t.Skip("there is nothing to store")
	}
	m.releaseAll()
	if !o.commits() {
		return
	}
	op := rapid.SampledFrom([]blobtest.Op{blobtest.OpCommit, blobtest.OpSettle, blobtest.OpRevert, blobtest.OpReadAt,
		blobtest.OpTruncate}).Draw(t, "dies at")
	f := blobtest.Fault{Before: m.l.blobs.Kill}
	if rapid.Bool().Draw(t, "late") {
		f = blobtest.Fault{After: m.l.blobs.Kill}
	}
	m.l.arm(op, f)
	u := o.img
	content, before := bytes.Clone(u.raw[:u.size]), m.rows(t)[u.at]
	err := closeHandle(o.h)
	o.forget()
	hits := m.l.met()
	dead := m.l.blobs.Dead()
	m.die()
	after := m.rows(t)[u.at]
	stored := after != nil && (before == nil || before.version != after.version)
	switch {
	case stored && (u.damaged || u.lost || m.outrun(u)):
		t.Fatalf("what must not be stored was")
	case !dead && stored != (err == nil):
		t.Fatalf("stored %v, answered %v", stored, err)
	case stored:
		m.store(u.at, content, false)
		m.finish(u)
	case !dead:
		m.failed(u, err, hits)
	}
	m.restart(t)
}

// crashInWrite dies while bytes are written. None, half or all of them are then on disk.
func (m *machine) crashInWrite(t *rapid.T) {
	o := m.file(t)
	m.releaseAll()
	if o.img.overlay || o.img.broken || o.img.phase != growing || o.epoch != o.img.epoch {
		t.Skip("not now")
	}
	p, at := m.text(rapid.IntRange(1, 100).Draw(t, "length")), rapid.IntRange(0, o.img.size).Draw(t, "at")
	f := rapid.SampledFrom([]blobtest.Fault{{Before: m.l.blobs.Kill}, {Late: true, After: m.l.blobs.Kill},
		{After: m.l.blobs.Kill}}).Draw(t, "dies")
	m.l.arm(blobtest.OpWriteAt, f)
	err := write(o.h, string(p), int64(at))
	hits := m.l.met()
	n := len(p)
	switch {
	case f.Late:
		n /= 2
	case f.Before != nil:
		n = 0
	}
	if m.l.blobs.Dead() {
		if o.adds {
			at = o.img.size
		}
		o.img.write(p, at, n, false)
	} else {
		m.wrote(t, o, p, at, err, hits)
	}
	m.die()
	m.restart(t)
}
