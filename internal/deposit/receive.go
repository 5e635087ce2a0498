package deposit

import (
	"crypto/sha256"
	"errors"
	"io"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Received is bytes that came in whole, and that a Deposit may store.
type Received struct {
	Stage blob.Stage
	Blob  store.Blob // ID, Size and SHA256
}

// Receive makes a stage, which fill writes from its start to its end. Its bytes are
// hashed on their way. After an error nothing is left.
func Receive(blobs blob.Store, id string, fill func(w io.Writer) error) (Received, error) {
	stage, err := blobs.Stage(id)
	if err != nil {
		return Received{}, err
	}
	in := Received{Stage: stage, Blob: store.Blob{ID: id}}
	out, sum := io.NewOffsetWriter(stage, 0), sha256.New()
	if err := fill(io.MultiWriter(out, sum)); err != nil {
		return Received{}, errors.Join(err, in.Discard())
	}
	in.Blob.Size, _ = out.Seek(0, io.SeekCurrent) // it only tells
	in.Blob.SHA256 = sum.Sum(nil)
	return in, nil
}

// Reread is Receive for a stage that has its bytes already: what lies past size is
// cut, and the rest is read, by also as well. After an error the stage stays.
func Reread(stage blob.Stage, size int64, also io.Writer) (Received, error) {
	if err := stage.Truncate(size); err != nil {
		return Received{}, err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(sum, also), io.NewSectionReader(stage, 0, size)); err != nil {
		return Received{}, fault.Wrap("deposit.Reread", fault.Unavailable, err)
	}
	return Received{Stage: stage, Blob: store.Blob{ID: stage.ID(), Size: size, SHA256: sum.Sum(nil)}}, nil
}

// Discard forgets bytes that no deposit was begun with.
func (in Received) Discard() error { return errors.Join(in.Stage.Discard(), in.Stage.Close()) }

// End lets go of bytes whose deposit came to err, which is certain: those that were
// not stored are discarded. A stage that cannot be is cleared at the next start.
func (in Received) End(err error) {
	if err != nil && !errors.Is(err, blob.ErrSealed) {
		_ = in.Stage.Discard()
	}
	_ = in.Stage.Close() // what is stored is durable
}
