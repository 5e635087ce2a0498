package tree

import "sync"

// How the bytes of an image are let go of.

// letting is a mutex whose holder lets go of stages. That is done once the mutex is
// free, so that a slow disk keeps nobody else waiting for it.
type letting struct {
	sync.Mutex
	over []func()
}

// afterwards has fn called when the mutex is free. Callers hold it.
func (l *letting) afterwards(fn func()) { l.over = append(l.over, fn) }

// Unlock frees the mutex, and returns when everything is done that waited for that.
func (l *letting) Unlock() {
	over := l.over
	l.over = nil
	l.Mutex.Unlock()
	for _, fn := range over {
		fn()
	}
}

// closeStage lets go of files, once box.mu is free. Callers hold box.mu; refs is 0 or
// the tree closes.
func (img *image) closeStage() {
	img.mu.Lock()
	defer img.mu.Unlock()
	if basis := img.basis; basis != nil {
		img.box.mu.afterwards(func() { _ = basis.Close() }) // it was only read
		img.basis = nil
	}
	if stage := img.stage; stage != nil && !img.broken {
		img.box.mu.afterwards(func() { _ = stage.Close() })
	}
	img.broken = true
}

// letGo removes the stage of an image that never joined its mailbox. Callers hold box.mu.
func (img *image) letGo() {
	img.forget()
	img.closeStage()
}

// discard forgets an image's bytes. Callers hold box.mu.
func (img *image) discard() {
	img.box.remove(img)
	img.book(0, 0)
	img.forget()
	if img.refs == 0 {
		img.closeStage()
	}
}

// forget removes the bytes of an image that is discarded, once box.mu is free.
func (img *image) forget() {
	img.mu.Lock()
	defer img.mu.Unlock()
	img.state, img.epoch = removed, img.epoch+1
	var remove func() error
	switch {
	case img.rests:
		remove = func() error { return img.t.blobs.Discard(img.id, img.at) }
		img.rests = false
	case img.stage != nil && !img.broken:
		remove = img.stage.Discard
	default:
		return
	}
	img.box.mu.afterwards(func() {
		if err := remove(); err != nil {
			img.t.log.Warn("a stage could not be removed", "stage", img.id, "err", err)
		}
	})
}

// release takes one handle off. The last one leaves a partial of what was changed,
// whoever's handle it is. Callers hold box.mu.
func (img *image) release() {
	img.refs--
	switch {
	case img.refs > 0 || img.state == committing:
	case img.state != open:
		img.closeStage()
	case !img.dirty:
		img.discard() // an unchanged overlay
	case img.owner != nil:
		img.orphan()
	default: // a partial that was only read
		img.t.behind("a partial's rest", func() { img.rest(false) })
	}
}
