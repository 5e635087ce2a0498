package node

import (
	"testing"

	"github.com/sallyport-sftp/sallyport/model"
)

// TestAWithdrawnFileWasNotSentByThePartner: a letter about a removal says of each file how it came and
// went, and takes no file of ours for one that the partner sent.
func TestAWithdrawnFileWasNotSentByThePartner(t *testing.T) {
	for fetched, want := range map[string]string{
		string(model.DeliveryPublished): "never", string(model.DeliveryOpened): "part",
		string(model.DeliveryCollected): "full",
		string(model.DeliveryWithdrawn): "withdrawn", string(model.DeliveryReplaced): "replaced",
		string(model.DeliveryExpired): "removed", "": "", "received": "sent",
	} {
		if got := downloaded(fetched); got != want {
			t.Errorf("%q is %q, not %q", fetched, got, want)
		}
	}
}
