package account_test

import (
	"context"
	"maps"
	"net/netip"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = testkit.Day

var ctx = context.Background()

// world is the account service on a real database, together with the service for links.
type world struct {
	*testkit.World
	links *handover.Service
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin starts a story with an empty world.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	w.Policy.Help, w.Policy.Regions = "help@example.com", map[string]string{"au": "help@example.com.au"}
	w.Policy.AfterClose, w.Policy.CloseAccess, w.Policy.KeepNames = 30*day, model.CloseReadOnly, 100*day
	w.OpenAccounts()
	w.links = handover.New(w.Store, w.Clock, w.IDs)
	return w
}

type stories = testkit.Stories[*world]

func TestAccounts(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, accountStories, contactStories, enrolStories, rotateStories,
			freezeStories, burnStories, revokeManyStories, pendingStories, keeperStories, loginStories, auditStories,
			closeStories, limitStories, dirStories, renameStories, removeStories, policyStories)
	})
}

// add enrols keys; change may set more fields.
func (w *world) add(user, text string, change ...func(*model.NewKey)) ([]model.Key, error) {
	n := model.NewKey{Text: text}
	for _, c := range change {
		c(&n)
	}
	return w.Accounts.AddKeys(ctx, "test", user, n)
}

// reason returns the result of a log-in from an arbitrary address.
func (w *world) reason(user, fingerprint string) string {
	w.Helper()
	_, reason, err := w.Accounts.Check(ctx, user, fingerprint, netip.MustParseAddr("203.0.113.7"))
	w.Must(err)
	return reason
}

// wantReason fails unless a log-in has this result.
func (w *world) wantReason(user string, p testkit.Pair, reason string) {
	w.Helper()
	if got := w.reason(user, p.Print); got != reason {
		w.Fatalf("a log-in of %s: %s, want %s", user, got, reason)
	}
}

// states returns the states of a user's keys by fingerprint.
func (w *world) states(user string) map[string]model.KeyState {
	w.Helper()
	list, err := w.Accounts.Keys(ctx, user)
	w.Must(err)
	out := map[string]model.KeyState{}
	for _, k := range list {
		out[k.Fingerprint] = k.State
	}
	return out
}

func (w *world) wantStates(user string, want map[string]model.KeyState) {
	w.Helper()
	if got := w.states(user); !maps.Equal(got, want) {
		w.Fatalf("the keys of %s are %v, want %v", user, got, want)
	}
}

// notices counts the notices by kind.
func (w *world) notices() map[string]int {
	w.Helper()
	list, err := w.Accounts.Notices(ctx, model.NoticeFilter{All: true})
	w.Must(err)
	out := map[string]int{}
	for _, n := range list {
		out[n.Kind]++
	}
	return out
}

// revocations returns the reasons of the revocations of a user's key.
func (w *world) revocations(u model.User, p testkit.Pair) (out []string) {
	w.Helper()
	list, err := w.Store.Read(ctx).RevocationsAfter(0)
	w.Must(err)
	for _, r := range list {
		if r.UserID == u.ID && r.Fingerprint == p.Print {
			out = append(out, r.Reason)
		}
	}
	return out
}
