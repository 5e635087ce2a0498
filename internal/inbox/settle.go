package inbox

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Work that is pending in the uploader's mailbox.
const (
	pendingMove = "move"
	pendingTell = "tell"
)

// Ack accepts a drop. claim must be its current claim, or "" if it is not claimed. A scanner's
// ack hands the drop on to the other consumers.
func (r *Service) Ack(ctx context.Context, actor, id, claim string) (d model.Drop, err error) {
	return r.ack(ctx, nil, actor, id, claim)
}

func (r *Service) ack(ctx context.Context, g *store.Guard, actor, id, claim string) (model.Drop, error) {
	return store.ChangeAs(ctx, r.o.Store, g, func(tx *store.Tx) (model.Drop, error) {
		d, err := r.mine(tx, id, claim)
		if err != nil {
			return d, err
		}
		now := r.now()
		if d.Consumer == "" {
			d.Consumer = valid.Printable(actor)
		}
		who := d.Consumer
		d.Claim, d.ClaimUntil = "", nil
		if !d.Cleared { // the scanner's ack
			d.State, d.Consumer = model.DropNew, ""
			if err := tx.SettleDrop(d, true, "", ""); err != nil {
				return d, err
			}
			return d, r.audit(tx, actor, "drop.clear", d, map[string]string{"consumer": who})
		}
		d.State, d.SettledAt = model.DropAcked, &now
		pending := ""
		if r.o.After == AfterMove {
			pending = pendingMove
		}
		if err := tx.SettleDrop(d, true, actor, pending); err != nil {
			return d, err
		}
		return d, r.audit(tx, actor, "drop.ack", d, map[string]string{"consumer": who, "sha256": d.SHA256})
	})
}

// Reject refuses a drop with a reason and advice for its uploader; advice "" is a default.
// claim is as for Ack.
func (r *Service) Reject(ctx context.Context, actor, id, claim, reason, advice string) (d model.Drop, err error) {
	if err := valid.CheckLabel("reason", reason); err != nil {
		return d, err
	}
	if advice == "" {
		advice = "correct the file"
	}
	if err := valid.CheckLabel("advice", advice); err != nil {
		return d, err
	}
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Drop, error) {
		d, err := r.mine(tx, id, claim)
		if err != nil {
			return d, err
		}
		if d.Consumer == "" {
			d.Consumer = valid.Printable(actor)
		}
		now := r.now()
		d.State, d.SettledAt, d.Reason, d.Advice, d.Claim, d.ClaimUntil = model.DropRejected, &now, reason, advice, "", nil
		return d, r.reject(tx, actor, d)
	})
}

// reject records that a drop was refused, with its Reason and Advice, and tells its uploader and the operator.
func (r *Service) reject(tx *store.Tx, actor string, d model.Drop) error {
	now := r.now()
	d.State, d.SettledAt = model.DropRejected, &now
	if err := tx.SettleDrop(d, d.Cleared, actor, pendingTell); err != nil {
		return err
	}
	name := path.Base(pathOf(d))
	if err := r.digest(tx, d.UserID, now, digestLine{Name: name, Reason: d.Reason, Advice: d.Advice}); err != nil {
		return err
	}
	if err := tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventRejected, At: now, Account: d.Account, User: d.User,
		Data: model.FileRejected{
			Drop: d.ID, Path: valid.Printable(pathOf(d)), Name: valid.Printable(name), Size: d.Size, SHA256: d.SHA256,
			Reason: d.Reason, Advice: d.Advice,
			Consumer: d.Consumer}}); err != nil {
		return err
	}
	return r.audit(tx, actor, "drop.reject", d,
		map[string]string{"consumer": d.Consumer, "reason": d.Reason, "sha256": d.SHA256})
}

// pathOf returns a drop's path with its original bytes.
func pathOf(d model.Drop) string {
	if d.Raw != nil {
		return string(d.Raw)
	}
	return d.Path
}

// refusal returns the text of the note that the uploader finds.
func (r *Service) refusal(ctx context.Context, d model.Drop) string {
	zone := r.o.Zones.Of(model.Account{})
	if a, err := r.o.Store.Read(ctx).Account(d.Account); err == nil {
		zone = r.o.Zones.Of(a)
	}
	kept := "it is removed with your other files of that age"
	if r.o.KeptUntil != nil {
		if until := r.o.KeptUntil(ctx, d.ID); !until.IsZero() {
			kept = until.In(zone).Format(time.DateOnly)
		}
	}
	return fmt.Sprintf("We received %s (%d bytes, %s) complete, but could not use it.\r\n\r\nReason: %s\r\n\r\n"+
		"What to do: %s, then upload it again; the same name or a new one will do.\r\n\r\nYour file is kept until %s.\r\n",
		valid.Printable(path.Base(pathOf(d))), d.Size, d.ReceivedAt.In(zone).Format("2006-01-02 15:04 MST"),
		d.Reason, d.Advice, kept)
}

// Receipt returns a signed record that a drop was received completely.
func (r *Service) Receipt(ctx context.Context, id string) (string, error) {
	d, err := r.Show(ctx, id)
	if err != nil {
		return "", err
	}
	doc := proof.Document{Title: proof.ReceiptTitle}
	for _, f := range []proof.Field{{Name: "kind", Value: "received file"}, {Name: "id", Value: d.ID},
		{Name: "account", Value: d.Account}, {Name: "user", Value: d.User}, {Name: "file", Value: path.Base(pathOf(d))},
		{Name: "path", Value: pathOf(d)},
		{Name: "size", Value: strconv.FormatInt(d.Size, 10)},
		{Name: "sha256", Value: d.SHA256}, {Name: "received whole", Value: d.ReceivedAt.Format(time.RFC3339Nano)},
		{Name: "state", Value: stateWords(d)},
		{Name: "key", Value: d.Fingerprint}, {Name: "address", Value: d.Address},
		{Name: "made", Value: r.now().Format(time.RFC3339)}} {
		if f.Value != "" {
			doc.Fields = append(doc.Fields, f)
		}
	}
	return r.o.Key.Sign(doc)
}

func stateWords(d model.Drop) string {
	words := map[model.DropState]string{model.DropUnscanned: "received; being scanned", model.DropNew: "received",
		model.DropClaimed: "received; being worked on", model.DropAcked: "accepted",
		model.DropRejected:   "refused: " + d.Reason,
		model.DropSuperseded: "replaced by a newer upload"}[d.State]
	if d.SettledAt != nil {
		words += " on " + d.SettledAt.Format(time.RFC3339)
	}
	return words
}
