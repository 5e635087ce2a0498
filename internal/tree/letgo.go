package tree

import "sync"

// How the stage of an image is closed or removed.

// letting is a mutex with deferred work: functions given to afterwards run when the
// mutex is unlocked. So stages are closed and removed without the mutex, and a slow disk
// does not delay others that need it.
type letting struct {
	sync.Mutex
	over []func()
}

// afterwards makes Unlock call fn. Callers hold the mutex.
func (l *letting) afterwards(fn func()) { l.over = append(l.over, fn) }

// Unlock unlocks the mutex, then runs the functions given to afterwards, and returns
// when they are done.
func (l *letting) Unlock() {
	over := l.over
	l.over = nil
	l.Mutex.Unlock()
	for _, fn := range over {
		fn()
	}
}

// closeStage closes the image's files, once box.mu is free. Callers hold box.mu; refs
// is 0 or the tree closes.
func (img *image) closeStage() {
	img.mu.Lock()
	defer img.mu.Unlock()
	if basis := img.basis; basis != nil {
		img.box.mu.afterwards(func() { _ = basis.Close() }) // only read, so there is nothing to lose
		img.basis = nil
	}
	if stage := img.stage; stage != nil && !img.broken {
		img.box.mu.afterwards(func() { _ = stage.Close() })
	}
	img.broken = true
}

// letGo removes the stage of an image that was never added to its mailbox. Callers hold
// box.mu.
func (img *image) letGo() {
	img.forget()
	img.closeStage()
}

// discard takes an image out of its mailbox and removes its bytes. Callers hold box.mu.
func (img *image) discard() {
	img.box.remove(img)
	img.book(0, 0)
	img.forget()
	if img.refs == 0 {
		img.closeStage()
	}
}

// forget sets the state removed, and removes the stage once box.mu is free. Callers hold
// box.mu.
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

// release counts a handle out. When the last one goes, a changed image becomes a partial
// and an unchanged one is discarded. Callers hold box.mu.
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
