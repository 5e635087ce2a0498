package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestSentencesAreInTheZoneOfTheirReader: sentences had times in UTC below headings in the reader's zone.
func TestSentencesAreInTheZoneOfTheirReader(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	testkit.Call[model.User](n, "POST", "/users/acme/rename", map[string]string{"name": "acme-au"})
	ctx := context.Background()
	for name, ends := range map[string]string{"Asia/Tokyo": " JST.", "": " UTC."} {
		c := n.API
		if zone, err := time.LoadLocation(name); name != "" {
			testkit.Must(t, err)
			c = client.InZone(n.API, func(context.Context) *time.Location { return zone })
		}
		e, err := c.Explain(ctx, "acme")
		testkit.Must(t, err)
		if got := e.Summary[0].Text; !strings.HasSuffix(got, ends) {
			t.Errorf("in %q: %q", name, got)
		}
	}
	for zone, want := range map[string]string{"+05:30": "UTC+05:30.", "Nowhere/At all": "There is no time zone"} {
		e, err := client.Call[model.Explained](ctx, n.API, client.Request{Method: "GET", Path: "/explain?about=acme",
			Header: http.Header{model.ZoneHeader: {zone}}})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = e.Summary[0].Text
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q", zone, got)
		}
	}
}
