package handover_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// world is the link service on a real database, with two users and their contacts.
type world struct {
	*testkit.World
	service *handover.Service
	made    int
	jo, ann model.Contact // contacts of acme, verified
	mailed  []string      // addresses and secrets that links were mailed with
	refuses error         // of the mailer
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin starts a story in a world without links.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	w.service = handover.New(w.Store, w.Clock, w.IDs)
	w.mailed, w.refuses = nil, nil
	w.service.Join(func(_ *store.Tx, l model.Link, c model.Contact, secret string) error {
		w.mailed = append(w.mailed, c.Email+" "+string(l.Kind)+" "+secret)
		return w.refuses
	})
	w.Customers("acme", "globex")
	w.jo, w.ann = w.Verified("acme", "jo@acme.example"), w.Verified("acme", "ann@acme.example")
	return w
}

// print returns the fingerprint of a test key with this name.
func print(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// link is what the creator of a link knows.
type link struct {
	model.Link
	token []byte
}

// ask creates a link; change may set more fields.
func (w *world) ask(kind model.LinkKind, to string, change ...func(*model.NewLink)) (link, error) {
	w.made++
	token := sha256.Sum256(fmt.Append(nil, w.made))
	n := model.NewLink{Kind: kind, User: "acme", Contact: to, Fingerprint: print("new"), Token: token[:],
		Sealed: []byte("sealed " + kind)}
	if kind == model.LinkVerify {
		n.User, n.Fingerprint, n.Sealed = "", "", nil
	}
	for _, c := range change {
		c(&n)
	}
	l, err := w.service.Make(ctx, "test", n)
	return link{l, n.Token}, err
}

func (w *world) make(kind model.LinkKind, to model.Contact) link {
	w.Helper()
	l, err := w.ask(kind, to.ID)
	w.Must(err)
	return l
}

// open opens a link and returns its content.
func (w *world) open(l link) (held []byte, err error) {
	err = w.service.Open(ctx, l.token, "203.0.113.7", func(_ model.Link, sealed []byte) error {
		held = bytes.Clone(sealed)
		return nil
	})
	return held, err
}

// wantGone fails unless a link is answered as if it had never existed.
func (w *world) wantGone(l link) {
	w.Helper()
	_, err := w.service.Waiting(ctx, l.token)
	_, never := w.service.Waiting(ctx, bytes.Repeat([]byte{9}, 32))
	if !fault.Is(err, fault.NotFound) || fault.PublicText(err) != fault.PublicText(never) {
		w.Fatalf("looking at it: %v, want %v", err, never)
	}
	held, err := w.open(l)
	if !fault.Is(err, fault.NotFound) || fault.PublicText(err) != fault.PublicText(never) || held != nil {
		w.Fatalf("opening it: %q, %v", held, err)
	}
}

// row returns a link as the database has it.
func (w *world) row(l link) (state string, sealed []byte) {
	w.Helper()
	w.Must(w.DB.QueryRow("SELECT state, sealed FROM links WHERE id = $1", l.ID).Scan(&state, &sealed))
	return state, sealed
}

func (w *world) wantRow(l link, state, sealed string) {
	w.Helper()
	if s, b := w.row(l); s != state || string(b) != sealed {
		w.Fatalf("the row is %s with %q, want %s with %q", s, b, state, sealed)
	}
}
