package onboard_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// world is a database with the service of requests. Letters are noted, not sent.
type world struct {
	*testkit.World
	policy  onboard.Policy
	service *onboard.Service
	feeds   *feed.Service

	mu      sync.Mutex
	letters []onboard.Letter
}

func begin(w *world, t testing.TB) *world {
	w.Begin(t)
	w.OpenBlobs()
	w.policy = onboard.Policy{Open: true, AnswerWithin: 48 * time.Hour, VerifyWithin: 72 * time.Hour,
		RemindAfter: 7 * testkit.Day, ExpireAfter: 30 * testkit.Day, Feeds: []string{"*"}, PerAddress: 10, PerEmail: 3,
		Unverified: 50, PerHour: 100}
	w.open()
	return w
}

// open makes the service anew, as a restart does.
func (w *world) open() {
	w.letters = nil
	w.feeds = feed.New(feed.Options{Store: w.Store, Blobs: w.Blobs, Clock: w.Clock, IDs: w.IDs, Key: w.Key,
		Bounds: feed.Bounds{MaxFile: 1 << 20}})
	w.service = onboard.New(onboard.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs,
		Log: slog.New(slog.DiscardHandler), Accounts: w.Accounts, Feeds: w.feeds, Policy: w.policy,
		Mail: func(_ *store.Tx, l onboard.Letter) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.letters = append(w.letters, l)
			return nil
		}})
}

// last returns the latest letter of a kind.
func (w *world) last(kind string) onboard.Letter {
	w.Helper()
	for i := len(w.letters) - 1; i >= 0; i-- {
		if w.letters[i].Kind == kind {
			return w.letters[i]
		}
	}
	w.Fatalf("no letter of kind %s was written", kind)
	return onboard.Letter{}
}

// form is a request that is filled in well.
func (w *world) form(change ...func(*model.NewRequest)) model.NewRequest {
	n := model.NewRequest{FirstName: "Jo", LastName: "Hill", Email: "jo@acme.example", Phone: "+61 2 5550 0000",
		Company: "ACME Telecom", AccountNumber: "acme", Key: testkit.NewPair(w).Line, Message: "Hello."}
	for _, c := range change {
		c(&n)
	}
	return n
}

// kinds returns the kinds of the letters since the last call.
func (w *world) kinds() (out []string) {
	w.Helper()
	for _, l := range w.letters {
		out = append(out, l.Kind)
	}
	slices.Sort(out)
	w.letters = nil
	return slices.Compact(out)
}

// submitted sends a form, and returns the secret of the link that confirms the address.
func (w *world) submitted(change ...func(*model.NewRequest)) (reference, secret string) {
	w.Helper()
	in, err := w.service.Submit(ctx, w.form(change...), "192.0.2.7")
	w.Must(err)
	return in.Reference, w.last(onboard.MailVerify).Secret
}

// confirmed sends a form and confirms the address. It returns the secret of the status page.
func (w *world) confirmed(change ...func(*model.NewRequest)) (reference, status string) {
	w.Helper()
	reference, secret := w.submitted(change...)
	v, err := w.service.Verify(ctx, secret)
	w.Must(err)
	return reference, v.Status
}

// state returns the state of a request.
func (w *world) state(reference string) model.RequestState {
	w.Helper()
	r, err := w.service.Request(ctx, reference)
	w.Must(err)
	return r.State
}

// inState makes a request that is in a state. It returns the secret of the status page, or of the link that
// confirms the address.
func (w *world) inState(state model.RequestState) (reference, secret string) {
	w.Helper()
	n := w.Count("requests")
	number := fmt.Sprintf("acct%d", n)
	fill := func(r *model.NewRequest) {
		r.AccountNumber, r.Email = number, fmt.Sprintf("jo%d@acme.example", n)
	}
	if state == model.RequestUnverified || state == model.RequestExpired {
		reference, secret = w.submitted(fill)
		if state == model.RequestExpired {
			w.Exec(`UPDATE requests SET due_at = 1 WHERE reference = $1`, reference)
			w.Must(w.service.Step(ctx))
		}
		return reference, secret
	}
	reference, secret = w.confirmed(fill)
	var err error
	switch state {
	case model.RequestNeedsAnswer:
		_, err = w.service.Ask(ctx, "op:kim", reference, model.AskRequest{Text: "Which account?"})
	case model.RequestApproved:
		w.policy.FourEyes = true
		w.open()
		_, err = w.service.Approve(ctx, "op:kim", reference, model.Approval{CreateAccount: true})
	case model.RequestReady, model.RequestFirstLogin, model.RequestFirstFile:
		w.policy.FourEyes = false
		w.open()
		_, err = w.service.Approve(ctx, "op:kim", reference, model.Approval{CreateAccount: true})
		w.Must(err)
		if state != model.RequestReady {
			w.login(number)
			w.Must(w.service.Step(ctx))
		}
		if state == model.RequestFirstFile {
			w.arrived(number)
			w.Must(w.service.Step(ctx))
		}
	case model.RequestWithdrawn:
		_, err = w.service.Withdraw(ctx, secret)
	case model.RequestRejected:
		_, err = w.service.Reject(ctx, "op:kim", reference, model.RejectRequest{Reason: "We don't know you."})
	}
	w.Must(err)
	if got := w.state(reference); got != state {
		w.Fatalf("the request is %s, and not %s", got, state)
	}
	return reference, secret
}

// login has a user's keys used now.
func (w *world) login(user string) {
	w.Helper()
	w.Pass(time.Minute)
	w.Exec(`UPDATE keys SET last_used_at = $1 WHERE user_id = (SELECT id FROM users WHERE name = $2)`,
		w.Clock().UnixMicro(), user)
}

// arrived has a file of a user received now.
func (w *world) arrived(user string) {
	w.Helper()
	w.Pass(time.Minute)
	w.Exec(`INSERT INTO drops (id, user_id, path, size, sha256, fingerprint, address, state, withdrawn, received_at)
		SELECT $1, id, $2, 1, $3, '', '', 'new', 0, $4 FROM users WHERE name = $5`, w.IDs.New(), []byte("/upload/a.csv"),
		make([]byte, 32), w.Clock().UnixMicro(), user)
}

func TestRequests(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, &world{World: testkit.NewWorld(t, url)}, begin, life, formStories, partnerStories, operatorStories,
			keepStories)
	})
}
