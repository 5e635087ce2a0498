package faults

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver, for a second connection
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// writeRounds is how often each database's server is killed under TestKillNineUnderWrites;
// the variable KILL_ROUNDS asks for more.
const writeRounds = 6

// known is what a client was told of one file.
type known struct {
	acked    []byte // by the last CLOSE that was answered with OK; nil: none
	closing  []byte // what a CLOSE that was not answered would store; nil: none
	now      []byte // the upload as far as its writes were answered
	next     []byte // with the write under way
	promised int    // bytes from the start on that fsync answered for
}

// scribe writes files in every manner, each under names of its own.
type scribe struct {
	id    int
	files map[string]*known
	names []string
	count int
	acks  func()
	wrong error // what no kill explains
}

var errForeign = errors.New("an upload that another channel took over was changed")

// TestKillNineUnderWrites kills the server under random and overlapping writes,
// appends, truncations, several channels on one file, and clients that resume what
// another one began. Sizes are on both sides of the bound of small files, and each start moves those of the rounds
// before out of the database meanwhile. After each start every byte is what its client was told.
func TestKillNineUnderWrites(t *testing.T) {
	rounds := writeRounds
	if n, err := strconv.Atoi(os.Getenv("KILL_ROUNDS")); err == nil {
		rounds = n
	}
	testkit.OnBoth(t, func(t *testing.T, url string) {
		data, yaml := filepath.Join(t.TempDir(), "data"), "storage: {inline_for: 100ms}\n"
		driver, source := "sqlite", "file:"+filepath.Join(data, "sallyport.db")+"?_pragma=busy_timeout(10000)"
		if url != "" {
			yaml += fmt.Sprintf("database: {url: %q}\n", url)
			driver, source = "pgx", url
		}
		s := start(t, data, yaml)
		db, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		key := s.user("acme")
		scribes := make([]*scribe, uploaders)
		for i := range scribes {
			scribes[i] = &scribe{id: i, files: map[string]*known{}}
		}
		acked, resumed := 0, 0
		for range rounds {
			var mu sync.Mutex
			var work sync.WaitGroup
			left, enough := 1+mathrand.IntN(20), make(chan struct{})
			for _, w := range scribes {
				w.acks = func() {
					mu.Lock()
					defer mu.Unlock()
					acked++
					if left--; left == 0 {
						close(enough)
					}
				}
				work.Go(func() { w.work(s, key) })
			}
			<-enough
			time.Sleep(time.Duration(mathrand.IntN(20)) * time.Millisecond) // any moment will do
			s.kill()
			work.Wait()
			s = start(t, data, yaml)
			stored := storedFiles(t, db, data)
			for _, w := range scribes {
				w.check(t, stored)
				resumed += w.resume(t, s, key)
			}
		}
		stored := storedFiles(t, db, data)
		for _, w := range scribes {
			w.check(t, stored)
		}
		moved := 0
		if err := db.QueryRow(`SELECT COUNT(*) FROM blobs b WHERE b.size BETWEEN 1 AND 32768 AND b.body IS NULL
			AND EXISTS (SELECT 1 FROM versions v WHERE v.blob_id = b.id)`).Scan(&moved); err != nil || moved == 0 {
			t.Errorf("%d small files were moved: %v", moved, err)
		}
		t.Logf("%d rounds: %d changes acknowledged, %d uploads resumed by another client", rounds, acked, resumed)
		s.term()
	})
}

// storedFiles reads every file's bytes by its row, which must have their size and hash.
func storedFiles(t *testing.T, db *sql.DB, data string) map[string][]byte {
	t.Helper()
	rows, err := db.Query(`SELECT f.name, f.size, b.sha256, b.key FROM files f JOIN versions v ON v.id = f.version_id
		JOIN blobs b ON b.id = v.blob_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string][]byte{}
	for rows.Next() {
		var name, sum []byte
		var size int64
		var key string
		if err := rows.Scan(&name, &size, &sum, &key); err != nil {
			t.Fatal(err)
		}
		b, err := testkit.StoredBytes(db, filepath.Join(data, "blobs"), key)
		if got := sha256.Sum256(b); err != nil || int64(len(b)) != size || !bytes.Equal(got[:], sum) {
			t.Fatalf("%s has %d bytes of %d, and their hash is not what was recorded: %v", name, len(b), size, err)
		}
		out["/upload/"+string(name)] = b
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// work changes files until the connection breaks.
func (w *scribe) work(s *server, key ssh.Signer) {
	conn, err := ssh.Dial("tcp", s.addr, testkit.ClientConfig("acme", key))
	if err != nil {
		return
	}
	defer conn.Close()
	a, errA := sftp.NewClient(conn)
	b, errB := sftp.NewClient(conn)
	if errors.Join(errA, errB) != nil {
		return
	}
	for err == nil {
		err = []func(a, b *sftp.Client) error{w.scattered, w.sequential, w.sequential, w.change, w.add, w.twoChannels,
			w.twoHandles}[mathrand.IntN(7)](a, b)
	}
	var status *sftp.StatusError
	if errors.As(err, &status) || errors.Is(err, errForeign) || errors.Is(err, os.ErrNotExist) ||
		errors.Is(err, os.ErrPermission) {
		w.wrong = err
	}
}

func (w *scribe) fresh() (string, *known) {
	w.count++
	p := fmt.Sprintf("/upload/w%d-%d", w.id, w.count)
	k := &known{now: []byte{}}
	w.files[p] = k
	w.names = append(w.names, p)
	return p, k
}

// some picks an acknowledged file.
func (w *scribe) some() (string, *known) {
	for range 10 {
		if len(w.names) == 0 {
			break
		}
		p := w.names[mathrand.IntN(len(w.names))]
		if k := w.files[p]; k.acked != nil {
			k.now, k.next, k.promised = bytes.Clone(k.acked), nil, 0
			return p, k
		}
	}
	return "", nil
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(mathrand.Uint32())
	}
	return b
}

func (k *known) write(f *sftp.File, p []byte, at int) error {
	k.next = over(k.now, p, at)
	if _, err := f.WriteAt(p, int64(at)); err != nil {
		return err
	}
	k.now, k.next = k.next, nil
	return nil
}

func over(b, p []byte, at int) []byte {
	out := make([]byte, max(len(b), at+len(p)))
	copy(out, b)
	copy(out[at:], p)
	return out
}

func (k *known) truncate(f *sftp.File, size int) error {
	k.promised = 0
	k.next = over(k.now[:min(size, len(k.now))], nil, size)
	if err := f.Truncate(int64(size)); err != nil {
		return err
	}
	k.now, k.next = k.next, nil
	return nil
}

// close closes a file whose content the client has in now.
func (w *scribe) close(f *sftp.File, k *known) error {
	k.closing = k.now
	if err := f.Close(); err != nil {
		return err
	}
	*k = known{acked: k.now}
	w.acks()
	return nil
}

// scribble makes random changes of an open file.
func (k *known) scribble(f *sftp.File, changes int) (err error) {
	for i := 0; i < changes && err == nil; i++ {
		at := mathrand.IntN(len(k.now) + 1)
		switch mathrand.IntN(6) {
		case 0:
			err = k.truncate(f, at)
		case 1: // a hole before it
			err = k.write(f, noise(1+mathrand.IntN(100)), len(k.now)+mathrand.IntN(3000))
		case 2:
			err = f.Sync()
		default:
			err = k.write(f, noise(1+mathrand.IntN(20_000)), at)
		}
	}
	return err
}

func (w *scribe) scattered(a, _ *sftp.Client) error {
	p, k := w.fresh()
	f, err := a.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err == nil {
		err = k.scribble(f, 1+mathrand.IntN(8))
	}
	if err != nil {
		return err
	}
	return w.close(f, k)
}

// sequential syncs on its way; what was synced must not be lost.
func (w *scribe) sequential(a, _ *sftp.Client) error {
	p, k := w.fresh()
	f, err := a.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	for range 1 + mathrand.IntN(12) {
		if err == nil {
			err = k.write(f, noise(1+mathrand.IntN(30_000)), len(k.now))
		}
		if err == nil && mathrand.IntN(2) == 0 {
			if err = f.Sync(); err == nil {
				k.promised = len(k.now)
			}
		}
	}
	if err != nil {
		return err
	}
	return w.close(f, k)
}

// change changes a stored file in place.
func (w *scribe) change(a, _ *sftp.Client) error {
	p, k := w.some()
	if k == nil {
		return nil
	}
	f, err := a.OpenFile(p, os.O_RDWR)
	if err == nil {
		err = k.write(f, noise(1+mathrand.IntN(5000)), mathrand.IntN(len(k.now)+1))
	}
	if err == nil {
		err = k.scribble(f, mathrand.IntN(4))
	}
	if err != nil {
		return err
	}
	return w.close(f, k)
}

func (w *scribe) add(a, _ *sftp.Client) error {
	p, k := w.some()
	if k == nil {
		return nil
	}
	f, err := a.OpenFile(p, os.O_WRONLY|os.O_APPEND)
	for range 1 + mathrand.IntN(3) {
		if err == nil {
			err = k.write(f, noise(1+mathrand.IntN(5000)), len(k.now))
		}
	}
	if err != nil {
		return err
	}
	return w.close(f, k)
}

// twoChannels: the second one takes the first one's upload over.
func (w *scribe) twoChannels(a, b *sftp.Client) error {
	p, k := w.fresh()
	first, err := a.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err == nil {
		err = k.write(first, noise(1+mathrand.IntN(50_000)), 0)
	}
	if err != nil {
		return err
	}
	second, err := b.OpenFile(p, os.O_WRONLY)
	if err == nil {
		err = k.scribble(second, 1+mathrand.IntN(4))
	}
	if err == nil {
		err = k.write(second, noise(100), len(k.now))
	}
	if err != nil {
		return err
	}
	if _, err := first.WriteAt(noise(10), 0); err == nil {
		return errForeign
	}
	if err := w.close(second, k); err != nil {
		return err
	}
	if err := first.Close(); err == nil {
		return errForeign
	}
	return nil
}

// twoHandles: the first CLOSE stores what both wrote.
func (w *scribe) twoHandles(a, _ *sftp.Client) error {
	p, k := w.fresh()
	first, err := a.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	second, err := a.OpenFile(p, os.O_WRONLY)
	for i := 0; i < 4 && err == nil; i++ {
		f := first
		if i%2 == 1 {
			f = second
		}
		err = k.write(f, noise(1+mathrand.IntN(10_000)), mathrand.IntN(len(k.now)+1))
	}
	if err != nil {
		return err
	}
	k.closing = k.now
	if err := w.close(first, k); err != nil {
		return err
	}
	return second.Close()
}

// check compares what is stored with what the client was told. A CLOSE that got
// no answer may have taken effect; from now on it has, or it has not.
func (w *scribe) check(t *testing.T, stored map[string][]byte) {
	t.Helper()
	if w.wrong != nil {
		t.Fatal(w.wrong)
	}
	for p, k := range w.files {
		got, there := stored[p]
		switch {
		case there && k.acked != nil && bytes.Equal(got, k.acked):
		case there && k.closing != nil && bytes.Equal(got, k.closing):
			*k = known{acked: k.closing}
		case there || k.acked != nil:
			t.Fatalf("%s: stored %v, %d bytes; acknowledged were %d, under way %d", p, there, len(got), len(k.acked),
				len(k.closing))
		}
	}
}

// resume finishes what the kill cut off, as a client does that was told nothing.
func (w *scribe) resume(t *testing.T, s *server, key ssh.Signer) (resumed int) {
	t.Helper()
	c := s.mustSFTP("acme", key)
	defer c.Close()
	for p, k := range w.files {
		if k.now == nil {
			continue
		}
		info, err := c.Stat(p)
		size := 0
		if err == nil && info.ModTime().Unix() == 0 {
			size = int(info.Size())
		}
		if size+1 < k.promised {
			t.Fatalf("%s: %d bytes can be resumed, %d were synced", p, size, k.promised)
		}
		if size == 0 {
			if k.acked == nil {
				delete(w.files, p)
			}
			*k = known{acked: k.acked}
			continue
		}
		k.partial(t, c, p, size)
		rest := noise(1 + mathrand.IntN(1000))
		f, err := c.OpenFile(p, os.O_WRONLY)
		if err == nil {
			err = k.write(f, rest, size)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatalf("%s: resuming at %d: %v", p, size, err)
		}
		*k = known{acked: k.now}
		resumed++
		if got, err := get(c, p); err != nil || !bytes.Equal(got, k.acked) {
			t.Fatalf("%s reads %d bytes after it was resumed, want %d: %v", p, len(got), len(k.acked), err)
		}
	}
	names := w.names[:0]
	for _, p := range w.names {
		if w.files[p] != nil {
			names = append(names, p)
		}
	}
	w.names = names
	return resumed
}

// partial reads what a partial has: byte for byte what was written last, or what
// the write without an answer would have made of it.
func (k *known) partial(t *testing.T, c *sftp.Client, p string, size int) {
	t.Helper()
	got, err := get(c, p)
	if err != nil || len(got) < size {
		t.Fatalf("%s shows %d bytes and reads %d: %v", p, size, len(got), err)
	}
	for i, b := range got[:size] {
		if !(i < len(k.now) && k.now[i] == b) && !(i < len(k.next) && k.next[i] == b) {
			t.Fatalf("%s: byte %d of the partial's %d was never written there", p, i, size)
		}
	}
	k.now = bytes.Clone(got[:size])
}
