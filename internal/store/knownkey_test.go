package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestShortenedFingerprints: a fingerprint as tables print it was refused by the commands that take one. It stands for
// the one key of the server whose fingerprint begins so, in the case of its letters.
func TestShortenedFingerprints(t *testing.T) {
	whole := func(begins string) string { return "SHA256:" + begins + strings.Repeat("0", 43-len(begins)) }
	held, twin, waits, burned := whole("abcdEFGH+/1"), whole("abcdEFGH+/2"), whole("waitWAIT1"), whole("burnBURN1")
	testkit.OnBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		s, _ := testkit.OpenStore(t, url)
		acme, globex := user(t, s, "acme"), user(t, s, "globex")
		write(t, s, func(tx *store.Tx) error {
			for i, k := range []struct{ user, fp string }{{acme, held}, {globex, held}, {acme, twin}} {
				if err := tx.AddKey(k.user, model.Key{ID: ids.New(), Fingerprint: k.fp, Type: "ssh-ed25519",
					Public: whole(string(rune('a' + i))), Origin: model.OriginSubmitted, CreatedAt: time.Now()}); err != nil {
					return err
				}
			}
			if err := tx.AddPending(model.PendingKey{UserID: acme, Fingerprint: waits, LastAt: time.Now()}, 10); err != nil {
				return err
			}
			return tx.Burn(model.BurnedKey{Fingerprint: burned, How: model.BurnReported, At: time.Now()})
		})
		for _, c := range []struct {
			kind, typed, want string
			fails             fault.Kind
			text              string
		}{
			{model.NounKey, held, held, 0, ""},
			{model.NounKey, "SHA256:abcdEFGH+/1…", held, 0, ""},
			{model.NounKey, "SHA256:abcdEFGH+/1...", held, 0, ""},
			{model.NounKey, "SHA256:abcdEFGH+/1", held, 0, ""},
			{model.NounKey, "sha256:abcdEFGH+/1", held, 0, ""},
			{model.NounKey, " abcdEFGH+/1… ", held, 0, ""},
			{model.NounKey, strings.TrimPrefix(held, "SHA256:") + "=", held, 0, ""},
			{model.NounKey, whole("nobodyhas"), whole("nobodyhas"), 0, ""}, // can be blocked before anybody enrols it
			{model.NounKey, "waitWAIT", waits, 0, ""},
			{model.NounKey, "burnBURN", burned, 0, ""},
			{model.NounPendingKey, "waitWAIT…", waits, 0, ""},
			{model.NounPendingKey, "abcdEFGH+/1", "", fault.NotFound, "No key waits"},
			{model.NounKey, "abcdEFGH…", "", fault.Invalid, held + ", " + twin + "."},
			{model.NounKey, "abcdefgh+/1", "", fault.NotFound, "No user has a key"},
			{model.NounKey, "waitWAI…", "", fault.Invalid, "too short"},
			{model.NounKey, "SHA256:…", "", fault.Invalid, "too short"},
			{model.NounKey, "nothing-like-it", "", fault.NotFound, "no fingerprint"},
			{model.NounKey, "abcdEFG_1", "", fault.NotFound, "no fingerprint"},
			{model.NounKey, held + "0", "", fault.NotFound, "No user has a key"},
		} {
			got, err := s.Known(ctx, c.kind, c.typed)
			switch {
			case c.text == "" && (err != nil || got != c.want):
				t.Errorf("%s %q: %q, %v", c.kind, c.typed, got, err)
			case c.text != "" && (!fault.Is(err, c.fails) || !strings.Contains(fault.PublicText(err), c.text)):
				t.Errorf("%s %q: %q, %v", c.kind, c.typed, got, err)
			case err != nil && fault.HintIn(err) == "" && fault.ActionIn(err) == nil:
				t.Errorf("%s %q has no hint: %v", c.kind, c.typed, err)
			}
		}
	})
}
