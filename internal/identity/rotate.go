package identity

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Bounds of the time between the announcement of new host keys and their use.
const (
	usualNotice = 30 * 24 * time.Hour
	leastNotice = 7 * 24 * time.Hour // unless it is urgent
	mostNotice  = 366 * 24 * time.Hour
	shownBefore = 14 * 24 * time.Hour // at log-in
)

// Rotate makes new host keys, and announces them. They are used from a day on. Until then the keys that partners know
// are, and programs that understand OpenSSH's announcement learn the new ones.
func (r *Ring) Rotate(ctx context.Context, actor string, n model.NewRotation) (model.Rotation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state, kinds, err := r.planned(ctx, actor, n)
	if err != nil {
		return model.Rotation{}, err
	}
	dir := comingDir(r.k.Data)
	if err := os.RemoveAll(dir); err != nil { // of a rotation that did not begin
		return model.Rotation{}, fault.Wrap("identity.Rotate", fault.Internal, err)
	}
	if err := makeHostKeys(dir, kinds); err != nil {
		return model.Rotation{}, fault.Wrap("identity.Rotate", fault.Internal, err)
	}
	coming, err := readHostKeys(dir)
	if err != nil {
		return model.Rotation{}, err
	}
	state.Fingerprints = fingerprints(coming)
	detail := map[string]string{"on": state.On.Format(time.RFC3339), "keys": joined(coming)}
	if err := r.save(ctx, &state, func(tx *store.Tx) error {
		if err := tx.ForgetHostKeyClients(); err != nil {
			return err
		}
		return r.audit(tx, actor, "hostkeys.rotate", detail)
	}); err != nil {
		return model.Rotation{}, err // the files stay: the row may have been written all the same
	}
	r.now.Store(&Keys{Offered: r.Keys().Offered, Coming: coming})
	r.pending.Store(&state)
	if n.NoMail {
		return r.Rotation(ctx)
	}
	told, err := r.o.Announce(ctx, actor, r.letter(n, state))
	if err != nil {
		return model.Rotation{}, fault.E("identity.Rotate", fault.KindIn(err),
			"The rotation has begun, but nobody was told: %s", fault.PublicText(err)).
			WithHint("announce it yourself, or take it back").WithAction("cancel-rotation")
	}
	state.Announcement = told.Announcement.ID
	if err := r.save(ctx, &state, func(*store.Tx) error { return nil }); err != nil {
		return model.Rotation{}, err
	}
	r.pending.Store(&state)
	return r.Rotation(ctx)
}

// planned checks a rotation.
func (r *Ring) planned(ctx context.Context, actor string, n model.NewRotation) (rotation, []string, error) {
	const op = "identity.Rotate"
	now := r.k.Clock().UTC().Truncate(time.Microsecond)
	state := rotation{On: now.Add(usualNotice), CreatedAt: now, Actor: actor}
	if n.On != nil {
		state.On = n.On.UTC().Truncate(time.Microsecond)
	}
	have, err := r.load(r.k.Store.Read(ctx))
	switch {
	case err != nil:
		return state, nil, err
	case have != nil && have.DoneAt == nil:
		return state, nil, fault.E(op, fault.Exists, "A rotation is under way: the new keys are used from %s on.",
			have.On.In(r.o.Zone).Format("2006-01-02 15:04 MST")).WithHint("take it back first").
			WithAction("cancel-rotation")
	case state.On.Before(now):
		return state, nil, fault.E(op, fault.Invalid, "That time is over.")
	case state.On.Sub(now) > mostNotice:
		return state, nil, fault.E(op, fault.Invalid, "That is more than a year away.")
	case state.On.Sub(now) < leastNotice && !n.Urgent:
		return state, nil, fault.E(op, fault.Invalid,
			"That is less than a week away: unattended jobs that do not know the new keys by then will fail.").
			WithHint("choose a later day, or say that it is urgent, if the keys must go now")
	}
	kinds := slices.Clone(n.Types)
	if len(kinds) == 0 {
		for _, s := range r.Keys().Offered {
			kinds = append(kinds, shortType(s.PublicKey().Type()))
		}
	}
	for _, kind := range kinds {
		if !slices.Contains([]string{"ed25519", "ecdsa", "rsa"}, kind) {
			return state, nil, fault.E(op, fault.Invalid, "Host keys are of type ed25519, ecdsa or rsa, not %q.",
				valid.Printable(kind))
		}
	}
	return state, kinds, nil
}

// letter is what all contacts are told.
func (r *Ring) letter(n model.NewRotation, state rotation) model.NewAnnouncement {
	day := state.On.In(r.o.Zone)
	host := r.o.Host
	if host == "" {
		host = "The server"
	}
	a := model.NewAnnouncement{All: true, Subject: n.Subject, Text: strings.TrimSpace(n.Text)}
	if a.Subject == "" {
		a.Subject = "New host keys on " + day.Format("2 January 2006")
	}
	if a.Text == "" {
		a.Text = fmt.Sprintf("From %s on, %s identifies itself with new host keys. Until then it uses the ones that you "+
			"know.\n\nOpenSSH from version 8.5 on learns the new keys by itself. Other programs warn on that day. Accept the "+
			"new key then only if its fingerprint is one of these, or add the keys now:",
			day.Format("2 January 2006, 15:04 MST"), host)
	}
	var lines []string
	for _, s := range r.Keys().Coming {
		lines = append(lines, s.PublicKey().Type()+" "+ssh.FingerprintSHA256(s.PublicKey()))
	}
	a.Text += "\n\n" + strings.Join(lines, "\n")
	if until := state.On; until.After(r.k.Clock()) {
		from := until.Add(-shownBefore)
		if from.Before(r.k.Clock()) {
			from = r.k.Clock()
		}
		a.From, a.Until = &from, &until
	}
	return a
}

// Rotation describes the latest rotation. It is NotFound if there was none.
func (r *Ring) Rotation(ctx context.Context) (model.Rotation, error) {
	if err := r.writeSeen(ctx); err != nil {
		return model.Rotation{}, err
	}
	q := r.k.Store.Read(ctx)
	state, err := r.load(q)
	if err != nil {
		return model.Rotation{}, err
	}
	if state == nil {
		return model.Rotation{}, fault.E("identity.Rotation", fault.NotFound, "No host key was ever replaced here.")
	}
	out := model.Rotation{On: state.On, CreatedAt: state.CreatedAt, Actor: state.Actor, DoneAt: state.DoneAt,
		Announcement: state.Announcement, Keys: []model.HostKey{}}
	for _, k := range r.List() {
		if slices.Contains(state.Fingerprints, k.Fingerprint) {
			out.Keys = append(out.Keys, k)
		}
	}
	out.Clients, out.Learnt, err = q.CountHostKeyClients()
	return out, err
}

// Cancel takes a rotation back before its day: the new keys are deleted. Programs that have learnt them forget them at
// their next log-in.
func (r *Ring) Cancel(ctx context.Context, actor string) error {
	const op = "identity.Cancel"
	r.mu.Lock()
	defer r.mu.Unlock()
	state, err := r.load(r.k.Store.Read(ctx))
	switch {
	case err != nil:
		return err
	case state == nil:
		return fault.E(op, fault.NotFound, "No rotation of host keys is under way.")
	case state.DoneAt != nil:
		return fault.E(op, fault.Conflict, "The new keys are in use since %s.",
			state.DoneAt.In(r.o.Zone).Format("2006-01-02 15:04 MST")).
			WithHint("the old ones are in hostkeys.replaced, in the data folder: sallyport hostkey import --replace FILE...")
	}
	if err := r.save(ctx, nil, func(tx *store.Tx) error {
		return r.audit(tx, actor, "hostkeys.cancel", map[string]string{"on": state.On.Format(time.RFC3339)})
	}); err != nil {
		return err
	}
	r.now.Store(&Keys{Offered: r.Keys().Offered})
	r.pending.Store(nil)
	if state.Announcement != "" {
		if _, err := r.o.End(ctx, actor, state.Announcement); err != nil && !fault.Is(err, fault.Conflict) {
			r.k.Log.Warn("the announcement of the new host keys could not be ended", "err", err)
		}
	}
	return os.RemoveAll(comingDir(r.k.Data))
}

// shortType returns the type of a host key as the command line has it.
func shortType(algorithm string) string {
	switch {
	case algorithm == ssh.KeyAlgoED25519:
		return "ed25519"
	case strings.HasPrefix(algorithm, "ecdsa-"):
		return "ecdsa"
	}
	return "rsa"
}

func joined(list []ssh.Signer) string { return strings.Join(fingerprints(list), " ") }
