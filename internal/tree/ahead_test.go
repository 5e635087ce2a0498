package tree_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/tree"
)

func TestAFolderIsReadAhead(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"few queries":                 fewQueries,
		"every change is seen":        everyChangeIsSeen,
		"another user's folder":       aheadOfOthers,
		"another folder":              aheadElsewhere,
		"nothing is held when unused": nothingIsHeld,
	})
}

// manyFiles stores files of a few bytes, some in the database and some not, and returns their names in order.
func manyFiles(t *testing.T, s *tree.Session, n int) (files map[string]string, order []string) {
	files = map[string]string{}
	for i := range n {
		name := fmt.Sprintf("file-%04d", i)
		files[name] = fmt.Sprint(i, strings.Repeat("+", i%10))
		put(t, s, "/upload/"+name, files[name])
		order = append(order, name)
	}
	return files, order
}

// fewQueries: a client that takes one file after another, in order, costs few queries.
func fewQueries(t *testing.T, w *world) {
	w.Blobs.Replace(bigSmall)
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	files, order := manyFiles(t, s, 300)
	w.Asked.Watch(func(int, string, bool) error { return nil })
	for _, name := range order {
		if _, err := s.Stat("/upload/" + name); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, "/upload/"+name); got != files[name] {
			t.Fatalf("%s reads %q, want %q", name, got, files[name])
		}
	}
	asked := w.Asked.Stop()
	if len(asked) > 30 {
		t.Errorf("%d queries for %d files:\n%s", len(asked), len(order), strings.Join(asked[:20], "\n"))
	}
}

// everyChangeIsSeen: whatever other sessions do between two look-ups, the next one shows it.
func everyChangeIsSeen(t *testing.T, w *world) {
	u := w.Customer("acme")
	writer, reader := w.login(u), w.login(u)
	defer writer.End()
	defer reader.End()
	folder := "/upload"
	files, order := manyFiles(t, writer, 80)
	for round := range 4 {
		random := rand.New(rand.NewPCG(7, uint64(round)))
		for _, name := range order {
			if random.IntN(4) == 0 {
				folder = w.disturb(t, writer, random, folder, files, order)
			}
			want, there := files[name]
			info, err := reader.Stat(folder + "/" + name)
			if !there {
				wantKind(t, err, fault.NotFound)
				_, err = reader.Open(folder+"/"+name, exchange.FlagRead, 0)
				wantKind(t, err, fault.NotFound)
				continue
			}
			must(t, err)
			if got := get(t, reader, folder+"/"+name); got != want || info.Size != int64(len(want)) {
				t.Fatalf("round %d: %s reads %q with %d bytes, want %q", round, name, got, info.Size, want)
			}
		}
	}
}

// disturb makes one change with another session, or moves bytes out of the database.
func (w *world) disturb(t *testing.T, s *tree.Session, random *rand.Rand, folder string, files map[string]string,
	order []string) string {
	name := order[random.IntN(len(order))]
	_, there := files[name]
	switch random.IntN(7) {
	case 0, 1:
		files[name] = fmt.Sprint("new ", random.IntN(1_000_000_000))
		put(t, s, folder+"/"+name, files[name])
	case 2:
		if there {
			must(t, s.Remove(folder+"/"+name))
			delete(files, name)
		}
	case 3:
		to := order[random.IntN(len(order))]
		if there && to != name {
			must(t, s.Rename(folder+"/"+name, folder+"/"+to, true))
			files[to] = files[name]
			delete(files, name)
		}
	case 4:
		to := fmt.Sprintf("/upload/folder-%d", random.IntN(1_000_000))
		must(t, s.Mkdir(to))
		for name, text := range files {
			must(t, s.Rename(folder+"/"+name, to+"/"+name, false))
			files[name] = text
		}
		return to
	case 5:
		w.Set(w.Clock().Add(2 * time.Hour))
		_, err := w.Blobs.Move(context.Background())
		must(t, err)
	case 6:
		clash := folder + "/" + name
		if !there {
			must(t, s.Mkdir(clash))
			must(t, s.Rmdir(clash))
		}
	}
	return folder
}

// aheadOfOthers: what one user's session has read ahead is not another's.
func aheadOfOthers(t *testing.T, w *world) {
	texts := map[string]string{}
	var sessions []*tree.Session
	for _, name := range []string{"acme", "other"} {
		s := w.login(w.Customer(name))
		defer s.End()
		for i := range 40 {
			put(t, s, fmt.Sprintf("/upload/file-%04d", i), fmt.Sprint(name, i))
		}
		texts[name], sessions = name, append(sessions, s)
	}
	for i := range 40 {
		for j, name := range []string{"acme", "other"} {
			if got := get(t, sessions[j], fmt.Sprintf("/upload/file-%04d", i)); got != fmt.Sprint(name, i) {
				t.Fatalf("%s reads %q", name, got)
			}
		}
	}
}

// aheadElsewhere: a file of one folder is looked at while one of another folder, of the same name, was read ahead.
func aheadElsewhere(t *testing.T, w *world) {
	w.Blobs.Replace(bigSmall)
	s := w.login(w.Customer("acme"))
	defer s.End()
	for _, folder := range []string{"a", "b"} {
		must(t, s.Mkdir("/upload/"+folder))
		for i := range 40 {
			put(t, s, fmt.Sprintf("/upload/%s/%02d", folder, i), fmt.Sprintf("%s of %d", folder, i))
		}
	}
	random := rand.New(rand.NewPCG(5, 6))
	folder := "a"
	for i := 0; i < 400; i++ {
		if random.IntN(8) == 0 {
			folder = []string{"a", "b"}[random.IntN(2)]
		}
		path := fmt.Sprintf("/upload/%s/%02d", folder, i%40)
		if random.IntN(2) == 0 {
			if _, err := s.Stat(path); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := get(t, s, path), fmt.Sprintf("%s of %d", folder, i%40); got != want {
			t.Fatalf("%s reads %q", path, got)
		}
	}
}

// nothingIsHeld: bytes that were read ahead count, up to a bound, and are let go of when nobody asks for them.
func nothingIsHeld(t *testing.T, w *world) {
	w.Blobs.Replace(small.Policy{Bound: 32 << 10, Memory: 64 << 20, Stay: time.Hour})
	u := w.Customer("acme")
	s := w.login(u)
	for i := range 60 {
		put(t, s, fmt.Sprintf("/upload/file-%04d", i), strings.Repeat(fmt.Sprintf("%04d", i), 4<<10))
	}
	for i := range 20 {
		get(t, s, fmt.Sprintf("/upload/file-%04d", i))
	}
	held := w.tree.Held()
	if held == 0 || held > 2*(256<<10)+16<<10 {
		t.Errorf("%d bytes are held after some of the files were read", held)
	}
	for deadline := time.Now().Add(10 * time.Second); w.tree.Held() > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still held", w.tree.Held())
		}
	}
	if got := get(t, s, "/upload/file-0020"); !strings.HasPrefix(got, "0020") {
		t.Errorf("it reads %.10q", got)
	}
	for i := 21; i < 40; i++ {
		get(t, s, fmt.Sprintf("/upload/file-%04d", i))
	}
	s.End()
	if held := w.tree.Held(); held != 0 {
		t.Errorf("%d bytes are held after the session", held)
	}
}
