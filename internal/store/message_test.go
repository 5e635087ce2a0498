package store_test

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestMessagesOfATime: messages are listed since and until a time, from either end, page by page.
func TestMessagesOfATime(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		start := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
		at := start
		ids := exchange.NewIDs(func() time.Time { return at }, rand.Reader)
		for _, target := range []string{"a", "b", "c", "d"} {
			write(t, s, func(tx *store.Tx) error {
				return tx.AddMessage(model.Message{ID: ids.New(), Channel: model.ChannelMail, Target: target, Kind: "key",
					CreatedAt: at})
			})
			at = at.Add(time.Hour)
		}
		for _, c := range []struct {
			span    model.Span
			reverse bool
			want    []string
		}{
			{model.Span{}, false, []string{"d", "c", "b", "a"}},
			{model.Span{}, true, []string{"a", "b", "c", "d"}},
			{model.Span{Since: start.Add(time.Hour)}, false, []string{"d", "c", "b"}},
			{model.Span{Until: start.Add(2 * time.Hour)}, false, []string{"b", "a"}},
			{model.Span{Since: start.Add(time.Hour), Until: start.Add(3 * time.Hour)}, true, []string{"b", "c"}},
			{model.Span{Since: start.Add(9 * time.Hour)}, false, nil},
		} {
			var targets []string
			for f := (model.MessageFilter{Span: c.span, Order: model.Order{Reverse: c.reverse},
				Paging: model.Paging{Limit: 1}}); ; {
				list, err := s.Read(context.Background()).Messages(f)
				testkit.Must(t, err)
				if len(list) == 0 {
					break
				}
				targets, f.Cursor = append(targets, list[0].Target), list[0].ID
			}
			if !slices.Equal(targets, c.want) {
				t.Errorf("%+v, the other way round: %v: %v, want %v", c.span, c.reverse, targets, c.want)
			}
		}
	})
}
