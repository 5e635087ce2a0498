package identity

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Keys are the host keys of a running server.
type Keys struct {
	Offered []ssh.Signer // sign key exchanges
	Coming  []ssh.Signer // those of a rotation: announced, and not offered yet
}

// Ring has the host keys of a running server, and rotates them. The steps of a rotation are: new keys are made and
// announced (rotate.go); programs that understand the announcement learn them, which is recorded (learnt.go); on the
// day, the new keys take the places of those of their types (turn.go).
type Ring struct {
	k       Keeper
	o       RingOptions
	now     atomic.Pointer[Keys]
	pending atomic.Pointer[rotation] // nil: none was begun yet

	mu    sync.Mutex  // held while keys or the rotation change
	stale atomic.Bool // it is not known whether a change was stored
	seen  learnt
}

// RingOptions are what a Ring needs to tell people.
type RingOptions struct {
	Host string         // the server's name for partners; "" if it has none
	Zone *time.Location // the operator's
	// Announce tells all contacts something, End ends that.
	Announce func(ctx context.Context, actor string, n model.NewAnnouncement) (model.Announced, error)
	End      func(ctx context.Context, actor, id string) (model.Announcement, error)
}

// rotationSetting is the database setting with the latest rotation, as JSON.
const rotationSetting = "host.rotation"

// rotation is what the database keeps of a rotation.
type rotation struct {
	On           time.Time  `json:"on"`
	CreatedAt    time.Time  `json:"created_at"`
	Actor        string     `json:"actor"`
	Fingerprints []string   `json:"fingerprints"`
	DoneAt       *time.Time `json:"done_at,omitempty"`
	Announcement string     `json:"announcement,omitempty"`
}

// comingDir is where the keys of a rotation wait.
func comingDir(data string) string { return filepath.Join(data, "hostkeys.coming") }

// OpenRing returns the host keys in force, and those of a rotation that is under way.
func (k Keeper) OpenRing(ctx context.Context) (*Ring, error) {
	signers, err := k.HostKeys(ctx)
	if err != nil {
		return nil, err
	}
	r := &Ring{k: k, seen: learnt{places: map[place]*store.HostKeyClient{}}}
	r.now.Store(&Keys{Offered: signers})
	return r, r.refresh(ctx)
}

// refresh reads the rotation from the database, and its keys.
func (r *Ring) refresh(ctx context.Context) error {
	state, err := r.load(r.k.Store.Read(ctx))
	if err != nil {
		return err
	}
	next := Keys{Offered: r.Keys().Offered}
	if state != nil && state.DoneAt == nil {
		dir := comingDir(r.k.Data)
		next.Coming, err = readHostKeys(dir)
		if err != nil || !slices.Equal(fingerprints(next.Coming), state.Fingerprints) {
			// The rotation cannot be finished. Log-ins work, so the server goes on.
			r.k.Log.Error("the host keys of a rotation are missing; cancel it, and begin another one", "folder", dir, "err", err)
			next.Coming = nil
		}
	}
	r.now.Store(&next)
	r.pending.Store(state)
	r.stale.Store(false)
	return nil
}

// Join says whom rotations tell. It comes before the first rotation.
func (r *Ring) Join(o RingOptions) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	r.o = o
}

// Keys returns the host keys in force.
func (r *Ring) Keys() Keys { return *r.now.Load() }

// List describes the host keys, those in use first.
func (r *Ring) List() []model.HostKey {
	var out []model.HostKey
	keys, state := r.Keys(), r.pending.Load()
	for _, s := range keys.Offered {
		out = append(out, DescribeHostKey(s.PublicKey()))
	}
	for _, s := range keys.Coming {
		k := DescribeHostKey(s.PublicKey())
		k.State, k.From = model.HostKeyComing, new(state.On)
		out = append(out, k)
	}
	return out
}

// load reads the latest rotation; nil if there is none.
func (r *Ring) load(q *store.Q) (*rotation, error) {
	text, err := q.Setting(rotationSetting)
	if err != nil || text == "" {
		return nil, err
	}
	var state rotation
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return nil, fault.Wrap("identity.rotation", fault.Internal, err)
	}
	return &state, nil
}

// save writes the rotation; nil removes it. also makes further changes in the same transaction.
func (r *Ring) save(ctx context.Context, state *rotation, also func(tx *store.Tx) error) error {
	text := ""
	if state != nil {
		b, err := json.Marshal(state)
		if err != nil {
			return fault.Wrap("identity.rotation", fault.Internal, err)
		}
		text = string(b)
	}
	err := r.k.Store.Write(ctx, func(tx *store.Tx) error {
		if err := also(tx); err != nil { // first: settings are held in the order of their names
			return err
		}
		return tx.SetSetting(rotationSetting, text)
	})
	if err != nil {
		r.stale.Store(true)
	}
	return err
}

func (r *Ring) audit(tx *store.Tx, actor, action string, detail map[string]string) error {
	return tx.Audit(model.AuditRow{ID: r.k.IDs.New(), At: r.k.Clock().UTC(), Actor: actor, Action: action,
		Subject: r.k.Node, Detail: detail})
}

func fingerprints(list []ssh.Signer) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, ssh.FingerprintSHA256(s.PublicKey()))
	}
	return out
}

// ringEvery is how often a Ring looks whether the day of a rotation has come, and writes down who knows the new keys.
const ringEvery = 5 * time.Second

// Keep finishes rotations on their day, and records who knows the new keys, until ctx ends.
func (r *Ring) Keep(ctx context.Context) {
	exchange.Task{Every: ringEvery, Do: r.Step, Failure: "the rotation of host keys could not go on", Log: r.k.Log}.
		Run(ctx)
}

// Step does what Keep does, once.
func (r *Ring) Step(ctx context.Context) error {
	if err := r.writeSeen(ctx); err != nil {
		return err
	}
	if r.stale.Load() {
		r.mu.Lock()
		err := r.refresh(ctx)
		r.mu.Unlock()
		if err != nil {
			return err
		}
	}
	state := r.pending.Load()
	if state == nil || state.DoneAt != nil || r.k.Clock().Before(state.On) {
		return nil
	}
	return r.turn(ctx, *state)
}

// turn gives the new keys the places of those of their types.
func (r *Ring) turn(ctx context.Context, state rotation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.Keys()
	if len(keys.Coming) == 0 {
		return nil // OpenRing has said why
	}
	next := replaced(keys.Offered, keys.Coming)
	dir := hostKeyDir(r.k.Data)
	have, err := readHostKeys(dir)
	if err != nil {
		return err
	}
	if !slices.Equal(fingerprints(have), fingerprints(next)) { // else a crash came after this step
		if err := datadir.NewDir(dir, func(tmp string) error { return copyKeys(r.k.Data, tmp, keys.Coming) }); err != nil {
			return err
		}
	}
	state.DoneAt = new(r.k.Clock().UTC().Truncate(time.Microsecond))
	known := joined(next)
	detail := map[string]string{"was": joined(keys.Offered), "now": known}
	if err := r.save(ctx, &state, func(tx *store.Tx) error {
		if err := r.audit(tx, "system:node", "hostkeys.rotated", detail); err != nil {
			return err
		}
		return tx.SetSetting(hostKeysSetting, known)
	}); err != nil {
		return err
	}
	r.now.Store(&Keys{Offered: next})
	r.pending.Store(&state)
	r.k.Log.Info("the new host keys are in use", "was", detail["was"], "now", known)
	return os.RemoveAll(comingDir(r.k.Data))
}

// replaced returns the keys that are offered after a rotation, in the order in which they are offered.
func replaced(old, coming []ssh.Signer) (out []ssh.Signer) {
	for _, f := range hostKeyFiles {
		of := func(s ssh.Signer) bool { return hostKeyFile(s.PublicKey().Type()) == f.name }
		if i := slices.IndexFunc(coming, of); i >= 0 {
			out = append(out, coming[i])
		} else if i := slices.IndexFunc(old, of); i >= 0 {
			out = append(out, old[i])
		}
	}
	return out
}

// copyKeys fills a folder with the keys of a rotation, and those in use whose types it does not replace.
func copyKeys(data, tmp string, coming []ssh.Signer) error {
	for _, f := range hostKeyFiles {
		from := hostKeyDir(data)
		if slices.ContainsFunc(coming, func(s ssh.Signer) bool { return hostKeyFile(s.PublicKey().Type()) == f.name }) {
			from = comingDir(data)
		}
		text, err := os.ReadFile(filepath.Join(from, f.name))
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			return err
		}
		if err := datadir.WriteNew(filepath.Join(tmp, f.name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
