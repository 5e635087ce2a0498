package backup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Services are what a replay changes a restored deployment with.
type Services struct {
	Store     *store.Store
	Accounts  *account.Service
	Links     *handover.Service
	Operators *operator.Service
	Clock     exchange.Clock
	IDs       *exchange.IDs
}

// replayer is the actor of what a restore takes back again.
const replayer = "system:restore"

// replayWhy is the reason in the rows of what is taken back again.
const replayWhy = "it was taken back after the backup was made"

// Difference is something that was taken back after the backup was made.
type Difference struct {
	At     time.Time `json:"at"`
	Action string    `json:"action"`
	What   string    `json:"what"`
	Done   string    `json:"done"` // what the restore did about it
	Hand   bool      `json:"by_hand,omitempty"`
}

// pairs maps the actions of which the last one of a subject counts to the name of their pair.
var pairs = map[string]string{
	"user.disable": "user", "user.enable": "user", "user.remove": "user",
	"account.active": "account", "account.closed": "account", "account.read_only": "account",
	"account.reopened": "account", "account.suspended": "account",
	"key.freeze": "freeze", "key.thaw": "freeze",
	"operator.disable": "operator", "operator.enable": "operator", "operator.remove": "operator",
	"webhook.off": "webhook", "webhook.remove": "webhook",
	"feed.subscribe": "subscription", "feed.unsubscribe": "subscription",
	"account.set": "account's networks", "user.set": "user's networks",
	"endpoint.set": "listener", "endpoint.close": "listener",
}

// byHand says what an operator must do about what a replay cannot.
var byHand = map[string]string{
	"endpoint.set":      "its networks, algorithms and day are those of the backup: run endpoint set",
	"hostkeys.rotated":  "the server has the host keys of before: put later ones into hostkeys/, or tell partners",
	"operator.set":      "its role and its settings are those of the backup: run operator set",
	"key.set":           "its last day is that of the backup: run key set",
	"feed.subscription": "what it may do there is as in the backup: run feed subscription",
	"webhook.set":       "its address, events and secret are those of the backup: run webhook set",
	"retention.hold":    "the hold is gone: run retention hold",
	"dir.set":           "its rights are those of the backup: run user dir set",
	"operator.password": "the password of before works again: run operator reset",
}

// settled returns those rows that count: of a pair, the last one of a subject.
func settled(rows []proof.JournalRow) (out []proof.JournalRow) {
	rows = withNetworks(rows)
	last := map[string]int{}
	key := func(r proof.JournalRow) string {
		p := pairs[r.Action]
		switch p {
		case "user", "user's networks":
			return p + "\x00" + r.User
		case "subscription":
			return p + "\x00" + r.Subject + "\x00" + r.User
		}
		return p + "\x00" + r.Subject
	}
	for i, r := range rows {
		if pairs[r.Action] != "" {
			last[key(r)] = i
		}
	}
	for i, r := range rows {
		if pairs[r.Action] == "" || last[key(r)] == i {
			out = append(out, r)
		}
	}
	return out
}

// withNetworks adds a row of its own for networks that were set along with something else.
func withNetworks(rows []proof.JournalRow) (out []proof.JournalRow) {
	for _, r := range rows {
		out = append(out, r)
		kind, does, _ := strings.Cut(r.Action, ".")
		if _, networks := r.Detail["allow_ips"]; networks && does != "set" && (kind == "user" || kind == "account") {
			r.Action = kind + ".set"
			out = append(out, r)
		}
	}
	return out
}

// replay takes back what the rows say. It may run again: what is done already is found done. With dry it changes
// nothing.
func (s Services) replay(ctx context.Context, rows []proof.JournalRow, dry bool) (out []Difference, err error) {
	for _, row := range settled(rows) {
		d := Difference{At: row.At, Action: row.Action, What: s.named(ctx, row)}
		do := s.step(ctx, row)
		switch {
		case byHand[row.Action] != "":
			d.Done, d.Hand = byHand[row.Action], true
		case do.run == nil:
			continue
		case dry:
			d.Done = "to be " + do.says
		default:
			err := do.run()
			d.Done = do.says
			switch kind := fault.KindIn(err); {
			case err == nil:
			case kind == fault.NotFound, kind == fault.Conflict, kind == fault.Exists:
				d.Done = "not in the backup, or done already"
			case kind == fault.Invalid, kind == fault.Denied: // one that cannot be done must not hinder the others
				d.Done, d.Hand = "not done: "+fault.PublicText(err), true
			default:
				return out, err
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// named names what a row is about.
func (s Services) named(ctx context.Context, row proof.JournalRow) string {
	what := row.Subject
	if f := row.Detail["fingerprint"]; f != "" && f != what {
		what += " " + f
	}
	if row.User == "" || strings.HasPrefix(row.Action, "user.") {
		return what
	}
	if u, err := s.Store.Read(ctx).UserByID(row.User); err == nil && u.Name != what {
		return what + " (" + u.Name + ")"
	}
	return what
}

// doing is what a replay does about a row.
type doing struct {
	says string
	run  func() error
}

func (s Services) step(ctx context.Context, row proof.JournalRow) doing {
	kind, _, _ := strings.Cut(row.Action, ".")
	switch kind {
	case "key":
		return s.keyStep(ctx, row)
	case "user", "account":
		return s.accessStep(ctx, row)
	case "link":
		return doing{"revoked", func() error {
			_, err := s.Links.Revoke(ctx, replayer, row.Subject)
			return err
		}}
	case "token":
		return doing{"revoked", func() error {
			t, err := s.Operators.Token(ctx, row.Subject)
			if err == nil && t.Prefix != row.Detail["prefix"] { // another one of that name
				return fault.Wrap("backup.step", fault.NotFound, nil)
			}
			if err == nil {
				_, err = s.Operators.RevokeToken(ctx, replayer, t.ID)
			}
			return err
		}}
	case "operator":
		return s.operatorStep(ctx, row)
	case "contact":
		return doing{"recorded as gone", func() error { return s.contactGone(ctx, row) }}
	case "feed":
		return s.feedStep(ctx, row)
	case "endpoint":
		return doing{"closed", func() error { return s.endpointClosed(ctx, row) }}
	case "file", "delivery":
		return doing{"removed", func() error { return s.removeFile(ctx, row) }}
	case "webhook":
		return doing{"switched off", func() error { return s.webhookOff(ctx, row) }}
	}
	return doing{}
}

func (s Services) keyStep(ctx context.Context, row proof.JournalRow) doing {
	fingerprint := row.Subject
	switch row.Action {
	case "key.revoke", "key.burn", "key.bar":
		burn := row.Action != "key.revoke"
		return doing{map[bool]string{true: "blocked", false: "revoked"}[burn], func() error {
			_, err := s.Accounts.RevokeKey(ctx, replayer, fingerprint, replayWhy, burn)
			return err
		}}
	case "key.retire":
		return doing{"revoked", func() error { return s.keyRetired(ctx, row) }}
	case "key.freeze":
		return doing{"revoked", func() error {
			_, err := s.Accounts.RevokeKey(ctx, replayer, fingerprint, replayWhy, false)
			return err
		}}
	}
	return doing{} // an expired key expires again, by itself
}

// strictness orders the states of accounts by what their users may do: a replay only restricts.
var strictness = map[model.AccountState]int{model.AccountReadOnly: 1, model.AccountSuspended: 2, model.AccountClosed: 3}

func (s Services) accessStep(ctx context.Context, row proof.JournalRow) doing {
	set := func(state model.AccountState) doing {
		return doing{"set to " + string(state), func() error {
			a, err := s.Store.Read(ctx).Account(row.Subject)
			if err == nil && strictness[a.State] >= strictness[state] {
				return nil
			}
			if err == nil {
				_, err = s.Accounts.SetState(ctx, replayer, row.Subject, state)
			}
			return err
		}}
	}
	switch row.Action {
	case "user.disable", "user.remove":
		return doing{"disabled", func() error {
			u, err := s.Store.Read(ctx).UserByID(row.User)
			if err != nil || !u.Enabled {
				return err
			}
			off := false
			_, err = s.Accounts.SetUser(ctx, replayer, u.Name, model.EditUser{Enabled: &off})
			return err
		}}
	case "user.set", "account.set":
		return s.networksStep(ctx, row)
	case "account.suspended":
		return set(model.AccountSuspended)
	case "account.read_only":
		return set(model.AccountReadOnly)
	case "account.closed":
		return set(model.AccountClosed)
	}
	return doing{} // access that was given again after the backup is not given by a replay
}

func (s Services) operatorStep(ctx context.Context, row proof.JournalRow) doing {
	switch row.Action {
	case "operator.disable", "operator.remove", "operator.reset":
		return doing{"disabled", func() error {
			_, err := s.Operators.DisableOperator(ctx, replayer, row.Subject, model.Why{Reason: replayWhy})
			return err
		}}
	case "operator.passkey.remove":
		return doing{"removed", func() error {
			return s.Store.Write(ctx, func(tx *store.Tx) error {
				o, err := tx.Operator(row.Subject)
				if err != nil {
					return err
				}
				if err := tx.RemovePasskey(o.ID, row.Detail["id"]); err != nil {
					return err
				}
				return tx.Audit(s.row(row.Action, row.Subject, map[string]string{"id": row.Detail["id"]}))
			})
		}}
	}
	return doing{} // all sessions of operators end
}

// countText is a number of things.
func countText(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
