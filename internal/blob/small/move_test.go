package small_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// shelf is a store of small files over a driver that fails on command.
type shelf struct {
	*testkit.World
	large *blobtest.Faulty
	small *small.Store
	texts map[string][]byte // by key
}

func (s *shelf) begin(t testing.TB) *shelf {
	t.Helper()
	s.Begin(t)
	large, err := disk.Open(s.Root, s.Clock)
	s.Must(err)
	s.large, s.texts = blobtest.NewFaulty(large, nil), map[string][]byte{}
	s.small = small.New(small.Options{Large: s.large, Rows: s.Store, Clock: s.Clock, Log: slog.New(slog.DiscardHandler),
		Policy: small.Policy{Bound: 32 << 10, Memory: 1 << 20, Stay: time.Hour}})
	return s
}

// keep stores n files of growing sizes.
func (s *shelf) keep(n int) {
	s.Helper()
	for i := range n {
		text := bytes.Repeat([]byte{byte(i)}, i*100)
		id := s.IDs.New()
		key := blob.Key("owner", id, "x", s.Clock())
		g, err := s.small.Stage(id)
		s.Must(err)
		_, err = g.WriteAt(text, 0)
		s.Must(err)
		s.Must(g.Commit(key, int64(len(text))))
		b, err := recorded(key, int64(len(text)), g.(blob.Carrier))
		s.Must(err)
		s.Write(func(tx *store.Tx) error { return tx.AddBlob(b, 1, s.Clock()) })
		s.Must(g.Settle())
		s.Must(g.Close())
		s.texts[key] = text
	}
}

// check reads every file.
func (s *shelf) check() {
	s.Helper()
	for key, want := range s.texts {
		r, err := s.small.Open(key, int64(len(want)))
		s.Must(err)
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		s.Must(err)
		s.Must(r.Close())
		if !bytes.Equal(got, want) {
			s.Fatalf("%s has %d bytes, not %d, or others", key, len(got), len(want))
		}
	}
}

// left counts the files that the database has.
func (s *shelf) left() int64 {
	s.Helper()
	use, err := s.Store.Read(context.Background()).BodyUse()
	s.Must(err)
	return use.Count
}

func (s *shelf) move(want int) {
	s.Helper()
	if n, err := s.small.Move(context.Background()); err != nil || n != want {
		s.Fatalf("%d were moved, not %d: %v", n, want, err)
	}
	s.check()
}

var moves = testkit.Stories[*shelf]{
	"what is old enough moves, and reads on": func(t *testing.T, s *shelf) {
		s.keep(30)
		s.Pass(59 * time.Minute)
		s.keep(10)
		s.move(0)
		s.Pass(2 * time.Minute)
		s.move(30)
		if n, use := s.left(), s.small.Use(); n != 10 || use.Count != 10 || use.Bytes != 4500 {
			t.Fatalf("%d are left; %+v", n, use)
		}
		s.move(0)
		s.Pass(time.Hour)
		s.move(10)
		if n, use := s.left(), s.small.Use(); n != 0 || use != (store.BodyUse{}) {
			t.Fatalf("%d are left; %+v", n, use)
		}
	},
	"a move that fails anywhere loses nothing, and is repeated": func(t *testing.T, s *shelf) {
		s.keep(20)
		s.Pass(2 * time.Hour)
		for _, f := range []blobtest.Fault{{Fail: true}, {Late: true}} {
			s.large.Plan(func(op blobtest.Op, _ string) blobtest.Fault {
				if op == blobtest.OpPut {
					return f
				}
				return blobtest.Fault{}
			})
			if n, err := s.small.Move(context.Background()); err == nil {
				t.Fatalf("%d were moved", n)
			}
			s.check()
			if n := s.left(); n != 20 {
				t.Fatalf("%d are left", n)
			}
		}
		s.large.Plan(nil)
		s.move(20)
	},
	"a process that dies between the bytes and the rows loses nothing": func(t *testing.T, s *shelf) {
		s.keep(20)
		s.Pass(2 * time.Hour)
		ctx, cancel := context.WithCancel(context.Background())
		s.large.Plan(func(op blobtest.Op, _ string) blobtest.Fault {
			return blobtest.Fault{After: func() {
				if op == blobtest.OpPut {
					cancel()
				}
			}}
		})
		if n, err := s.small.Move(ctx); err == nil {
			t.Fatalf("%d were moved", n)
		}
		s.large.Plan(nil)
		s.check()
		if n := s.left(); n != 20 {
			t.Fatalf("%d are left", n)
		}
		s.move(20)
	},
	"damaged bytes are neither served nor moved": func(t *testing.T, s *shelf) {
		s.keep(3)
		_, err := s.DB.Exec(`UPDATE bodies SET bytes = $1 WHERE id = (SELECT MAX(id) FROM bodies)`, make([]byte, 200))
		testkit.Must(t, err)
		s.Pass(2 * time.Hour)
		if n, err := s.small.Move(context.Background()); n != 2 || err != nil {
			t.Fatalf("%d were moved: %v", n, err)
		}
		damaged := 0
		for key, text := range s.texts {
			if _, err := s.small.Open(key, int64(len(text))); fault.Is(err, fault.Unavailable) {
				damaged++
			}
		}
		if n := s.left(); damaged != 1 || n != 1 {
			t.Fatalf("%d are damaged, %d are left", damaged, n)
		}
	},
	"a dead file is not moved, and goes with its row": func(t *testing.T, s *shelf) {
		s.keep(2)
		var dead string
		for key := range s.texts {
			dead = key
		}
		delete(s.texts, dead)
		s.Write(func(tx *store.Tx) error { return tx.ReleaseBlob(blob.ID(dead), s.Clock()) })
		s.Pass(2 * time.Hour)
		s.move(1)
		if n := s.left(); n != 1 {
			t.Fatalf("%d are left", n)
		}
		s.Write(func(tx *store.Tx) error { return tx.ForgetBlob(blob.ID(dead)) })
		if n := s.left(); n != 0 {
			t.Fatalf("%d are left", n)
		}
	},
	"reads during moves never fail": func(t *testing.T, s *shelf) {
		s.keep(50)
		s.Pass(2 * time.Hour)
		stop, done := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				for key, want := range s.texts {
					r, err := s.small.Open(key, int64(len(want)))
					if err == nil {
						var got []byte
						got, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
						if _ = r.Close(); err == nil && !bytes.Equal(got, want) {
							err = fmt.Errorf("%s differs", key)
						}
					}
					if err != nil {
						done <- err
						return
					}
				}
			}
		}()
		n, err := s.small.Move(context.Background())
		close(stop)
		testkit.Must(t, <-done)
		testkit.Must(t, err)
		if n != 50 {
			t.Fatalf("%d were moved", n)
		}
	},
}

func TestFilesMoveOutOfTheDatabase(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, &shelf{World: testkit.NewWorld(t, url)}, (*shelf).begin, moves)
	})
}

// TestStagesHaveBoundedMemory: a thousand uploads at once.
func TestStagesHaveBoundedMemory(t *testing.T) {
	s := (&shelf{World: testkit.NewWorld(t, "")}).begin(t)
	const most = 1 << 20
	text := bytes.Repeat([]byte("x"), 32<<10)
	var open []blob.Stage
	for range 1000 {
		g, err := s.small.Stage(s.IDs.New())
		testkit.Must(t, err)
		_, err = g.WriteAt(text, 0)
		testkit.Must(t, err)
		if used := s.small.Used(); used > most {
			t.Fatalf("%d stages have %d bytes", len(open), used)
		}
		open = append(open, g)
	}
	if used := s.small.Used(); used < most/2 {
		t.Fatalf("all stages have %d bytes", used)
	}
	for i, g := range open {
		got := make([]byte, len(text))
		if _, err := g.ReadAt(got, 0); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("stage %d: %v", i, err)
		}
		testkit.Must(t, g.Discard())
		testkit.Must(t, g.Close())
	}
	if used := s.small.Used(); used != 0 {
		t.Fatalf("%d bytes are still used", used)
	}
}
