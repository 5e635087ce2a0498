package tree

import (
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Partials lists uploads that broke off and were not written to since a time, the oldest first: of one
// user, or of all if userID is "". Their Path is the name alone, in the directory DirID. Mailboxes that
// are busy at the moment are left out.
func (t *Tree) Partials(userID string, before time.Time) (out []model.Partial) {
	for _, img := range t.snapshot() {
		if userID != "" && img.box.userID != userID {
			continue
		}
		img.box.mu.Lock()
		rests := img.owner == nil && img.refs == 0 && img.state == open
		p := model.Partial{UserID: img.box.userID, DirID: img.key.dir, Path: img.key.name}
		img.mu.Lock()
		p.Size, p.At = img.size, img.touched
		img.mu.Unlock()
		img.box.mu.Unlock()
		if rests && p.At.Before(before) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b model.Partial) int { return a.At.Compare(b.At) })
	return out
}
