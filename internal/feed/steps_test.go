package feed_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// run is one run of an operation, on a feed with two subscribers and a third user.
type run struct {
	w                   *world
	feed, a, b, c       string
	users               []model.User
	delivery            string
	upload              string
	incoming            *feed.Incoming
	underWay, published int
}

// begin creates the users and the feed of a run.
func (r *run) begin() {
	r.published++
	name := func(s string) string { return fmt.Sprintf("%s%d", s, r.published) }
	r.feed, r.a, r.b, r.c = name("feed"), name("a"), name("b"), name("c")
	r.users, r.upload, r.delivery, r.incoming = nil, "", "", nil
	for _, u := range []string{r.a, r.b, r.c} {
		r.users = append(r.users, r.w.Customer(u))
	}
	r.w.feed(r.feed)
	r.w.subscribe(r.feed, r.a, r.b)
}

func (r *run) to(account string) feed.Publication {
	p := to(r.feed, account, "f.csv", sent)
	p.IdempotencyKey = "key"
	return p
}

// end returns what the users have.
func (r *run) end() string {
	var b strings.Builder
	for i, u := range r.users {
		text, there := r.w.File(u, "/download/"+r.feed+"/f.csv")
		use := r.w.Usage(u)
		fmt.Fprintf(&b, "%c: %q %v, %d bytes in %d files;", 'a'+i, text, there, use.Bytes, use.Files)
		for _, d := range r.w.deliveries(u.Name) {
			fmt.Fprintf(&b, " %s", d.State)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%d publications, %d subscriptions\n", r.w.Count("publications WHERE feed = $1", r.feed),
		r.w.Count("subscriptions WHERE feed = $1", r.feed))
	return b.String()
}

func (r *run) check() error {
	if err := testkit.Books(r.w.DB, r.w.Blobs); err != nil {
		return err
	}
	return testkit.Strays(r.w.DB, r.w.Root, r.underWay)
}

// operations store, place or take back publications.
var operations = map[string]func(r *run) testkit.Operation{
	"a body for one account": func(r *run) testkit.Operation {
		return testkit.Operation{Do: func(c context.Context) error {
			_, err := r.w.service.Publish(c, "test", r.to(r.a))
			return err
		}}
	},
	"a body for all": func(r *run) testkit.Operation {
		return testkit.Operation{Do: func(c context.Context) error {
			_, err := r.w.service.Publish(c, "test", r.to("all"))
			return err
		}}
	},
	"a body again": func(r *run) testkit.Operation {
		return testkit.Operation{Begin: func() {
			r.begin()
			_, err := r.w.service.Publish(ctx, "test", r.to("all"))
			r.w.Must(err)
		}, Do: func(c context.Context) error {
			p, err := r.w.service.Publish(c, "test", r.to("all"))
			if err == nil && !p.Repeated {
				return fmt.Errorf("it was not repeated")
			}
			return err
		}}
	},
	"over what is there": func(r *run) testkit.Operation {
		return testkit.Operation{Begin: func() {
			r.begin()
			_, err := r.w.service.Publish(ctx, "test", to(r.feed, "all", "f.csv", "old"))
			r.w.Must(err)
		}, Do: func(c context.Context) error {
			_, err := r.w.service.Publish(c, "test", r.to("all"))
			return err
		}}
	},
	"parts": func(r *run) testkit.Operation {
		return testkit.Operation{Begin: func() {
			r.begin()
			up, err := r.w.service.BeginUpload("test", int64(len(sent)))
			r.w.Must(err)
			_, err = r.w.service.Append(up.ID, 0, bytes.NewReader([]byte(sent)))
			r.w.Must(err)
			r.upload, r.underWay = up.ID, 1
		}, Do: func(c context.Context) error {
			p := r.to("all")
			p.Body, p.Upload = nil, r.upload
			_, err := r.w.service.Publish(c, "test", p)
			if err == nil {
				r.underWay = 0
			}
			return err
		}}
	},
	"over sftp": func(r *run) testkit.Operation {
		return testkit.Operation{Do: func(c context.Context) error {
			in, err := r.w.service.NewIncoming()
			r.w.Must(err)
			if err = in.WriteAt([]byte(sent), 0); err == nil {
				err = in.Sync()
			}
			if err == nil {
				_, err = in.Publish(c, "test", r.to("all"))
			}
			return cmp.Or(err, in.Discard()) // as programs do after an error
		}}
	},
	"a subscription with what came before": func(r *run) testkit.Operation {
		return testkit.Operation{Begin: func() {
			r.begin()
			_, err := r.w.service.Publish(ctx, "test", r.to("all"))
			r.w.Must(err)
		}, Do: func(c context.Context) error {
			_, err := r.w.service.Subscribe(c, "test", r.feed, model.NewSubscription{User: r.c, Days: 30})
			return err
		}, Done: func(err error) bool { return fault.Is(err, fault.Exists) }}
	},
	"a delivery taken back": func(r *run) testkit.Operation {
		return testkit.Operation{Begin: func() {
			r.begin()
			_, err := r.w.service.Publish(ctx, "test", r.to("all"))
			r.w.Must(err)
			r.delivery = r.w.deliveries(r.a)[0].ID
		}, Do: func(c context.Context) error {
			_, err := r.w.service.Withdraw(c, "test", r.delivery, "a mistake")
			return err
		}, Done: func(err error) bool { return fault.Is(err, fault.Conflict) }}
	},
}

// TestEveryStepOfAPublication runs each operation with its context ended at each statement,
// with each statement refused, and with the answer of each COMMIT lost.
func TestEveryStepOfAPublication(t *testing.T) {
	testkit.OnBothSteps(t, func(t *testing.T, on testkit.Stepped) {
		w := newWorld(t, on.URL)
		w.Asked.Proxy = on.Proxy
		for name, operation := range operations {
			t.Run(name, func(t *testing.T) {
				r := &run{w: w.begin(t)}
				o := operation(r)
				o.Check, o.End, o.Every, o.From = r.check, r.end, 2, on.From
				if o.Begin == nil {
					o.Begin = r.begin
				}
				t.Logf("%d runs", w.Asked.Steps(t, o))
			})
		}
	})
}

// TestEveryStepOfAFanOut does the same to a publication that takes several transactions. It
// samples their many statements, and takes every COMMIT.
func TestEveryStepOfAFanOut(t *testing.T) {
	testkit.OnBothSteps(t, func(t *testing.T, on testkit.Stepped) {
		w := newWorld(t, on.URL)
		w.Asked.Proxy = on.Proxy
		w.begin(t)
		w.crowd()
		w.publish("data", "all", "first.csv", sent) // it makes the folders, and no later one does
		n := 0
		key := func() string { return fmt.Sprintf("%d.csv", n) }
		t.Logf("%d runs", w.Asked.Steps(t, testkit.Operation{Every: 500, From: 100 * on.From,
			Begin: func() { n++ },
			Do: func(c context.Context) error {
				p := to("data", "all", key(), sent)
				p.IdempotencyKey = key()
				_, err := w.service.Publish(c, "test", p)
				return err
			},
			Check: func() error {
				return errors.Join(testkit.Books(w.DB, w.Blobs), testkit.Strays(w.DB, w.Root, 0))
			},
			End: func() string {
				testkit.Must(t, w.service.Resume(ctx, slog.New(slog.DiscardHandler))) // as it does once a minute
				return fmt.Sprintf("%d publications in %d mailboxes, %d unplaced", w.Count("publications WHERE name = $1", key()),
					w.Count("deliveries d JOIN publications p ON p.id = d.publication_id WHERE p.name = $1", key()),
					w.Count("publications WHERE placed_up_to IS NOT NULL"))
			}}))
	})
}
