package tree

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// recover takes up what an earlier process left in the staging area and no row
// speaks of: a stage with a note becomes a partial of the length that was durable,
// one without is removed, since nothing of it was ever promised. Stages are not
// opened: there may be more than descriptors.
func (t *Tree) recover() error {
	left, err := deposit.Leftovers(t.store, t.blobs, t.log)
	if err != nil {
		return err
	}
	for _, l := range left {
		var n stageNote
		noteErr := json.Unmarshal(l.Note, &n)
		if n.Upload {
			continue // a publication's, in parts: not ours
		}
		// A note may have reached the disk before the bytes that it speaks of, or a
		// cut before the note: what the size covers is there, and may be promised.
		n.Size = min(n.Size, l.Size)
		if noteErr != nil || n.Size <= 0 || n.User == "" {
			if err := t.blobs.Discard(l.ID, n.Key); err != nil {
				t.log.Warn("a stage could not be removed", "stage", l.ID, "err", err)
			}
			continue
		}
		t.adopt(l, n)
	}
	return nil
}

// adopt makes a stage that was left over a partial. Its hash is made anew from its
// bytes when it is closed: writes that came after the last sync, below its length,
// may or may not be among them. What lies beyond its length is cut when it is
// written on.
func (t *Tree) adopt(l blob.Leftover, n stageNote) {
	box := t.boxLocked(n.User)
	img := &image{t: t, box: box, id: l.ID, at: cmp.Or(n.Key, blob.Key(n.User, l.ID, string(n.Name), t.now())),
		key: nameKey{n.Dir, string(n.Name)}, dirty: true, rests: true,
		size: n.Size - 1, extent: l.Size, ahead: true, change: n.Change, // as orphan does
		sum: sha256.New(), resumed: true,
		saved: true, written: n.Size, touched: n.At, mode: n.Mode, covers: n.Covers, over: n.Over}
	if n.Change && n.Size <= n.Covers {
		img.size, img.ahead = n.Size, false
	}
	img.spans = exchange.Spans(nil).Add(0, img.size, maxSpans)
	img.takeCredit()
	img.book(max(0, img.size-img.credit), l.Size)
	box.add(img)
}
