package connection_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var renamedStories = stories{
	"a renamed user is explained under both names": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		w.login("203.0.113.7", u, k)
		early := w.failed("203.0.113.7", "acme", model.ReasonUnknownKey)
		w.Pass(time.Hour)
		_, err := w.Accounts.RenameUser(ctx, "op:jo", "acme", model.RenameUser{Name: "acme-au"})
		testkit.Must(t, err)
		late := w.failed("203.0.113.7", "acme", model.ReasonUnknownUser)

		old := w.explain("acme")
		if len(old.Explanations) != 3 || !contains(old.Summary,
			"The user acme was renamed to acme-au on 2026-01-05 10:00 UTC. (explain about=acme-au)") {
			t.Errorf("%q, %d connections", old.Summary, len(old.Explanations))
		}
		if e := w.explain("acme-au"); !contains(e.Summary, "Until 2026-01-05 10:00 UTC its name was acme; connections from "+
			"before are under that name. (explain about=acme)") {
			t.Errorf("%q", e.Summary)
		}
		if e := w.explain(early).Explanations[0]; strings.Contains(e.Sentence, "no user") ||
			!strings.Contains(e.Sentence, "Expected: "+k.Fingerprint) {
			t.Errorf("before: %q", e.Sentence)
		}
		if e := w.explain(late).Explanations[0]; !strings.Contains(e.Sentence, `it was renamed to "acme-au"`) ||
			!strings.Contains(e.Advice, "Your username is acme-au now.") {
			t.Errorf("after: %q, %q", e.Sentence, e.Advice)
		}
	},
	"a closed account says until when its users may download": func(t *testing.T, w *world) {
		w.customer("acme")
		w.policy.CloseAccess = model.CloseReadOnly
		w.open()
		_, err := w.Accounts.Close(ctx, "op:jo", "acme", "10d")
		testkit.Must(t, err)
		const until = "Its users may log in read-only until 2026-01-15 09:00 UTC, to download their files."
		if e := w.explain("acme"); !contains(e.Summary, "The account acme is closed. "+until) {
			t.Errorf("%q", e.Summary)
		}
		w.Pass(10 * day)
		if e := w.explain("acme"); !contains(e.Summary, "The account acme is closed.") {
			t.Errorf("%q", e.Summary)
		}
	},
}
