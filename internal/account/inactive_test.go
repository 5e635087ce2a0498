package account_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// inactive is a world whose users end after 90 days, with 30 days of notice.
type inactive struct {
	*testkit.World
	live string // id of a user that is logged in
}

func beginInactive(w *inactive, t testing.TB) *inactive {
	w.Begin(t)
	w.live = ""
	w.Policy.Inactive = account.InactivePolicy{After: 90 * testkit.Day, Notice: 30 * testkit.Day,
		Kinds: []model.UserKind{model.KindCustomer}}
	w.OpenAccounts()
	return w
}

// after lets days pass, and returns who is disabled and what notices there are.
func (w *inactive) after(days int) (disabled, notices []string) {
	w.Helper()
	for range days {
		w.Pass(testkit.Day)
		w.Must(w.Accounts.EndInactive(context.Background(), func(id string) bool { return id == w.live }))
	}
	return w.Texts(`SELECT name FROM users WHERE enabled = 0 ORDER BY name`),
		w.Texts(`SELECT u.name || ' ' || n.kind FROM notices n JOIN users u ON u.id = n.user_id ORDER BY n.id`)
}

func TestInactive(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, &inactive{World: testkit.NewWorld(t, url)}, beginInactive, inactiveStories)
	})
}

var inactiveStories = testkit.Stories[*inactive]{
	"a user that was never used counts from its creation": func(t *testing.T, w *inactive) {
		w.Customer("acme")
		w.Person("acme", "jo@acme.example")
		w.Vendor("carrier", "acme")
		if disabled, notices := w.after(60); len(disabled)+len(notices) > 0 {
			t.Error("too early:", disabled, notices)
		}
		if disabled, notices := w.after(1); len(disabled) > 0 || !slices.Equal(notices, []string{"acme user.inactive"}) {
			t.Error(disabled, notices)
		}
		if disabled, _ := w.after(28); len(disabled) > 0 {
			t.Error("too early:", disabled)
		}
		disabled, notices := w.after(3)
		if !slices.Equal(disabled, []string{"acme"}) || !slices.Equal(notices, []string{"acme user.inactive",
			"acme user.ended"}) || !slices.Equal(w.Audited("user.disable"), []string{"system:keeper"}) {
			t.Error(disabled, notices, w.Audited("user.disable"))
		}
		list, err := w.Accounts.Notices(context.Background(), model.NoticeFilter{})
		w.Must(err)
		if !slices.Equal(list[0].To, []string{"jo@acme.example"}) ||
			!strings.Contains(list[0].Text, "disable it on 2026-04-0") {
			t.Errorf("%+v", list[0])
		}
	},
	"a log-in counts, and so does enabling": func(t *testing.T, w *inactive) {
		w.Customer("acme")
		w.Enrol("acme")
		w.after(80)
		w.Exec(`UPDATE keys SET last_used_at = $1`, w.Clock().UnixMicro())
		if disabled, _ := w.after(80); len(disabled) > 0 {
			t.Error(disabled)
		}
		if disabled, _ := w.after(11); len(disabled) != 1 {
			t.Fatal("it was not disabled")
		}
		_, err := w.Accounts.SetUser(context.Background(), "kim", "acme", model.EditUser{Enabled: new(true)})
		w.Must(err)
		if disabled, _ := w.after(89); len(disabled) > 0 {
			t.Error("it was disabled again at once")
		}
		if disabled, _ := w.after(3); len(disabled) != 1 {
			t.Error("it is never disabled again")
		}
	},
	"who is told late is disabled late": func(t *testing.T, w *inactive) {
		w.Customer("acme")
		w.Pass(400 * testkit.Day) // before the policy was set
		if disabled, notices := w.after(30); len(disabled) > 0 || len(notices) != 1 {
			t.Error(disabled, notices)
		}
		if disabled, _ := w.after(2); len(disabled) != 1 {
			t.Error(disabled)
		}
	},
	"a live session is use": func(t *testing.T, w *inactive) {
		w.live = w.Customer("acme").ID
		if disabled, notices := w.after(200); len(disabled)+len(notices) > 0 {
			t.Error(disabled, notices)
		}
	},
	"the list asks for any period": func(t *testing.T, w *inactive) {
		w.Customers("acme", "globex")
		w.Enrol("globex")
		w.Pass(100 * testkit.Day)
		w.Exec(`UPDATE keys SET last_used_at = $1`, w.Clock().UnixMicro())
		list, err := w.Accounts.Users(context.Background(), model.UserFilter{Inactive: "90d"})
		w.Must(err)
		if len(list) != 1 || list[0].Name != "acme" {
			t.Errorf("%+v", list)
		}
	},
}
