package feed

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/model"
)

func shortBytes(n, of int64) string { return fmt.Sprintf("%d of %d", n, of) }

// Receipt returns a signed record of a delivery's state. For a collected delivery it says
// "served in full": the partner's connection accepted every byte, which does not prove that the
// file was saved.
func (r *Service) Receipt(ctx context.Context, id string) (string, error) {
	d, err := r.Delivery(ctx, id)
	if err != nil {
		return "", err
	}
	doc := proof.Document{Title: proof.ReceiptTitle}
	add := func(name, value string) {
		if value != "" {
			doc.Fields = append(doc.Fields, proof.Field{Name: name, Value: value})
		}
	}
	add("kind", "delivery")
	add("id", d.ID)
	add("account", d.Account)
	add("user", d.User)
	add("feed", d.Feed)
	add("file", d.Name)
	add("path", d.Path)
	add("issue", strconv.FormatInt(d.Issue, 10))
	add("size", strconv.FormatInt(d.Size, 10))
	add("sha256", d.SHA256)
	add("published", d.PublishedAt.Format(time.RFC3339Nano))
	add("first opened", whenPtr(d.OpenedAt))
	add("served in full", whenPtr(d.CollectedAt))
	add("state", stateWords(d))
	add("key", d.Fingerprint)
	add("address", d.Address)
	add("client", d.Client)
	add("made", r.now().Format(time.RFC3339))
	return r.o.Key.Sign(doc)
}

func stateWords(d model.Delivery) string {
	words := map[model.DeliveryState]string{
		model.DeliveryPublished: "published, not opened yet",
		model.DeliveryOpened:    "opened; served " + shortBytes(d.Served, d.Size) + " bytes",
		model.DeliveryCollected: "served in full (every byte was sent and accepted by the connection; this does not prove " +
			"that it was saved)",
		model.DeliveryExpired:   "removed after its retention period",
		model.DeliveryWithdrawn: "taken back by the operator",
		model.DeliveryReplaced:  "replaced by a newer issue before it was downloaded in full",
	}[d.State]
	if d.EndedAt != nil {
		words += " on " + d.EndedAt.Format(time.DateOnly)
	}
	return words
}

func whenPtr(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}
