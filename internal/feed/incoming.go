package feed

import (
	"context"
	"errors"
	"io"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Incoming is a file that a program writes over SFTP, before it is published. Writes may come
// in any order. It is not safe for concurrent use.
type Incoming struct {
	r     *Service
	id    string
	stage blob.Stage
	size  int64
	over  bool  // published, discarded or given back, or its outcome is unknown
	held  *Held // not nil if it was on hold before
}

// NewIncoming returns an empty file. The caller must end it with Publish, Hold or Discard.
func (r *Service) NewIncoming() (*Incoming, error) {
	if err := r.checkFree(0); err != nil {
		return nil, err
	}
	id := r.o.IDs.New()
	stage, err := r.o.Blobs.Stage(id)
	return &Incoming{r: r, id: id, stage: stage}, err
}

// maxAhead is how many bytes past its end a file may be written. Clients send several parts at
// once, so that parts can arrive out of order, but a file with a large hole must not be
// published.
const maxAhead = 64 << 20

// Size returns the current size in bytes.
func (i *Incoming) Size() int64 { return i.size }

// ReadAt reads what was written. At or past the end it returns io.EOF.
func (i *Incoming) ReadAt(p []byte, off int64) (int, error) {
	if off >= i.size {
		return 0, io.EOF
	}
	n, err := i.stage.ReadAt(p[:min(int64(len(p)), i.size-off)], off)
	if errors.Is(err, io.EOF) && n > 0 {
		err = nil
	}
	return n, err
}

// WriteAt writes p at an offset. It returns TooLarge past the size limit and Invalid too far
// past the end.
func (i *Incoming) WriteAt(p []byte, off int64) error {
	const op = "feed.Incoming"
	end := off + int64(len(p))
	if off < 0 || end < off || end > i.r.bounds.Load().MaxFile {
		return fault.E(op, fault.TooLarge, "The file is larger than the limit of %d bytes.", i.r.bounds.Load().MaxFile)
	}
	if off > i.size+maxAhead {
		return fault.E(op, fault.Invalid, "A file here is written from its start on.")
	}
	if err := i.r.checkFree(0); err != nil {
		return err
	}
	if _, err := i.stage.WriteAt(p, off); err != nil {
		return err
	}
	i.size = max(i.size, end)
	return nil
}

// Truncate sets the size, within the limits of WriteAt.
func (i *Incoming) Truncate(size int64) error {
	if size < 0 || size > i.r.bounds.Load().MaxFile {
		return fault.E("feed.Incoming", fault.TooLarge, "The file is larger than the limit of %d bytes.",
			i.r.bounds.Load().MaxFile)
	}
	if size > i.size+maxAhead {
		return fault.E("feed.Incoming", fault.Invalid, "A file here is written from its start on.")
	}
	i.size = size
	return i.stage.Truncate(size)
}

// Sync makes what was written durable, but does not publish it. A crash before Publish or Hold
// loses the file, and the program must write it again.
func (i *Incoming) Sync() error { return i.stage.Sync(i.size, nil, "") }

// Discard deletes the file. It does nothing once the file is over.
func (i *Incoming) Discard() error {
	if i.over {
		return nil
	}
	i.over = true
	return errors.Join(i.stage.Discard(), i.stage.Close())
}

// GiveBack puts a file that was taken off hold on hold again. It does nothing if the file was
// not on hold before or is over.
func (i *Incoming) GiveBack() {
	if i.held != nil && !i.over {
		i.r.giveBack(i)
	}
}

// Over reports whether the caller no longer owns the file: it was published, discarded or put
// on hold, or the outcome of its publication is unknown.
func (i *Incoming) Over() bool { return i.over }

// Publish publishes the file in a feed, as Service.Publish does. Once its deposit began, the
// file is over; after an earlier error Publish can be called again. A file that was on hold is
// on hold again after any error that means that it was not published.
func (i *Incoming) Publish(ctx context.Context, actor string, p Publication) (out model.Publication, err error) {
	defer func() {
		if err != nil {
			i.GiveBack()
		}
	}()
	r := i.r
	p.Size = -1
	f, err := r.admit(ctx, &p)
	if err != nil {
		return model.Publication{}, err
	}
	if reached, err := r.reaches(r.o.Store.Read(ctx), f, p); err != nil {
		return model.Publication{}, err
	} else if !reached {
		return model.Publication{}, noRecipient(p)
	}
	look := r.newContentCheck(p)
	in, err := deposit.Reread(i.stage, i.size, look)
	if err != nil {
		return model.Publication{}, err
	}
	flag, err := r.declared(p, in.Blob, look)
	if err != nil {
		return model.Publication{}, err
	}
	i.over = true
	return r.publishStage(ctx, actor, f, p, received{Received: in, flag: flag, held: i})
}
