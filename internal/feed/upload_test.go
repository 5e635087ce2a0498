package feed_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

var uploadStories = stories{
	"a file comes in parts, and is published once": func(t *testing.T, w *world) {
		u := w.acme()
		up := w.beginUpload(10)
		w.part(up, 0, "01234", 5)
		w.part(up, 5, "56789", 10)
		p := fromUpload(up, "a.csv")
		p.Size, p.SHA256 = 10, testkit.Hash("0123456789")
		out, err := w.service.Publish(ctx, "test", p)
		testkit.Must(t, err)
		if out.Size != 10 || out.SHA256 != testkit.Hash("0123456789") || out.Deliveries != 1 {
			t.Fatalf("published %+v", out)
		}
		w.wantFile(u, "/download/data/a.csv", "0123456789")
		w.refused(fromUpload(up, "b.csv"), fault.NotFound, "no upload")
		_, err = w.service.Append(up, 10, strings.NewReader("x"))
		testkit.WantKind(t, err, fault.NotFound)
		w.wantNoStages()
		w.wantRefs()
	},
	"an upload that was published answers its key again": func(t *testing.T, w *world) {
		w.acme()
		up := w.beginUpload(-1)
		w.part(up, 0, "01234", 5)
		p := fromUpload(up, "a.csv")
		p.IdempotencyKey = "run-7"
		first, err := w.service.Publish(ctx, "test", p)
		testkit.Must(t, err)
		again, err := w.service.Publish(ctx, "test", p)
		testkit.Must(t, err)
		if again.ID != first.ID || !again.Repeated {
			t.Fatalf("asked again: %+v", again)
		}
	},
	"what came of a part that was cut off is kept": func(t *testing.T, w *world) {
		w.acme()
		up := w.beginUpload(10)
		_, err := w.service.Append(up, 0, io.MultiReader(strings.NewReader("0123"), failing{}))
		testkit.WantKind(t, err, fault.Invalid)
		w.wantOffset(up, 4)
		w.refused(fromUpload(up, "a.csv"), fault.Conflict, "4 of 10 bytes")
		w.part(up, 4, "456789", 10)
		if out, err := w.service.Publish(ctx, "test", fromUpload(up, "a.csv")); err != nil ||
			out.SHA256 != testkit.Hash("0123456789") {
			t.Fatalf("published %+v, %v", out, err)
		}
	},
	"an upload goes on after a restart": func(t *testing.T, w *world) {
		u := w.acme()
		up := w.beginUpload(10)
		w.part(up, 0, "0123", 4)
		w.open()
		w.wantOffset(up, 4)
		_, err := w.service.Append(up, 0, strings.NewReader("x"))
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Append(up, 4, strings.NewReader("4567890"))
		testkit.WantKind(t, err, fault.TooLarge) // the declared size is remembered
		w.part(up, 4, "456789", 10)
		w.open() // complete, but not published yet
		_, err = w.service.Publish(ctx, "test", fromUpload(up, "a.csv"))
		testkit.Must(t, err)
		w.wantFile(u, "/download/data/a.csv", "0123456789")
		w.open()
		_, err = w.service.UploadStatus(up)
		testkit.WantKind(t, err, fault.NotFound)
	},
	"an upload that nothing came of yet survives a restart": func(t *testing.T, w *world) {
		w.acme()
		up := w.beginUpload(-1)
		w.open()
		w.wantOffset(up, 0)
		w.part(up, 0, "01", 2)
	},
	"a part must begin where the upload stands": func(t *testing.T, w *world) {
		w.acme()
		up := w.beginUpload(-1)
		w.part(up, 0, "01234", 5)
		for _, at := range []int64{0, 4, 6, -1} {
			_, err := w.service.Append(up, at, strings.NewReader("x"))
			testkit.WantKind(t, err, fault.Conflict)
		}
		w.wantOffset(up, 5)
	},
	"a part past the declared size is refused whole": func(t *testing.T, w *world) {
		w.acme()
		up := w.beginUpload(6)
		w.part(up, 0, "0123", 4)
		_, err := w.service.Append(up, 4, strings.NewReader("456"))
		testkit.WantKind(t, err, fault.TooLarge)
		w.wantOffset(up, 4)
		w.part(up, 4, "45", 6)
		_, err = w.service.Append(up, 6, strings.NewReader("6"))
		testkit.WantKind(t, err, fault.TooLarge)
		if out, err := w.service.Publish(ctx, "test", fromUpload(up, "a.csv")); err != nil ||
			out.SHA256 != testkit.Hash("012345") {
			t.Fatalf("published %+v, %v", out, err)
		}
	},
	"an upload is held to the limit of a file": func(t *testing.T, w *world) {
		w.acme()
		w.maxFile = 4
		w.open()
		_, err := w.service.BeginUpload("test", 5)
		testkit.WantKind(t, err, fault.TooLarge)
		up := w.beginUpload(-1)
		_, err = w.service.Append(up, 0, strings.NewReader("01234"))
		testkit.WantKind(t, err, fault.TooLarge)
		w.part(up, 0, "0123", 4)
	},
	"an upload that was refused can be published under another name": func(t *testing.T, w *world) {
		u := w.acme()
		up := w.beginUpload(-1)
		w.part(up, 0, "a;b\n", 4)
		w.refused(fromUpload(up, "a.pdf"), fault.Invalid, "does not begin like one")
		p := fromUpload(up, "a.csv")
		p.SHA256 = testkit.Hash("another")
		w.refused(p, fault.Invalid, "SHA-256")
		_, err := w.service.Publish(ctx, "test", fromUpload(up, "a.csv"))
		testkit.Must(t, err)
		w.wantFile(u, "/download/data/a.csv", "a;b\n")
	},
	"a key that was used for something else costs nobody the upload": func(t *testing.T, w *world) {
		u := w.acme()
		p := to("data", "acme", "before.csv", "1")
		p.IdempotencyKey = "run-7"
		_, err := w.service.Publish(ctx, "test", p)
		testkit.Must(t, err)
		up := w.beginUpload(-1)
		w.part(up, 0, "0123", 4)
		p = fromUpload(up, "a.csv")
		p.IdempotencyKey = "run-7"
		w.refused(p, fault.Conflict, "another file (before.csv)")
		_, err = w.service.Publish(ctx, "test", fromUpload(up, "a.csv"))
		testkit.Must(t, err)
		w.wantFile(u, "/download/data/a.csv", "0123")
	},
	"an upload that nobody is entitled to waits for a subscriber": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.feed("data")
		up := w.beginUpload(-1)
		w.part(up, 0, "0123", 4)
		for _, key := range []string{"", "run-7"} {
			p := fromUpload(up, "a.csv")
			p.IdempotencyKey = key
			w.refused(p, fault.NoRecipient, "acme")
			w.wantOffset(up, 4)
		}
		w.subscribe("data", "acme")
		_, err := w.service.Publish(ctx, "test", fromUpload(up, "a.csv"))
		testkit.Must(t, err)
		w.wantFile(u, "/download/data/a.csv", "0123")
	},
	"a cancelled upload is gone": func(t *testing.T, w *world) {
		w.acme()
		up := w.beginUpload(-1)
		w.part(up, 0, "0123", 4)
		testkit.Must(t, w.service.CancelUpload(up))
		testkit.WantKind(t, w.service.CancelUpload(up), fault.NotFound)
		w.refused(fromUpload(up, "a.csv"), fault.NotFound, "no upload")
		w.wantNoStages()
	},
	"an upload that nobody continues expires, and one that goes on does not": func(t *testing.T, w *world) {
		w.acme()
		left, goesOn := w.beginUpload(-1), w.beginUpload(-1)
		w.part(left, 0, "0123", 4)
		w.Pass(6 * day)
		w.part(goesOn, 0, "0123", 4)
		w.Pass(2 * day)
		w.open() // the age survives a restart
		running, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.service.Keep(running, slog.New(slog.DiscardHandler))
		}()
		testkit.Eventually(t, "the upload expires", func() bool {
			_, err := w.service.UploadStatus(left)
			return fault.Is(err, fault.NotFound)
		})
		w.wantOffset(goesOn, 4)
		cancel()
		<-done
		_, err := w.service.Append(goesOn, 4, strings.NewReader("x")) // the service is closed
		testkit.WantKind(t, err, fault.NotFound)
		w.open()
		w.wantOffset(goesOn, 4)
	},
}

func (w *world) beginUpload(size int64) string {
	w.Helper()
	up, err := w.service.BeginUpload("test", size)
	w.Must(err)
	return up.ID
}

func (w *world) part(id string, at int64, text string, offset int64) {
	w.Helper()
	up, err := w.service.Append(id, at, strings.NewReader(text))
	w.Must(err)
	if up.Offset != offset {
		w.Fatalf("the upload stands at %d, want %d", up.Offset, offset)
	}
}

func (w *world) wantOffset(id string, offset int64) {
	w.Helper()
	up, err := w.service.UploadStatus(id)
	w.Must(err)
	if up.Offset != offset {
		w.Fatalf("the upload stands at %d, want %d", up.Offset, offset)
	}
}

// fromUpload returns a request to publish an upload to acme.
func fromUpload(id, name string) feed.Publication {
	p := to("data", "acme", name, "")
	p.Body, p.Upload = nil, id
	return p
}
