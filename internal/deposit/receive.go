package deposit

import (
	"crypto/sha256"
	"errors"
	"io"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Received is a stage with all of its bytes and their hash, for a Deposit.
type Received struct {
	Stage blob.Stage
	Blob  store.Blob // ID, Size and SHA256
}

// Receive makes a stage, calls fill to write its bytes from start to end, and hashes them meanwhile.
// After an error the stage is discarded.
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
	in.Blob.Size, _ = out.Seek(0, io.SeekCurrent) // only reads the offset, so it cannot fail
	in.Blob.SHA256 = sum.Sum(nil)
	return in, nil
}

// Reread is Receive for a stage that has its bytes already. It cuts the stage to size, then reads and
// hashes it; the bytes are also written to also. After an error the stage stays.
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

// Discard discards and closes a stage for which Commit was not called.
func (in Received) Discard() error { return errors.Join(in.Stage.Discard(), in.Stage.Close()) }

// End closes the stage after a deposit with the certain outcome err. Bytes that were not stored are
// discarded; if that fails, the next start removes them.
func (in Received) End(err error) {
	if err != nil && !errors.Is(err, blob.ErrSealed) {
		_ = in.Stage.Discard()
	}
	_ = in.Stage.Close() // what is stored is durable
}
