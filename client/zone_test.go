package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestTimesOfAnswersAreInAZone: times in items, behind pointers and in lists within are put into the
// zone; one that is not set stays so. The zone is asked for only if an answer has a time.
func TestTimesOfAnswersAreInAZone(t *testing.T) {
	answer := `{"items": []}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	zone, asked := time.FixedZone("AEDT", 11*3600), 0
	c := client.InZone(client.Remote(server.URL, ""), func(context.Context) *time.Location {
		asked++
		return zone
	})
	ctx := context.Background()
	if _, err := c.ListDeliveries(ctx, model.DeliveryFilter{}); err != nil || asked != 0 {
		t.Fatalf("an answer without a time: %v, asked %d times", err, asked)
	}
	answer = `{"items": [{"id": "1", "published_at": "2026-11-28T21:21:00Z", "opened_at": "2026-11-28T22:00:00Z"},
		{"id": "2"}]}`
	page, err := c.ListDeliveries(ctx, model.DeliveryFilter{})
	if err != nil || len(page.Items) != 2 {
		t.Fatal(page, err)
	}
	d := page.Items[0]
	if got := d.PublishedAt.Format("15:04 MST"); got != "08:21 AEDT" {
		t.Errorf("a time is %s", got)
	}
	if got := d.OpenedAt.Format("15:04 MST"); got != "09:00 AEDT" {
		t.Errorf("a time behind a pointer is %s", got)
	}
	if !page.Items[1].PublishedAt.IsZero() || page.Items[1].OpenedAt != nil {
		t.Errorf("times that are not set: %+v", page.Items[1])
	}
}
