package tree

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Unfinished is an upload that is not complete: under way, or a partial that can be resumed.
type Unfinished struct {
	ID, UserID, DirID, Name string
	Size                    int64 // bytes from the start that are here
	Began, Touched          time.Time
	Live                    bool // a session has it open
}

// Unfinished lists the uploads that are not complete, of one user, or of all if userID is "".
func (t *Tree) Unfinished(userID string) (out []Unfinished) {
	for _, box := range t.known() {
		if userID != "" && box.userID != userID {
			continue
		}
		images, list := box.unfinishedImages()
		for i, img := range images { // without the mailbox's lock: a write may be waiting for the disk
			img.mu.Lock()
			list[i].Size, list[i].Touched = img.size, img.touched
			img.mu.Unlock()
		}
		out = append(out, list...)
	}
	return out
}

// unfinishedImages lists the images that are not complete, and what box.mu guards of them.
func (b *box) unfinishedImages() (images []*image, list []Unfinished) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, all := range b.images {
		for _, img := range all {
			if img.state == open && img.dirty && !img.behind && !img.byName {
				images = append(images, img)
				list = append(list, Unfinished{ID: img.id, UserID: b.userID, DirID: key.dir, Name: key.name,
					Began: exchange.IDTime(img.id), Live: img.owner != nil})
			}
		}
	}
	return images, list
}
