package api_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// A sheet for a region's partner once named the support of another.
func TestATracedFilesSheetHasTheSupportOfItsRegion(t *testing.T) {
	n := testkit.Start(t, func(c *config.Config) {
		c.Support = exchange.Support{Email: "help@example.com", Phone: "+1 555 0100"}
		c.Regions = map[string]config.Region{"au": {Support: exchange.Support{Email: "au@example.com"}}}
	})
	n.User("acme")
	testkit.Call[model.Account](n, "PATCH", "/accounts/acme", map[string]string{"region": "au"})
	n.User("globex")
	for account, help := range map[string]string{"acme": "au@example.com, +1 555 0100",
		"globex": "help@example.com, +1 555 0100"} {
		v := testkit.Call[model.Sheet](n, "GET", "/trace?about=invoice.pdf&exact=true&account="+account, nil)
		if !strings.Contains(strings.Join(strings.Fields(v.Sheet), " "), help) {
			t.Errorf("%q: the sheet does not name %s:\n%s", account, help, v.Sheet)
		}
	}
}
