package store_test

import (
	"context"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// TestTextThatIsNoneFailsNoTransaction: storable is the last safeguard if bytes from a client were not
// escaped.
func TestTextThatIsNoneFailsNoTransaction(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		ctx := context.Background()
		for _, text := range []string{"\x80\xff", "a\x00b", "\xed\xa0\x80", "plain", "\u202eé\x1b"} {
			testkit.Must(t, s.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting("name "+text, text) }))
			got, err := s.Read(ctx).Setting("name " + text)
			testkit.Must(t, err)
			if got != valid.Storable(text) {
				t.Errorf("%q reads as %q", text, got)
			}
		}
		if _, err := s.Read(ctx).User("\x80"); !fault.Is(err, fault.NotFound) {
			t.Errorf("a user that nobody has: %v", err)
		}
	})
}
