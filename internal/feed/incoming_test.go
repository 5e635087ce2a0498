package feed_test

import (
	"io"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

var incomingStories = stories{
	"a file that is written in any order is published whole": func(t *testing.T, w *world) {
		u := w.acme()
		in, err := w.service.NewIncoming()
		testkit.Must(t, err)
		testkit.Must(t, in.WriteAt([]byte("56789"), 5))
		testkit.Must(t, in.WriteAt([]byte("01234"), 0))
		testkit.Must(t, in.WriteAt([]byte("tail"), 10))
		testkit.Must(t, in.Truncate(10))
		buf := make([]byte, 20)
		if n, err := in.ReadAt(buf, 5); err != nil || string(buf[:n]) != "56789" {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		if _, err := in.ReadAt(buf, 10); err != io.EOF {
			t.Fatalf("past the end: %v", err)
		}
		out, err := in.Publish(ctx, "billing", to("data", "acme", "a.csv", ""))
		testkit.Must(t, err)
		if out.Size != 10 || out.Deliveries != 1 {
			t.Fatalf("published %+v", out)
		}
		w.wantFile(u, "/download/data/a.csv", "0123456789")
		w.wantNoStages()
	},
	"one that was refused can be tried again": func(t *testing.T, w *world) {
		u := w.acme()
		in, err := w.service.NewIncoming()
		testkit.Must(t, err)
		testkit.Must(t, in.WriteAt([]byte("a;b"), 0))
		_, err = in.Publish(ctx, "billing", to("data", "acme", "a.pdf", ""))
		testkit.WantKind(t, err, fault.Invalid)
		_, err = in.Publish(ctx, "billing", to("data", "none", "a.csv", ""))
		testkit.WantKind(t, err, fault.NotFound)
		_, err = in.Publish(ctx, "billing", to("data", "acme", "a.csv", ""))
		testkit.Must(t, err)
		w.wantFile(u, "/download/data/a.csv", "a;b")
	},
	"one that is discarded leaves nothing": func(t *testing.T, w *world) {
		in, err := w.service.NewIncoming()
		testkit.Must(t, err)
		testkit.Must(t, in.WriteAt([]byte("a;b"), 0))
		testkit.Must(t, in.Discard())
		w.wantNoStages()
	},
	"one is held to the limit of a file": func(t *testing.T, w *world) {
		in, err := w.service.NewIncoming()
		testkit.Must(t, err)
		defer func() { testkit.Must(t, in.Discard()) }()
		for _, at := range []int64{-1, w.maxFile, 1<<63 - 2} {
			testkit.WantKind(t, in.WriteAt([]byte("xy"), at), fault.TooLarge)
		}
		testkit.WantKind(t, in.Truncate(w.maxFile+1), fault.TooLarge)
		testkit.WantKind(t, in.Truncate(-1), fault.TooLarge)
	},
}
