package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// world is a deployment with an Ed25519 and an ECDSA host key; making RSA keys takes long.
type world struct {
	*testkit.World
	ring  *identity.Ring
	data  string
	told  []model.NewAnnouncement
	ended []string
	deaf  error // what announcing fails with
}

var ctx = context.Background()

func begin(w *world, t testing.TB) *world {
	w.Begin(t)
	w.data, w.told, w.ended, w.deaf = t.TempDir(), nil, nil, nil
	w.Must(os.MkdirAll(filepath.Join(w.data, "hostkeys"), 0o700))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	w.Must(err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.Must(err)
	for name, key := range map[string]any{"ssh_host_ed25519_key": ed, "ssh_host_ecdsa_key": ec} {
		block, err := ssh.MarshalPrivateKey(key, "")
		w.Must(err)
		w.Must(os.WriteFile(filepath.Join(w.data, "hostkeys", name), pem.EncodeToMemory(block), 0o600))
	}
	w.open()
	return w
}

// open is a start of the server.
func (w *world) open() {
	w.Helper()
	ring, err := w.keeper().OpenRing(ctx)
	w.Must(err)
	ring.Join(identity.RingOptions{Host: "files.example.com",
		Announce: func(_ context.Context, _ string, n model.NewAnnouncement) (model.Announced, error) {
			w.told = append(w.told, n)
			return model.Announced{Announcement: model.Announcement{ID: "told"}}, w.deaf
		},
		End: func(_ context.Context, _, id string) (model.Announcement, error) {
			w.ended = append(w.ended, id)
			return model.Announcement{}, nil
		}})
	w.ring = ring
}

func (w *world) keeper() identity.Keeper {
	return identity.Keeper{Store: w.Store, Clock: w.Clock, IDs: exchange.NewIDs(w.Clock, rand.Reader), Log: slog.Default(),
		Data: w.data, Node: "n"}
}

func prints(list []ssh.Signer) (out []string) {
	for _, s := range list {
		out = append(out, ssh.FingerprintSHA256(s.PublicKey()))
	}
	return out
}

func (w *world) rotate(n model.NewRotation) model.Rotation {
	w.Helper()
	r, err := w.ring.Rotate(ctx, "kim", n)
	w.Must(err)
	return r
}

func TestRotationOnSQLite(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, "")}, begin, rotationStories)
}

func TestRotationOnPostgres(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, testkit.Postgres(t).Database(t))}, begin, rotationStories)
}

var rotationStories = testkit.Stories[*world]{
	"the known keys are offered until the day, the new ones are announced, then they take their places": func(_ *testing.T,
		w *world) {
		old := prints(w.ring.Keys().Offered)
		r := w.rotate(model.NewRotation{})
		coming := prints(w.ring.Keys().Coming)
		if len(coming) != 2 || !slices.Equal(prints(w.ring.Keys().Offered), old) || len(r.Keys) != 2 ||
			!r.On.Equal(w.Clock().Add(30*24*time.Hour)) || r.Announcement != "told" {
			w.Fatalf("%+v", r)
		}
		w.Must(w.ring.Step(ctx))
		w.open() // a restart keeps it
		if !slices.Equal(prints(w.ring.Keys().Coming), coming) || !slices.Equal(prints(w.ring.Keys().Offered), old) {
			w.Fatal("a restart lost the rotation")
		}
		w.Pass(30 * 24 * time.Hour)
		w.Must(w.ring.Step(ctx))
		if k := w.ring.Keys(); !slices.Equal(prints(k.Offered), coming) || len(k.Coming) != 0 {
			w.Errorf("offered are %v", prints(k.Offered))
		}
		w.open()
		if k := w.ring.Keys(); !slices.Equal(prints(k.Offered), coming) {
			w.Errorf("after a restart, offered are %v", prints(k.Offered))
		}
		if done, err := w.ring.Rotation(ctx); err != nil || done.DoneAt == nil {
			w.Errorf("%+v, %v", done, err)
		}
		if got := w.Texts(`SELECT action FROM audit WHERE action LIKE 'hostkeys%' ORDER BY id`); !slices.Equal(got,
			[]string{"hostkeys.rotate", "hostkeys.rotated"}) {
			w.Errorf("the log has %v", got)
		}
	},
	"a type that is not replaced stays, and the mail has the new fingerprints": func(_ *testing.T, w *world) {
		old := prints(w.ring.Keys().Offered)
		w.rotate(model.NewRotation{Types: []string{"ed25519"}, On: new(w.Clock().Add(8 * 24 * time.Hour))})
		coming := prints(w.ring.Keys().Coming)
		if n := w.told[0]; !n.All || !strings.Contains(n.Text, coming[0]) || n.Until == nil {
			w.Errorf("told: %+v", n)
		}
		w.Pass(9 * 24 * time.Hour)
		w.Must(w.ring.Step(ctx))
		if now := prints(w.ring.Keys().Offered); !slices.Equal(now, []string{coming[0], old[1]}) {
			w.Errorf("offered are %v", now)
		}
	},
	"a day that is near, over or far, an unknown type, and a second rotation are refused": func(_ *testing.T, w *world) {
		for _, n := range []model.NewRotation{{On: new(w.Clock().Add(6 * 24 * time.Hour))},
			{On: new(w.Clock().Add(-time.Hour)), Urgent: true}, {On: new(w.Clock().AddDate(2, 0, 0))},
			{Types: []string{"dsa"}}} {
			if _, err := w.ring.Rotate(ctx, "kim", n); !fault.Is(err, fault.Invalid) {
				w.Errorf("%+v: %v", n, err)
			}
		}
		w.rotate(model.NewRotation{Urgent: true, On: new(w.Clock().Add(time.Hour))})
		if _, err := w.ring.Rotate(ctx, "kim", model.NewRotation{}); !fault.Is(err, fault.Exists) {
			w.Errorf("a second one: %v", err)
		}
	},
	"a rotation that is cancelled leaves nothing, and ends its announcement": func(_ *testing.T, w *world) {
		if err := w.ring.Cancel(ctx, "kim"); !fault.Is(err, fault.NotFound) {
			w.Errorf("without one: %v", err)
		}
		w.rotate(model.NewRotation{})
		w.Must(w.ring.Cancel(ctx, "kim"))
		if k := w.ring.Keys(); len(k.Coming) != 0 || !slices.Equal(w.ended, []string{"told"}) {
			w.Errorf("%v, ended %v", prints(k.Coming), w.ended)
		}
		if _, err := os.Stat(filepath.Join(w.data, "hostkeys.coming")); !os.IsNotExist(err) {
			w.Errorf("the keys are there: %v", err)
		}
		w.Pass(31 * 24 * time.Hour)
		w.Must(w.ring.Step(ctx))
		w.rotate(model.NewRotation{})
	},
	"if nobody can be told, it says so, and the rotation can be taken back": func(_ *testing.T, w *world) {
		w.deaf = fault.E("test", fault.Conflict, "No mail server is configured.")
		if _, err := w.ring.Rotate(ctx, "kim", model.NewRotation{}); !fault.Is(err, fault.Conflict) {
			w.Errorf("%v", err)
		}
		w.Must(w.ring.Cancel(ctx, "kim"))
	},
	"a crash between the files and the row is finished at the next start": func(_ *testing.T, w *world) {
		w.rotate(model.NewRotation{})
		coming := prints(w.ring.Keys().Coming)
		w.Must(os.Rename(filepath.Join(w.data, "hostkeys"), filepath.Join(w.data, "hostkeys.replaced")))
		w.Must(os.CopyFS(filepath.Join(w.data, "hostkeys"), os.DirFS(filepath.Join(w.data, "hostkeys.coming"))))
		w.Pass(31 * 24 * time.Hour)
		w.open()
		w.Must(w.ring.Step(ctx))
		if now := prints(w.ring.Keys().Offered); !slices.Equal(now, coming) {
			w.Errorf("offered are %v", now)
		}
		if _, err := os.Stat(filepath.Join(w.data, "hostkeys.replaced")); err != nil {
			w.Errorf("the old keys are gone: %v", err)
		}
	},
	"the server starts although the keys of a rotation were lost, and the rotation can be taken back": func(_ *testing.T,
		w *world) {
		w.rotate(model.NewRotation{})
		w.Must(os.RemoveAll(filepath.Join(w.data, "hostkeys.coming")))
		w.open()
		w.Pass(31 * 24 * time.Hour)
		w.Must(w.ring.Step(ctx))
		if k := w.ring.Keys(); len(k.Offered) != 2 || len(k.Coming) != 0 {
			w.Errorf("%+v", k)
		}
		w.Must(w.ring.Cancel(ctx, "kim"))
	},
	"who knows the new keys, and who does not": func(_ *testing.T, w *world) {
		acme, globex := w.Customer("acme"), w.Customer("globex")
		w.rotate(model.NewRotation{})
		coming := prints(w.ring.Keys().Coming)
		w.ring.LoggedIn(acme.ID, "192.0.2.1", "SSH-2.0-OpenSSH_9.2")
		w.ring.Learnt(exchange.Login{User: acme, Address: "192.0.2.1", Client: "SSH-2.0-OpenSSH_9.2"}, coming)
		w.ring.LoggedIn(acme.ID, "192.0.2.2", "SSH-2.0-WinSCP_release_6.3")
		w.ring.Learnt(exchange.Login{User: globex, Address: "192.0.2.3", Probe: true}, coming)
		list, err := w.ring.Clients(ctx, model.HostKeyClientFilter{Paging: model.Paging{Limit: 10}, Unaware: true})
		w.Must(err)
		if len(list) != 2 || list[0].User != "acme" || list[0].Address != "192.0.2.2" || list[1].User != "globex" ||
			list[1].LastAt != nil {
			w.Errorf("%+v", list)
		}
		if r, err := w.ring.Rotation(ctx); err != nil || r.Clients != 2 || r.Learnt != 1 {
			w.Errorf("%+v, %v", r, err)
		}
		w.Pass(31 * 24 * time.Hour)
		w.Must(w.ring.Step(ctx))
		w.ring.LoggedIn(acme.ID, "192.0.2.2", "SSH-2.0-WinSCP_release_6.3") // it accepted the new key
		if r, err := w.ring.Rotation(ctx); err != nil || r.Learnt != 2 {
			w.Errorf("%+v, %v", r, err)
		}
	},
}
