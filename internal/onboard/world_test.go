package onboard_test

import (
	"context"
	"log/slog"
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
		MaxFile: 1 << 20})
	w.service = onboard.New(onboard.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs,
		Log: slog.New(slog.DiscardHandler), Accounts: w.Accounts, Feeds: w.feeds, Policy: w.policy,
		Mail: func(_ *store.Tx, l onboard.Letter) error {
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

func tell(t *testing.T, parts ...testkit.Stories[*world]) {
	t.Run("sqlite", func(t *testing.T) {
		testkit.Tell(t, &world{World: testkit.NewWorld(t, "")}, begin, parts...)
	})
}

func TestRequests(t *testing.T) { tell(t, life) }

var life = testkit.Stories[*world]{
	"a request is confirmed once, and its page shows it": func(t *testing.T, w *world) {
		in, err := w.service.Submit(ctx, w.form(), "192.0.2.7")
		testkit.Must(t, err)
		l := w.last(onboard.MailVerify)
		s, err := w.service.Look(ctx, l.Secret)
		if err != nil || !s.MayVerify || s.Reference != in.Reference {
			t.Fatalf("%+v, %v", s, err)
		}
		v, err := w.service.Verify(ctx, l.Secret)
		testkit.Must(t, err)
		s, err = w.service.Status(ctx, v.Status)
		if err != nil || s.State != model.RequestNew {
			t.Fatalf("%+v, %v", s, err)
		}
	},
}
