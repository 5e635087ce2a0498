package tree_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestSessionsAtOnce runs conflicting sessions of one user at the same time, for the race
// detector. In the end, the hash of every stored version must match its bytes.
func TestSessionsAtOnce(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"everything by everybody":                  together,
		"an open file is looked at while it moves": looked,
	})
}

// looked: one session uses its open file, while another one renames it, truncates it by name
// and sets its times.
func looked(t *testing.T, w *world) {
	u := w.Customer("acme")
	a, b := w.login(u), w.login(u)
	defer a.End()
	defer b.End()
	h := open(t, a, "/upload/x", create)
	must(t, write(h, "abc", 0))
	beside(func() {
		from, to := "/upload/x", "/upload/a-rather-long-name-of-a-file"
		for range 60 {
			_ = b.Rename(from, to, false)
			from, to = to, from
		}
	}, func() { _, _ = h.Stat() })
	beside(func() {
		for i := range int64(60) { // each one takes the upload over
			size, mode := i%5, uint32(0o600)
			_ = b.Setstat("/upload/x", exchange.Change{Size: &size, Mode: &mode})
		}
	}, func() {
		_, _ = h.Stat()
		_ = h.SetTimes(nil, new(uint32))
		if g, err := a.Open("/upload/x", exchange.FlagWrite, 0); err == nil {
			_ = write(g, "y", 0)
			_ = wait(g.Close)
		}
	})
}

// beside runs one, and calls again repeatedly until one has returned.
func beside(one func(), again func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		one()
	}()
	for {
		select {
		case <-over:
			return
		default:
			again()
		}
	}
}

func together(t *testing.T, w *world) {
	u := w.Customer("acme")
	names := []string{"/upload/a", "/upload/b", "/upload/c.part"}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			for range 12 {
				s := w.login(u)
				for range 25 {
					anything(s, r, names[r.IntN(len(names))], names[r.IntN(len(names))])
				}
				s.End()
			}
		})
	}
	all.Wait()
	s := w.login(u)
	defer s.End()
	for _, name := range names {
		versions, err := s.Versions(name, model.Paging{})
		if fault.Is(err, fault.NotFound) {
			continue
		}
		must(t, err)
		for _, v := range versions {
			r, _, err := s.OpenVersion(name, v.ID)
			must(t, err)
			b, err := io.ReadAll(io.NewSectionReader(r, 0, 1<<40))
			must(t, err)
			must(t, r.Close())
			if sum := sha256.Sum256(b); int64(len(b)) != v.Size || hex.EncodeToString(sum[:]) != v.SHA256 {
				t.Errorf("%s %s: %d bytes, recorded %d; their hash is not the recorded one", name, v.ID, len(b), v.Size)
			}
			w.lies(u, v)
		}
	}
}

// anything does one random operation, which may fail.
func anything(s *tree.Session, r *rand.Rand, name, other string) {
	switch r.IntN(10) {
	case 0:
		_ = s.Rename(name, other, r.IntN(2) == 0)
	case 1:
		_ = s.Remove(name)
	case 2:
		size := int64(r.IntN(3000))
		mode := uint32(0o600)
		_ = s.Setstat(name, exchange.Change{Size: &size, Mode: &mode})
	case 3:
		_, _ = s.Stat(name)
	default:
		flags := []exchange.OpenFlags{create, exchange.FlagWrite | exchange.FlagCreate, update, exchange.FlagRead,
			exchange.FlagWrite | exchange.FlagAppend}[r.IntN(5)]
		h, err := s.Open(name, flags, 0)
		if err != nil {
			return
		}
		for range r.IntN(6) {
			useOnce(h, r)
		}
		if r.IntN(3) > 0 {
			_ = closeHandle(h)
		}
	}
}

// useOnce does one random operation on an open file.
func useOnce(h *tree.Handle, r *rand.Rand) {
	switch r.IntN(6) {
	case 0:
		_ = truncate(h, int64(r.IntN(4000)))
	case 1:
		_ = wait(h.Sync)
	case 2:
		if _, err := h.Stat(); err == nil && h.Ready() == nil {
			_, _ = h.ReadAt(make([]byte, 100), int64(r.IntN(2000)))
		}
	default:
		_ = write(h, string(bytes.Repeat([]byte{byte('a' + r.IntN(26))}, 1+r.IntN(1500))), int64(r.IntN(3000)))
	}
}
