package small_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// recorder is a store with the rows that its stages need.
type recorder struct {
	*small.Store
	rows *store.Store
}

func (r recorder) write(fn func(tx *store.Tx) error) error {
	return testkit.Write(context.Background(), r.rows, fn)
}

func (r recorder) Record(key string, size int64, from blob.Carrier) error {
	b, err := recorded(key, size, from)
	if err != nil {
		return err
	}
	return r.write(func(tx *store.Tx) error { return tx.AddBlob(b, 1, time.UnixMicro(1)) })
}

// recorded returns the row of a committed stage.
func recorded(key string, size int64, from blob.Carrier) (b store.Blob, err error) {
	sum := sha256.New()
	_, err = io.Copy(sum, io.NewSectionReader(from, 0, size))
	b = store.Blob{ID: blob.ID(key), Key: key, Size: size, SHA256: sum.Sum(nil)}
	b.Body = from.Carry()
	return b, err
}

func TestBothPlacesKeepTheContract(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := testkit.NewWorld(t, url)
		for _, o := range []small.Policy{{Bound: 32 << 10, Memory: 1 << 20}, {Bound: small.MaxBound, Memory: 1 << 30},
			{Bound: 4096, Memory: 8192}, {Bound: 32 << 10, Memory: 1}, {}} {
			t.Run(fmt.Sprintf("%d bytes, %d in all", o.Bound, o.Memory), func(t *testing.T) {
				roots := map[string]string{}
				blobtest.Run(t, func(t *testing.T) blob.Store {
					if roots[t.Name()] == "" {
						roots[t.Name()] = t.TempDir()
						w.Empty()
					}
					large, err := disk.Open(roots[t.Name()], time.Now)
					testkit.Must(t, err)
					return recorder{small.New(small.Options{Large: large, Rows: w.Store, Policy: o}), w.Store}
				})
			})
		}
	})
}
