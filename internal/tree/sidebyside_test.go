package tree_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/tree"
)

// TestUploadsThatTogetherPassTheQuota: sixteen uploads grow at the same time until the quota
// is full. Those that fit are stored; the refused ones take no space from them.
func TestUploadsThatTogetherPassTheQuota(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){"sixteen at once": func(t *testing.T, w *world) {
		const files, part, size = 16, 64 << 10, 1 << 20
		w.policy.Limits.QuotaBytes = 10 * size
		w.reopen()
		s := w.login(w.Customer("acme"))
		defer s.End()
		handles := make([]*tree.Handle, files)
		for i := range handles {
			handles[i] = open(t, s, fmt.Sprintf("/upload/%02d", i), create)
		}
		stored := 0
		failed := map[int]bool{}
		for at := 0; at < size; at += part {
			for i, h := range handles {
				if failed[i] {
					continue
				}
				done := make(chan error, 1)
				h.WriteAt(make([]byte, part), int64(at), func(err error) { done <- err })
				if <-done != nil {
					failed[i] = true
					if err := closeHandle(h); err == nil {
						t.Fatalf("%d was refused a part, and its CLOSE succeeded", i)
					}
				}
			}
		}
		for i, h := range handles {
			if !failed[i] {
				must(t, closeHandle(h))
				stored++
			}
		}
		if stored < 9 {
			t.Fatalf("%d of %d were stored; %d fit", stored, files, 10)
		}
	}})
}

// TestTimesSetThroughAHandleAreShown: FSTAT shows the times of an earlier FSETSTAT, for a
// file that is only read, for one that is open and unchanged, and for one that was changed.
// A directory shows the time of SETSTAT.
func TestTimesSetThroughAHandleAreShown(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){"times and mode": func(t *testing.T, w *world) {
		s := w.login(w.Customer("acme"))
		defer s.End()
		put(t, s, "/upload/f", "text")
		when, mode := time.Unix(1e9, 0).UTC(), uint32(0o640)
		for name, flags := range map[string]exchange.OpenFlags{"read": exchange.FlagRead,
			"both": exchange.FlagRead | exchange.FlagWrite, "written anew": create} {
			when, mode = when.Add(time.Hour), mode^0o007
			h := open(t, s, "/upload/f", flags)
			must(t, h.SetTimes(&when, &mode))
			if info, err := h.Stat(); err != nil || !info.Mtime.Equal(when) || info.Mode != mode {
				t.Errorf("%s: %+v, %v; want %v and %o", name, info, err, when, mode)
			}
			must(t, closeHandle(h))
			if info, err := s.Stat("/upload/f"); err != nil || !info.Mtime.Equal(when) || info.Mode != mode {
				t.Errorf("%s, closed: %+v, %v; want %v and %o", name, info, err, when, mode)
			}
		}
		must(t, s.Mkdir("/upload/d"))
		must(t, s.Setstat("/upload/d", exchange.Change{Mtime: &when}))
		if info, err := s.Stat("/upload/d"); err != nil || !info.Mtime.Equal(when) {
			t.Errorf("the directory: %+v, %v", info, err)
		}
		wantKind(t, s.Setstat("/download", exchange.Change{Mtime: &when}), fault.Denied)
	}})
}
