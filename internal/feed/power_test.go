package feed_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// toldParts is a promise about an upload in parts: these bytes of it are durable.
type toldParts struct {
	upload  string
	content []byte
}

// toldPublished is a promise about a publication. If published is "", it was only requested.
type toldPublished struct {
	published string
	upload    string
	content   []byte
}

// publisher publishes files over one channel and records what was acknowledged.
type publisher struct {
	w    *world
	p    *testkit.Power
	odds *rand.Rand
	n    int
}

func (b *publisher) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(1 + b.odds.IntN(255))
	}
	return out
}

func (b *publisher) publish(upload string, content []byte) {
	b.n++
	p := to("cdr", "all", fmt.Sprintf("%d.bin", b.n), string(content))
	if upload != "" {
		p.Body, p.Upload = nil, upload
	}
	b.p.Disk.Mark(&toldPublished{upload: upload, content: content})
	out, err := b.w.service.Publish(ctx, "test", p)
	b.w.Must(err)
	b.p.Disk.Mark(&toldPublished{published: out.ID, upload: upload, content: content})
}

// part sends one part of an upload.
func (b *publisher) part(id string, have []byte, n int) []byte {
	part := b.bytes(n)
	b.p.Disk.Mark(&toldParts{id, nil})
	_, err := b.w.service.Append(id, int64(len(have)), bytes.NewReader(part))
	b.w.Must(err)
	have = append(have, part...)
	b.p.Disk.Mark(&toldParts{id, bytes.Clone(have)})
	return have
}

func (b *publisher) begin() string {
	up, err := b.w.service.BeginUpload("test", -1)
	b.w.Must(err)
	b.p.Disk.Mark(&toldParts{up.ID, []byte{}})
	return up.ID
}

var publications = map[string]func(b *publisher){
	"bodies": func(b *publisher) {
		for _, n := range []int{0, 1, 29, 64 << 10} {
			b.publish("", b.bytes(n))
		}
	},
	"parts": func(b *publisher) {
		id := b.begin()
		var have []byte
		for _, n := range []int{1, 10_000, 40_000} {
			have = b.part(id, have, n)
		}
		b.publish(id, have)
	},
	"parts, cancelled, and others": func(b *publisher) {
		first, second := b.begin(), b.begin()
		b.part(first, nil, 9_000)
		have := b.part(second, nil, 5_000)
		b.p.Disk.Mark(&toldPublished{upload: first})
		b.w.Must(b.w.service.CancelUpload(first))
		b.publish(second, b.part(second, have, 1_000))
	},
	"over sftp": func(b *publisher) {
		in, err := b.w.service.NewIncoming()
		b.w.Must(err)
		content := b.bytes(20_000)
		b.w.Must(in.WriteAt(content[10_000:], 10_000))
		b.w.Must(in.WriteAt(content[:10_000], 0))
		b.w.Must(in.Sync())
		p := to("cdr", "all", "in.bin", "")
		b.p.Disk.Mark(&toldPublished{content: content})
		out, err := in.Publish(ctx, "test", p)
		b.w.Must(err)
		b.p.Disk.Mark(&toldPublished{published: out.ID, content: content})
	},
}

// TestAPowerLossAtEveryCall publishes over every channel, loses the power after every call to
// the disk, and starts again on what is left.
func TestAPowerLossAtEveryCall(t *testing.T) {
	for name, way := range publications {
		for _, noAttrs := range []bool{false, true} {
			if noAttrs && name == "bodies" {
				continue // they have no notes
			}
			how := name
			if noAttrs {
				how += ", notes beside the stages"
			}
			t.Run(how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "").begin(t)
				p := testkit.NewPower(t, w.Dir)
				p.Disk.NoAttrs = noAttrs
				files, err := disk.OpenOn(p.Disk, p.Blobs, w.Clock)
				testkit.Must(t, err)
				w.UseDisk(files)
				w.service = w.serviceOn(w.Store, w.Blobs)
				w.Customer("alice")
				w.Customer("beta")
				w.feed("cdr")
				w.subscribe("cdr", "alice", "beta")
				way(&publisher{w: w, p: p, odds: rand.New(rand.NewPCG(3, 4))})
				w.Disk.Close()
				did := p.Each(testkit.Losses{Seed: 1, Mixtures: testkit.Rounds(t, 2, 0, "mixtures at each step"),
					Second: testkit.Rounds(t, 7, 70, "one second loss in so many images"), Check: w.checkAfter, After: w.publishLeft})
				t.Logf("%d steps, %d different images, %d more after a second loss", did.Steps, did.Images, did.Second)
			})
		}
	}
}

// after starts a process on what was left.
func (w *world) after(c *testkit.Crash, do func(*feed.Service, blob.Store)) {
	c.T.Helper()
	files, err := disk.OpenOn(c.Disk, c.Blobs, w.Clock)
	if err != nil {
		c.Fail("the disk: %v", err)
	}
	defer files.Close()
	blobs := w.Small(files, c.Store)
	service := w.serviceOn(c.Store, blobs)
	if err := service.Recover(slog.New(slog.DiscardHandler)); err != nil {
		c.Fail("the service: %v", err)
	}
	do(service, blobs)
}

func (w *world) serviceOn(s *store.Store, blobs blob.Store) *feed.Service {
	return feed.New(feed.Options{Store: s, Blobs: blobs, Clock: w.Clock, IDs: w.IDs, Key: w.Key,
		Bounds: feed.Bounds{MaxFile: w.maxFile, KeepUploads: 7 * day}})
}

func (w *world) checkAfter(c *testkit.Crash) {
	c.T.Helper()
	w.after(c, func(service *feed.Service, blobs blob.Store) {
		c.Stored(blobs)
		parts, over := map[string][]byte{}, map[string]bool{}
		for _, m := range c.Marks {
			switch m := m.(type) {
			case *toldParts:
				if m.content != nil {
					parts[m.upload] = m.content
				}
			case *toldPublished:
				over[m.upload] = true
				if m.published != "" {
					wantPublished(c, m.published, len(m.content))
				}
			}
		}
		for id, content := range parts {
			w.wantParts(c, service, blobs, id, content, over[id])
		}
	})
}

// publishLeft publishes the remaining uploads, as a sender would that got no answer, on a
// separate database.
func (w *world) publishLeft(c *testkit.Crash) {
	c.T.Helper()
	left := map[string]bool{}
	for _, m := range c.Marks {
		if m, ok := m.(*toldPublished); ok && m.upload != "" && m.published == "" {
			left[m.upload] = true
		}
	}
	if len(left) == 0 {
		return
	}
	db := c.Fresh()
	defer func() { testkit.Must(c.T, db.Close()) }()
	files, err := disk.OpenOn(c.Disk, c.Blobs, w.Clock)
	testkit.Must(c.T, err)
	defer files.Close()
	service := w.serviceOn(db, w.Small(files, db))
	testkit.Must(c.T, service.Recover(slog.New(slog.DiscardHandler)))
	for id := range left {
		if _, err := service.UploadStatus(id); err != nil {
			continue // it was published, or cancelled
		}
		p := to("cdr", "all", "1.bin", "")
		p.Body, p.Upload = nil, id
		if _, err := service.Publish(ctx, "test", p); err != nil {
			c.Fail("the upload %s that is left cannot be published: %v", id, err)
		}
	}
}

func wantPublished(c *testkit.Crash, id string, size int) {
	c.T.Helper()
	var got int
	err := c.DB.QueryRow(
		"SELECT b.size FROM publications p JOIN blobs b ON b.id = p.id WHERE p.id = $1 AND b.state = 'live'", id).Scan(&got)
	if err != nil || got != size {
		c.Fail("publication %s of %d bytes has %d, %v", id, size, got, err)
	}
}

// wantParts checks an upload whose parts were acknowledged. An upload that is over may be a
// publication, or still be there.
func (w *world) wantParts(c *testkit.Crash, service *feed.Service, blobs blob.Store, id string, content []byte,
	over bool) {
	c.T.Helper()
	up, err := service.UploadStatus(id)
	if err != nil {
		var published sql.NullString
		if dbErr := c.DB.QueryRow("SELECT id FROM publications WHERE id = $1", id).Scan(&published); dbErr != nil && !over {
			c.Fail("upload %s of %d bytes: %v, %v", id, len(content), err, dbErr)
		}
		return
	}
	if up.Offset < int64(len(content)) {
		c.Fail("upload %s has %d of %d bytes", id, up.Offset, len(content))
	}
	got := make([]byte, len(content))
	stage, err := blobs.Reopen(id, "")
	testkit.Must(c.T, err)
	_, err = io.ReadFull(io.NewSectionReader(stage, 0, int64(len(got))), got)
	testkit.Must(c.T, errors.Join(err, stage.Close()))
	if !bytes.Equal(got, content) {
		c.Fail("upload %s has other bytes than were answered", id)
	}
}
