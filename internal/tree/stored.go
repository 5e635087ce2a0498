package tree

import (
	"io"
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// How stored files are opened for reading. A small one is read whole and compared with its hash at once,
// so that its reads are answered from memory, and damaged bytes are never served as the file.

// maxWhole is the greatest size in bytes of a file that is read whole when it is opened.
const maxWhole = 32 << 10

// openStored opens stored content, and lets go of c.Body.
func (t *Tree) openStored(c *store.Content) (blob.Reader, error) {
	body := c.Body
	c.Body = nil
	if c.Size > maxWhole && body == nil {
		return t.blobs.Open(c.Key, c.Size)
	}
	if body == nil {
		r, err := t.blobs.Open(c.Key, c.Size)
		if err != nil {
			return nil, err
		}
		body = make([]byte, c.Size)
		_, err = io.ReadFull(io.NewSectionReader(r, 0, c.Size), body)
		_ = r.Close() // only read
		if err != nil {
			return nil, fault.Wrap("tree.Open", fault.Unavailable, err)
		}
	}
	if err := (store.Blob{ID: c.BlobID, Size: c.Size, SHA256: c.SHA256}).Check(body); err != nil {
		t.log.Error("a stored file is damaged", "blob", c.BlobID, "key", c.Key, "err", err)
		return nil, err
	}
	if n := int64(len(body)); t.held.Add(n) > t.policy.Load().ReadMemory {
		t.held.Add(-n)
		return &opener{t.blobs, c.Key, c.Size}, nil
	}
	return &heldReader{Reader: blob.Bytes(body), t: t}, nil
}

// heldReader is a file in memory, whose size counts until it is closed.
type heldReader struct {
	blob.Reader
	t    *Tree
	once sync.Once
}

func (r *heldReader) Close() error {
	r.once.Do(func() { r.t.held.Add(-r.Size()) })
	return nil
}

// opener opens a file for each read. It holds neither memory nor a descriptor.
type opener struct {
	blobs blob.Store
	key   string
	size  int64
}

func (o *opener) Size() int64  { return o.size }
func (o *opener) Close() error { return nil }

func (o *opener) ReadAt(p []byte, off int64) (n int, err error) {
	r, err := o.blobs.Open(o.key, o.size)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return r.ReadAt(p, off)
}
