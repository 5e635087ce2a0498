package feed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var deliveryStories = stories{
	"a delivery is opened, and collected once every byte was served": func(t *testing.T, w *world) {
		u := w.acme()
		w.publish("data", "acme", "a.csv", "0123456789")
		l := &exchange.Login{User: u, Fingerprint: "SHA256:one", Address: "203.0.113.7", Client: "WinSCP", Session: "s1"}
		version := w.version(u, "/download/data/a.csv")
		for _, s := range []struct {
			from, to, served int64
			state            model.DeliveryState
		}{
			{4, 6, 2, model.DeliveryOpened},
			{4, 6, 2, model.DeliveryOpened}, // the same once more
			{0, 5, 6, model.DeliveryOpened},
			{8, 99, 8, model.DeliveryOpened}, // bytes past the end do not count
			{6, 8, 10, model.DeliveryCollected},
			{0, 3, 10, model.DeliveryCollected}, // read again
		} {
			w.Pass(time.Second)
			testkit.Must(t, w.service.Served(l, version, exchange.Spans{{From: s.from, To: s.to}}))
			if d := w.deliveries("acme")[0]; d.State != s.state || d.Served != s.served {
				t.Fatalf("after %d to %d: %s, %d bytes; want %s, %d", s.from, s.to, d.State, d.Served, s.state, s.served)
			}
		}
		d := w.deliveries("acme")[0]
		if d.Fingerprint != "SHA256:one" || d.Address != "203.0.113.7" || d.Client != "WinSCP" || d.OpenedAt == nil ||
			!d.CollectedAt.After(*d.OpenedAt) {
			t.Fatalf("the delivery is %+v", d)
		}
		if e := w.Events(model.EventCollected); len(e) != 1 || e[0].User != "acme" || e[0].Field("key") != "SHA256:one" ||
			e[0].Field("delivery") != d.ID {
			t.Fatalf("the events are %+v", e)
		}
		for _, action := range []string{"delivery.open", "delivery.collect"} {
			if n := w.Count("audit WHERE action = '" + action + "'"); n != 1 {
				t.Fatalf("%d audit rows %s", n, action)
			}
		}
	},
	"a file that is read at once is collected with one event": func(t *testing.T, w *world) {
		u := w.acme()
		w.publish("data", "acme", "a.csv", "0123456789")
		testkit.Must(t, w.service.Served(&exchange.Login{User: u}, w.version(u, "/download/data/a.csv"),
			exchange.Spans{{From: 0, To: 10}}))
		if d := w.deliveries("acme")[0]; d.State != model.DeliveryCollected || len(w.Events(model.EventCollected)) != 1 {
			t.Fatalf("the delivery is %+v", d)
		}
	},
	"bytes of what is no delivery are nobody's business": func(t *testing.T, w *world) {
		u := w.acme()
		testkit.Must(t, w.service.Served(&exchange.Login{User: u}, "none", exchange.Spans{{From: 0, To: 10}}))
		if n := w.Count("audit WHERE action LIKE 'delivery.%'"); n != 0 {
			t.Fatalf("%d audit rows", n)
		}
	},
	"a delivery that was taken back is gone from the mailbox": func(t *testing.T, w *world) {
		u := w.acme()
		w.publish("data", "acme", "a.csv", "0123456789")
		d, version := w.deliveries("acme")[0], w.version(u, "/download/data/a.csv")
		testkit.Must(t, w.service.Served(&exchange.Login{User: u}, version, exchange.Spans{{From: 0, To: 4}}))
		_, err := w.service.Withdraw(ctx, "jo", d.ID, " ")
		testkit.WantKind(t, err, fault.Invalid)
		d, err = w.service.Withdraw(ctx, "jo", d.ID, "the wrong month")
		testkit.Must(t, err)
		w.wantNoFile(u, "/download/data/a.csv")
		if use := w.Usage(u); use.Bytes != 0 || use.Files != 0 {
			t.Fatalf("the mailbox counts %+v", use)
		}
		if d = w.deliveries("acme")[0]; d.State != model.DeliveryWithdrawn || d.Served != 4 || d.EndedAt == nil ||
			d.OpenedAt == nil {
			t.Fatalf("the delivery is %+v", d)
		}
		// a handle that was open
		testkit.Must(t, w.service.Served(&exchange.Login{User: u}, version, exchange.Spans{{From: 0, To: 10}}))
		if d = w.deliveries("acme")[0]; d.State != model.DeliveryWithdrawn {
			t.Fatalf("it came back as %s", d.State)
		}
		_, err = w.service.Withdraw(ctx, "jo", d.ID, "again")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Withdraw(ctx, "jo", "none", "why")
		testkit.WantKind(t, err, fault.NotFound)
		if n := w.Count("audit WHERE action = 'delivery.withdraw' AND actor = 'jo'"); n != 1 {
			t.Fatalf("%d audit rows", n)
		}
	},
	"taking back an old issue leaves the new one": func(t *testing.T, w *world) {
		u := w.acme()
		w.publish("data", "acme", "a.csv", "first")
		old := w.deliveries("acme")[0]
		w.publish("data", "acme", "a.csv", "second")
		_, err := w.service.Withdraw(ctx, "jo", old.ID, "wrong")
		testkit.Must(t, err)
		w.wantFile(u, "/download/data/a.csv", "second")
		if use := w.Usage(u); use.Bytes != 6 || use.Files != 1 {
			t.Fatalf("the mailbox counts %+v", use)
		}
	},
	"what replaces a file that was taken back is its next issue": func(t *testing.T, w *world) {
		w.acme()
		w.publish("data", "acme", "a.csv", "wrong")
		_, err := w.service.Withdraw(ctx, "jo", w.deliveries("acme")[0].ID, "wrong")
		testkit.Must(t, err)
		w.publish("data", "acme", "a.csv", "right")
		if list := w.deliveries("acme"); len(list) != 2 || list[1].Issue != 2 {
			t.Fatalf("the deliveries are %+v", list)
		}
	},
	"a receipt verifies, and fails when one byte of it changes": func(t *testing.T, w *world) {
		u := w.acme()
		w.publish("data", "acme", "a.csv", "0123456789")
		d := w.deliveries("acme")[0]
		before, err := w.service.Receipt(ctx, d.ID)
		testkit.Must(t, err)
		if doc := w.verified(before); doc.Get("state") != "published, not opened yet" || doc.Get("served in full") != "" {
			t.Fatalf("before: %+v", doc)
		}
		l := &exchange.Login{User: u, Fingerprint: "SHA256:one", Address: "203.0.113.7", Client: "WinSCP"}
		testkit.Must(t, w.service.Served(l, w.version(u, "/download/data/a.csv"), exchange.Spans{{From: 0, To: 10}}))
		text, err := w.service.Receipt(ctx, d.ID)
		testkit.Must(t, err)
		doc := w.verified(text)
		for field, want := range map[string]string{"kind": "delivery", "id": d.ID, "account": "acme", "user": "acme",
			"feed": "data", "file": "a.csv", "path": "/download/data/a.csv", "issue": "1", "size": "10",
			"sha256": testkit.Hash("0123456789"), "key": "SHA256:one",
			"address": "203.0.113.7", "client": "WinSCP"} {
			if doc.Get(field) != want {
				t.Errorf("%s is %q, want %q", field, doc.Get(field), want)
			}
		}
		if doc.Get("served in full") == "" || !strings.Contains(doc.Get("state"), "does not prove that it was saved") {
			t.Fatalf("after: %+v", doc)
		}
		// the last base64 letter before the padding has two bits without meaning
		for i := range strings.LastIndexByte(text, '=') - 1 {
			changed := []byte(text)
			changed[i] ^= 1
			if got, err := proof.Open(string(changed), w.Key.Public()); err == nil {
				t.Fatalf("with byte %d (%q) changed it still verifies: %+v", i, text[i], got)
			}
		}
		_, err = w.service.Receipt(ctx, "none")
		testkit.WantKind(t, err, fault.NotFound)
	},
	"a file's name makes no lines of its own in a receipt": func(t *testing.T, w *world) {
		w.acme()
		name := "a.csv: state: served in full.csv"
		w.publish("data", "acme", name, "1")
		text, err := w.service.Receipt(ctx, w.deliveries("acme")[0].ID)
		testkit.Must(t, err)
		if doc := w.verified(text); doc.Get("file") != name || doc.Get("state") != "published, not opened yet" {
			t.Fatalf("the receipt is %+v", doc)
		}
	},
}

func (w *world) verified(text string) proof.Document {
	w.Helper()
	doc, err := proof.Open(text, w.Key.Public())
	w.Must(err)
	return doc
}

// version returns the current version of a path.
func (w *world) version(u model.User, path string) string {
	w.Helper()
	found, err := w.Store.Read(ctx).Look(u.ID, store.SplitPath(path))
	w.Must(err)
	if found.File == nil {
		w.Fatalf("%s shows nothing", path)
	}
	return found.File.VersionID
}

func (w *world) mkdir(u model.User, path string) {
	w.Helper()
	w.Write(func(tx *store.Tx) error {
		rows, err := mailbox.Lock(tx, u.ID)
		if err != nil {
			return err
		}
		_, err = rows.MakeDirs(mailbox.NewDirs{Path: path, IDs: w.IDs, At: w.Clock()})
		return err
	})
}
