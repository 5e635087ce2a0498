package tree

import "io"

// How the bytes of an image change, and how its hash follows them.

// write writes bytes at an offset; at < 0 appends. epoch is the handle's. A failed
// write marks the image damaged, so that CLOSE will not commit it.
func (img *image) write(p []byte, at int64, epoch int) error {
	img.mu.Lock()
	defer img.mu.Unlock()
	if err := img.writable(epoch); err != nil {
		return err
	}
	if at < 0 {
		at = img.size
	}
	err := img.writeLocked(p, at)
	img.damaged = img.damaged || err != nil
	return err
}

func (img *image) writeLocked(p []byte, at int64) error {
	if err := img.trim(); err != nil {
		return err
	}
	end := at + int64(len(p))
	if img.ahead && (at > img.size || end <= img.size) { // this write does not repeat the extra byte
		if err := img.dropAhead(); err != nil {
			return err
		}
	}
	if at < img.summed {
		img.overlap(p[:min(int64(len(p)), img.summed-at)], at)
	}
	n, err := img.stage.WriteAt(p, at)
	if n == 0 {
		return err // nothing was written
	}
	end = at + int64(n)
	if at <= img.summed && end > img.summed {
		img.sum.Write(p[img.summed-at : n])
		img.summed = end
	}
	img.spans = img.spans.Add(at, end, maxSpans)
	img.size = max(img.size, end)
	img.extent = max(img.extent, end)
	img.ahead = img.ahead && img.size < img.extent
	img.unsynced += int64(n)
	img.written += int64(n)
	img.touched = img.t.now()
	return err
}

// overlap handles a write into the part that is hashed already. Identical bytes change
// nothing (a resumed upload repeats some); different bytes void the hash.
func (img *image) overlap(p []byte, at int64) {
	have := make([]byte, len(p))
	if n, err := img.stage.ReadAt(have, at); (err == nil || err == io.EOF) && n == len(p) && string(have) == string(p) {
		return
	}
	img.voidSum()
}

// voidSum resets the hash. catchUp computes it again from the stage.
func (img *image) voidSum() {
	img.sum.Reset()
	img.summed = 0
	img.voids++
}

// trim cuts the stage to the logical size, but keeps the extra byte of a partial
// (ahead). Bytes that a lost upload wrote past its contiguous prefix must not become
// part of the resumed upload.
func (img *image) trim() error {
	want := img.size
	if img.ahead {
		want++
	}
	if img.extent <= want {
		return nil
	}
	if err := img.stage.Truncate(want); err != nil {
		return err
	}
	img.extent = want
	if img.summed > want {
		img.voidSum()
	}
	return nil
}

// dropAhead cuts the extra byte that a partial keeps past its size.
func (img *image) dropAhead() error {
	img.ahead = false
	return img.trim()
}

// damage marks the image damaged because bytes that the client sent were refused. CLOSE
// will not commit it. epoch is the handle's; a handle with an old epoch has no effect.
func (img *image) damage(epoch int) {
	img.mu.Lock()
	defer img.mu.Unlock()
	if img.state == open && img.epoch == epoch {
		img.damaged = true
	}
}

// truncate sets the size. Setting the current size does nothing. epoch is the handle's.
func (img *image) truncate(size int64, epoch int) error {
	img.mu.Lock()
	defer img.mu.Unlock()
	if size == img.size {
		return nil
	}
	if err := img.writable(epoch); err != nil {
		return err
	}
	return img.truncateLocked(size)
}

func (img *image) truncateLocked(size int64) error {
	if err := img.dropAhead(); err != nil { // else extending would bring old bytes back
		return err
	}
	if err := img.stage.Truncate(size); err != nil {
		return err
	}
	if size < img.summed {
		img.voidSum()
	}
	img.size, img.extent, img.spans = size, size, img.spans.Cut(size)
	img.touched = img.t.now()
	return nil
}
