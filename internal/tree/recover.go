package tree

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// recover handles the stages that an earlier process left and that no row refers to. A
// stage with a note becomes a partial with the durable length. A stage without a usable
// note is removed, since none of its bytes were promised. Stages are not opened, because
// there may be more of them than file descriptors.
func (t *Tree) recover() error {
	left, err := deposit.Leftovers(t.store, t.blobs, t.log)
	if err != nil {
		return err
	}
	for _, l := range left {
		var n stageNote
		noteErr := json.Unmarshal(l.Note, &n)
		if n.Upload {
			continue // it belongs to a publication that is sent in parts
		}
		// The note may have reached the disk before the bytes that it describes, or a
		// truncation before the note. Only bytes within the stage's size exist.
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

// adopt turns a leftover stage into a partial. Its hash is computed again from the bytes,
// because writes below its length that came after the last sync may or may not be on
// disk. Bytes beyond its length are cut at the next write.
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
