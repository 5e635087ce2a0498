package doctor

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

const (
	page     = 500
	named    = 3                  // of what is missing or damaged
	sweptBy  = 3 * 24 * time.Hour // after it, bytes without a row should be gone
	restored = "bring them back from a backup: sallyport restore SOURCE --to FOLDER, and copy blobs/ from there"
)

// database looks whether the database can be opened, and is whole.
func (p *patient) database() {
	if p.Store == nil {
		fix := fault.HintIn(p.StoreErr)
		if fix == "" {
			fix = "restore it from a backup: docs/operate/backup.md"
		}
		p.say("database", Broken, fix, "%s", fault.PublicText(p.StoreErr))
		return
	}
	wrong, err := p.Store.Examined(p.ctx, p.Deep)
	switch {
	case err != nil:
		p.say("database", Broken, "restore it from a backup: docs/operate/backup.md", "It cannot be read: %s",
			fault.InWords(err))
	case len(wrong) > 0:
		p.say("database", Broken, "stop the server, keep a copy of the files, and restore a backup: docs/operate/backup.md",
			"It is damaged: %s", strings.Join(wrong[:min(len(wrong), named)], "; "))
	default:
		p.well("database", "It is whole.")
	}
}

// stored looks whether the bytes of every committed file are there, and whether there are bytes that nobody knows.
func (p *patient) stored() {
	if !p.opened("stored files") {
		return
	}
	if p.Blobs == nil {
		p.say("stored files", Broken, restored, "There is no folder of stored files.")
		return
	}
	q := p.Store.Read(p.ctx)
	count, total, err := q.CountLive()
	if err != nil {
		p.fails("stored files", err, "see database")
		return
	}
	var missing, damaged []string
	done, after := int64(0), ""
	for {
		list, err := q.LiveBlobs(after, page)
		if err != nil {
			p.fails("stored files", err, "see database")
			return
		}
		for _, b := range list {
			switch gone, wrong := p.one(b); {
			case gone:
				missing = append(missing, b.Key)
			case wrong != "":
				damaged = append(damaged, b.Key+": "+wrong)
			}
			if done++; p.Progress != nil {
				p.Progress(done, count)
			}
		}
		if len(list) < page || p.ctx.Err() != nil {
			break
		}
		after = list[len(list)-1].ID
	}
	switch {
	case len(missing) > 0:
		p.say("stored files", Broken, restored, "The bytes of %d committed files are missing: %s.", len(missing),
			some(missing))
	case len(damaged) > 0:
		p.say("stored files", Broken, restored, "%d committed files are damaged: %s.", len(damaged), some(damaged))
	case p.Deep:
		p.well("stored files", "All %d (%s) are there, and their hashes are right.", count, valid.Size(total))
	default:
		p.well("stored files", "All %d (%s) are there, with the right sizes. --deep compares their hashes, too.", count,
			valid.Size(total))
	}
	p.orphans(q)
}

// some names the first few.
func some(list []string) string {
	text := strings.Join(list[:min(len(list), named)], ", ")
	if len(list) > named {
		text += fmt.Sprintf(" and %d more", len(list)-named)
	}
	return text
}

// one looks at the bytes of one file.
func (p *patient) one(b store.Blob) (gone bool, wrong string) {
	r, err := p.Blobs.Open(b.Key, b.Size)
	if fault.Is(err, fault.NotFound) {
		return true, ""
	} else if err != nil {
		return false, fault.InWords(err)
	}
	defer r.Close()
	if !p.Deep {
		return false, ""
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, r.Size())); err != nil {
		return false, fault.InWords(err)
	}
	if !bytes.Equal(h.Sum(nil), b.SHA256) {
		return false, "its hash is another one"
	}
	return false, ""
}

// orphans looks for bytes without a row that the sweep should have removed.
func (p *patient) orphans(q *store.Q) {
	var found []string
	err := p.Blobs.Walk(func(key string, _ int64, modified time.Time) error {
		if err := p.ctx.Err(); err != nil || p.Clock().Sub(modified) < sweptBy {
			return err
		}
		known, err := q.HasBlob(blob.ID(key))
		if err == nil && !known {
			found = append(found, key)
		}
		return err
	})
	switch {
	case err != nil:
		p.fails("bytes without a file", err, "see data folder")
	case len(found) > 0:
		p.say("bytes without a file", Odd, "start the server: it removes them within a day; its log says if it cannot",
			"%d stored files belong to nothing, and are old: %s.", len(found), some(found))
	}
}
