package feed_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = testkit.Day

var ctx = context.Background()

// world is the feed service on a real database and real files.
type world struct {
	*testkit.World
	service *feed.Service
	desk    *deposit.Desk
	maxFile int64
	types   map[string]feed.Type
	zone    *time.Location
	remind  func(*store.Tx, feed.Letter) error
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin starts a story with an empty world on 31 October 2026.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	w.Set(time.Date(2026, 10, 31, 9, 0, 0, 0, time.UTC))
	w.maxFile, w.types, w.zone, w.remind = 1<<20, nil, nil, nil
	w.open()
	return w
}

// open creates the service on the existing state, as a process does at its start.
func (w *world) open() {
	w.Helper()
	w.OpenBlobs()
	if w.desk != nil {
		w.desk.Close() // the earlier process does nothing any more
	}
	w.desk = deposit.New(w.Store, slog.New(slog.DiscardHandler))
	w.service = feed.New(feed.Options{Store: w.Store, Blobs: w.Blobs, Desk: w.desk, Clock: w.Clock, IDs: w.IDs, Key: w.Key,
		Bounds: feed.Bounds{MaxFile: w.maxFile, KeepUploads: 7 * day}, Types: w.types, Zone: w.zone, Remind: w.remind})
	w.Must(w.service.Recover(slog.New(slog.DiscardHandler)))
}

func TestFeeds(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, feedStories, publishStories, sequenceStories, fanOutStories,
			deliveryStories, remindStories, shapeStories, heldStories, uploadStories, incomingStories)
	})
}

type stories = testkit.Stories[*world]

// under sets the parent of an account.
func under(parent string) func(*model.NewAccount) {
	return func(a *model.NewAccount) { a.Parent = parent }
}

// feed creates a feed; change may set more fields.
func (w *world) feed(name string, change ...func(*model.NewFeed)) {
	w.Helper()
	f := model.NewFeed{Name: name, Kind: "data"}
	for _, c := range change {
		c(&f)
	}
	_, err := w.service.AddFeed(ctx, "test", f)
	w.Must(err)
}

func (w *world) subscribe(name string, users ...string) {
	w.Helper()
	for _, u := range users {
		_, err := w.service.Subscribe(ctx, "test", name, model.NewSubscription{User: u})
		w.Must(err)
	}
}

// to returns a request to publish text to one account; "all" is every subscriber.
func to(name, account, file, text string) feed.Publication {
	p := feed.Publication{Feed: name, Account: account, Name: file, Body: strings.NewReader(text), Size: -1, Via: "api"}
	if account == "all" {
		p.Account, p.All = "", true
	}
	return p
}

func (w *world) publish(name, account, file, text string) model.Publication {
	w.Helper()
	p, err := w.service.Publish(ctx, "test", to(name, account, file, text))
	w.Must(err)
	return p
}

// refused fails unless publishing returns this error and leaves nothing behind.
func (w *world) refused(p feed.Publication, kind fault.Kind, words string) {
	w.Helper()
	before := w.Count("publications") + w.Count("deliveries") + w.Count("blobs")
	_, err := w.service.Publish(ctx, "test", p)
	testkit.WantKind(w, err, kind)
	if !strings.Contains(fault.PublicText(err), words) {
		w.Fatalf("the refusal is %q, want %q in it", fault.PublicText(err), words)
	}
	if after := w.Count("publications") + w.Count("deliveries") + w.Count("blobs"); after != before {
		w.Fatal("something was stored of what was refused")
	}
}

func (w *world) wantFile(u model.User, path, text string) {
	w.Helper()
	if got, ok := w.File(u, path); !ok || got != text {
		w.Fatalf("%s of %s is %q (there: %v), want %q", path, u.Name, got, ok, text)
	}
}

func (w *world) wantNoFile(u model.User, path string) {
	w.Helper()
	if got, ok := w.File(u, path); ok {
		w.Fatalf("%s of %s is there: %q", path, u.Name, got)
	}
}

// deliveries lists a user's deliveries, oldest first.
func (w *world) deliveries(user string) []model.Delivery {
	w.Helper()
	list, err := w.service.Deliveries(ctx, model.DeliveryFilter{User: user, Paging: model.Paging{Limit: 1000}})
	w.Must(err)
	return list
}
