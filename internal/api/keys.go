package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewKey is the body that enrols keys.
type NewKey struct {
	Text        string     `json:"text" doc:"What was sent: OpenSSH lines, an RFC 4716 block, PEM. Never a private key"`
	Origin      string     `json:"origin,omitempty" enum:"submitted,issued" default:"submitted"`
	Holder      string     `json:"holder,omitempty" doc:"Contact, by id or e-mail, who has the private half"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	Replaces    string     `json:"replaces,omitempty" doc:"Fingerprint of the key that this one replaces; both work for a while"`
	ConfirmedBy string     `json:"confirmed_by,omitempty" doc:"Second contact, needed after a key was frozen"`
}

func (n NewKey) asked(user string) account.NewKey {
	return account.NewKey{User: user, Text: []byte(n.Text), Origin: n.Origin, Holder: n.Holder, Expires: n.ExpiresAt, Replaces: n.Replaces, ConfirmedBy: n.ConfirmedBy}
}

// EditKey changes a key; absent fields stay.
type EditKey struct {
	Fingerprint string     `json:"fingerprint"`
	Holder      *string    `json:"holder,omitempty" doc:"Empty: not known"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty" doc:"0001-01-01T00:00:00Z: never"`
	Flag        *string    `json:"flag,omitempty" doc:"Empty once somebody looked into it"`
}

// RevokeKey is the body that revokes a key.
type RevokeKey struct {
	Fingerprint string `json:"fingerprint" doc:"SHA256:…"`
	Reason      string `json:"reason"`
	Burn        bool   `json:"burn,omitempty" doc:"It is in other hands: nobody can ever enrol it again"`
}

// ByContact names a key, and the contact at whose word it changes.
type ByContact struct {
	Fingerprint string `json:"fingerprint"`
	By          string `json:"by" doc:"Contact, by id or e-mail"`
}

// ApproveKey enrols a key that waits.
type ApproveKey struct {
	Fingerprint string `json:"fingerprint"`
	Holder      string `json:"holder,omitempty"`
	ConfirmedBy string `json:"confirmed_by,omitempty"`
}

// ExposedKeys tells of private key files that somebody sent. The files
// themselves stay where they were read.
type ExposedKeys struct {
	User  string        `json:"user" doc:"For whom they were sent"`
	Files []ExposedFile `json:"files"`
}

// ExposedFile is one of them.
type ExposedFile struct {
	Format string `json:"format"`
	Public string `json:"public,omitempty" doc:"The public half, as an authorized_keys line, if the file tells"`
	Proven bool   `json:"proven" doc:"The private half was readable and fits"`
}

// ByFingerprint is a query for a key; fingerprints have slashes in them.
type ByFingerprint struct {
	Fingerprint string `query:"fingerprint" required:"true" doc:"SHA256:…"`
}

func (rt *routes) keys() {
	room := rt.r.Account
	huma.Register(rt, op("list-keys", "GET", "/users/{name}/keys", "List a user's keys"),
		func(ctx context.Context, in *ByName) (*List[model.Key], error) {
			v, err := room.Keys(ctx, in.Name)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-keys", "POST", "/users/{name}/keys", "Enrol public keys, or replace one"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[NewKey]
		}) (*List[model.Key], error) {
			v, err := room.AddKeys(ctx, actor(ctx), in.Body.asked(in.Name))
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("edit-key", "PATCH", "/users/{name}/keys", "Change a key's holder, expiry or flag"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[EditKey]
		}) (*Payload[model.Key], error) {
			e := in.Body
			v, err := room.SetKey(ctx, actor(ctx), in.Name, e.Fingerprint, account.KeyEdit{Holder: e.Holder, Expires: e.ExpiresAt, Flag: e.Flag})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("show-key", "GET", "/keys", "Show every user's record of a key"),
		func(ctx context.Context, in *ByFingerprint) (*List[model.Key], error) {
			v, err := room.Key(ctx, in.Fingerprint)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("revoke-key", "POST", "/keys/revoke", "Revoke a key, and end its sessions"),
		func(ctx context.Context, in *Payload[RevokeKey]) (*Payload[model.Revoked], error) {
			v, err := room.RevokeKey(ctx, actor(ctx), in.Body.Fingerprint, in.Body.Reason, in.Body.Burn)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("key-activity", "GET", "/keys/activity", "Everything that was done with a key"),
		func(ctx context.Context, in *ByFingerprint) (*Payload[model.KeyActivity], error) {
			v, err := rt.r.Records.Activity(ctx, in.Fingerprint)
			return answer(rt, v, err)
		})
}

// keyLife are the rarer turns in a key's life.
func (rt *routes) keyLife() {
	room := rt.r.Account
	huma.Register(rt, op("expose-keys", "POST", "/keys/exposed", "Burn or flag keys whose private files somebody sent"),
		func(ctx context.Context, in *Payload[ExposedKeys]) (*Payload[model.Exposure], error) {
			files := make([]keys.Exposed, len(in.Body.Files))
			for i, f := range in.Body.Files {
				files[i] = keys.Exposed{Format: f.Format, Proven: f.Proven}
				if f.Public == "" {
					continue
				}
				found, err := keys.Read([]byte(f.Public))
				if err != nil {
					return nil, rt.fail(err)
				}
				files[i].Key = found[0]
			}
			v, err := room.KeyExposed(ctx, actor(ctx), in.Body.User, files)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("list-burned-keys", "GET", "/keys/burned", "List keys that can never be enrolled"),
		func(ctx context.Context, _ *nothing) (*List[model.BurnedKey], error) {
			v, err := room.BurnedKeys(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("freeze-key", "POST", "/keys/freeze", "Stop a key at a contact's word"),
		func(ctx context.Context, in *Payload[ByContact]) (*List[model.Key], error) {
			v, err := room.FreezeKey(ctx, actor(ctx), in.Body.Fingerprint, in.Body.By)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("thaw-key", "POST", "/keys/thaw", "Let a frozen key work again, at a second contact's word"),
		func(ctx context.Context, in *Payload[ByContact]) (*List[model.Key], error) {
			v, err := room.ThawKey(ctx, actor(ctx), in.Body.Fingerprint, in.Body.By)
			return answerList(rt, v, err)
		})
}

// waiting are the things that wait for somebody's word.
func (rt *routes) waiting() {
	room := rt.r.Account
	huma.Register(rt, op("list-pending-keys", "GET", "/keys/pending", "List unknown keys that wait for approval"),
		func(ctx context.Context, in *struct {
			User string `query:"user"`
		}) (*List[model.PendingKey], error) {
			v, err := room.PendingKeys(ctx, in.User)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("approve-key", "POST", "/users/{name}/keys/approve", "Enrol a key that waits, by its fingerprint"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[ApproveKey]
		}) (*List[model.Key], error) {
			v, err := room.ApproveKey(ctx, actor(ctx), in.Name, in.Body.Fingerprint, account.NewKey{Holder: in.Body.Holder, ConfirmedBy: in.Body.ConfirmedBy})
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("refuse-key", "DELETE", "/users/{name}/keys/pending", "Forget a key that waits"),
		func(ctx context.Context, in *struct {
			ByName
			ByFingerprint
		}) (*struct{}, error) {
			return nil, rt.fail(room.RefuseKey(ctx, actor(ctx), in.Name, in.Fingerprint))
		})
	huma.Register(rt, op("list-notices", "GET", "/notices", "List what people should be told"),
		func(ctx context.Context, in *struct {
			All bool `query:"all" doc:"Also what they were told"`
		}) (*List[model.Notice], error) {
			v, err := room.Notices(ctx, in.All, "")
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("done-notice", "POST", "/notices/{id}/done", "Note that people were told"),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, rt.fail(room.NoticeDone(ctx, actor(ctx), in.ID))
		})
}
