package store_test

import (
	"context"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestEveryNounIsLookedUpAndCompleted: each kind of name has statements that both databases take. A
// name that nothing has is not found, however odd it is, and completes nothing.
func TestEveryNounIsLookedUpAndCompleted(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		s, _ := testkit.OpenStore(t, url)
		user(t, s, "acme")
		for _, kind := range []string{model.NounAccount, model.NounUser, model.NounVendor, model.NounFeed,
			model.NounWebhook, model.NounReceiver, model.NounOwner, model.NounPublication, model.NounRun} {
			for _, odd := range []string{"nothing", "", "a'b", "100%", "_", "\x00", "é", `\`} {
				if _, err := s.Known(ctx, kind, odd); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s %q: %v", kind, odd, err)
				}
			}
		}
		for _, kind := range []string{model.NounAccount, model.NounUser, model.NounOwner} {
			if name, err := s.Known(ctx, kind, "ACME"); err != nil || name != "acme" {
				t.Errorf("%s ACME: %q, %v", kind, name, err)
			}
		}
		for _, kind := range []string{model.NounAccount, model.NounUser, model.NounVendor, model.NounOwner, model.NounFeed,
			model.NounWebhook, model.NounReceiver, model.NounContact, model.NounKey, model.NounPendingKey, model.NounDelivery,
			model.NounDrop, model.NounMessage, model.NounNotice, model.NounLink, model.NounHold, model.NounRun,
			model.NounExpectation, model.NounConsumer, model.NounBan} {
			for _, prefix := range []string{"", "ac", "%", "_", "!", `\`, "'", "\x00"} {
				list, err := s.Complete(ctx, model.CompleteQuery{Kind: kind, Prefix: prefix, User: "acme"})
				testkit.Must(t, err)
				has := kind == model.NounAccount || kind == model.NounUser || kind == model.NounOwner
				if want := has && (prefix == "" || prefix == "ac"); (len(list) > 0) != want {
					t.Errorf("%s %q: %v", kind, prefix, list)
				}
			}
		}
		_, err := s.Complete(ctx, model.CompleteQuery{Kind: "nothing"})
		testkit.WantKind(t, err, fault.Invalid)
	})
}
