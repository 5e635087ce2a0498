package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// copyBlobs stores every blob that the snapshot names and the place lacks.
func (m *making) copyBlobs(ctx context.Context, n *store.Snapshot) error {
	_, total, err := n.CountLive(ctx)
	if err != nil {
		return err
	}
	for after := ""; ; {
		page, err := n.LiveBlobs(ctx, after, blobsPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, b := range page {
			after = b.ID
			copies := m.copyBlob
			if b.Inline { // the snapshot has its bytes
				copies = func(ctx context.Context, b store.Blob) error { return m.checkInline(ctx, n, b) }
			}
			if err := copies(ctx, b); err != nil {
				return err
			}
			m.out.Files++
			if m.out.Bytes += b.Size; m.Progress != nil {
				m.Progress(m.out.Bytes, total)
			}
		}
	}
}

// copyBlob stores one blob. One that is missing or not what its row says is lost, and the backup goes on.
func (m *making) copyBlob(ctx context.Context, b store.Blob) error {
	name := blobName(b.ID)
	if err := checkName(name); err != nil {
		return err
	}
	var sum Sum
	copy(sum[:], b.SHA256)
	if size, there := m.have[name]; !there || !m.to.sized(b.Size, size) {
		err := m.storeBlob(ctx, b, name, sum)
		if errors.Is(err, errDamaged) || errors.Is(err, fs.ErrNotExist) {
			return m.lose(b)
		} else if err != nil {
			return err
		}
		m.out.Copied, m.out.Written = m.out.Copied+1, m.out.Written+b.Size
	}
	m.files = append(m.files, File{name, b.Size, sum})
	m.index.WriteString(b.ID + "\n")
	return nil
}

// checkInline looks at bytes that the snapshot has.
func (m *making) checkInline(ctx context.Context, n *store.Snapshot, b store.Blob) error {
	_, err := n.Body(ctx, b.ID)
	if fault.Is(err, fault.NotFound) || errors.Is(err, store.ErrDamaged) {
		return m.lose(b)
	}
	return err
}

// lose notes that a blob is missing or damaged.
func (m *making) lose(b store.Blob) error {
	if m.out.Lost = append(m.out.Lost, b.Key); len(m.out.Lost) > mostLost {
		return fault.E("backup.copyBlob", fault.Conflict, "More than %d stored files are missing or damaged.", mostLost)
	}
	return nil
}

// errDamaged means that a stored file is not what its row says.
var errDamaged = errors.New("a stored file is damaged")

func (m *making) storeBlob(ctx context.Context, b store.Blob, name string, want Sum) error {
	in, err := os.OpenFile(filepath.Join(m.Data, "blobs", filepath.FromSlash(b.Key)), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	if m.to.stream { // a stream cannot take back what it was given
		if sum, err := m.hash(ctx, in, b.Size); err != nil || sum != want {
			return errors.Join(errDamaged, err)
		}
	}
	r := &reading{ctx: ctx, m: m, in: io.LimitReader(in, b.Size), sum: sha256.New(), want: &want,
		size: b.Size}
	err = m.to.place().put(ctx, name, b.Size, r)
	if r.damaged {
		return errDamaged
	}
	if b.Size > cacheFrom { // a partner may still want it, but the copy does not
		_ = unix.Fadvise(int(in.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	return err
}

// hash reads a whole file.
func (m *making) hash(ctx context.Context, in *os.File, size int64) (Sum, error) {
	r := &reading{ctx: ctx, m: m, in: io.LimitReader(in, size), sum: sha256.New()}
	if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, m.spare); err != nil {
		return Sum{}, err
	}
	_, err := in.Seek(0, io.SeekStart)
	return r.total(), err
}

// reading reads at the limited rate, and hashes. Bytes that do not have the hash that is wanted end in errDamaged, so
// that no place takes them.
type reading struct {
	ctx context.Context
	m   *making
	in  io.Reader
	sum interface {
		io.Writer
		Sum([]byte) []byte
	}
	want    *Sum  // nil: whatever it is
	size    int64 // of what is wanted
	done    int64
	damaged bool
}

// Read implements io.Reader.
func (r *reading) Read(p []byte) (int, error) {
	p = p[:min(len(p), copyBuffer)]
	n, err := r.in.Read(p)
	if n > 0 {
		_, _ = r.sum.Write(p[:n]) // a hash never fails
		if r.m.limit != nil {
			if err := r.m.limit.WaitN(r.ctx, n); err != nil {
				return 0, err
			}
		}
	}
	r.done += int64(n)
	over := err == io.EOF || n > 0 && r.done == r.size                       //nolint:errorlint // files return it as it is
	if r.want != nil && over && (r.done != r.size || r.total() != *r.want) { // before the last bytes are handed on
		r.damaged = true
		return 0, errDamaged
	}
	if ended := r.ctx.Err(); ended != nil {
		return n, ended
	}
	return n, err
}

func (r *reading) total() (s Sum) {
	copy(s[:], r.sum.Sum(nil))
	return s
}
