package api

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// keys adds the operations on keys.
func (rt *routes) keys() {
	service := rt.Account
	listWhole(rt, "list-keys", "/users/{id}/keys", "List a user's keys",
		func(ctx context.Context, f model.UserKeyFilter) ([]model.Key, error) {
			return service.Keys(ctx, f.User)
		})
	edit(rt, "add-keys", "POST", "/users/{id}/keys", "Enrol public keys, or replace one", service.AddKeys)
	edit(rt, "edit-key", "PATCH", "/users/{id}/keys", "Change a key's holder, expiry or flag", service.SetKey)
	listWhole(rt, "show-key", "/keys", "Show every user's record of a key",
		func(ctx context.Context, f model.FingerprintFilter) ([]model.Key, error) {
			return service.Key(ctx, f.Fingerprint)
		})
	create(rt, "revoke-key", "/keys/revoke", "Revoke a key, or all keys of a contact or a user, and end their sessions",
		service.RevokeKeys)
	create(rt, "freeze-key", "/keys/freeze", "Stop a key at a contact's word",
		func(ctx context.Context, who string, k model.ByContact) ([]model.Key, error) {
			return service.FreezeKey(ctx, who, k.Fingerprint, k.By)
		})
	create(rt, "thaw-key", "/keys/thaw", "Let a frozen key work again, at a second contact's word",
		func(ctx context.Context, who string, k model.ByContact) ([]model.Key, error) {
			return service.ThawKey(ctx, who, k.Fingerprint, k.By)
		})
	create(rt, "expose-keys", "/keys/exposed", "Burn or flag keys whose private files somebody sent", rt.exposed)
	list(rt, "list-burned-keys", "/keys/burned", "List keys that can never be enrolled",
		func(k model.BurnedKey) string { return store.LatestCursor(k.At, k.Fingerprint) }, service.BurnedKeys)
	list(rt, "list-pending-keys", "/keys/pending", "List unknown keys that wait for approval",
		func(k model.PendingKey) string {
			return store.LatestCursor(k.LastAt, k.Fingerprint+k.UserID)
		}, service.PendingKeys)
	edit(rt, "approve-key", "POST", "/users/{id}/keys/approve", "Enrol a key that waits, by its fingerprint",
		service.ApproveKey)
	type waiting struct {
		Keyed
		Fingerprint string `query:"fingerprint" names:"pending key" required:"true" doc:"SHA256:…, or its beginning"`
	}
	done(rt, "refuse-key", "DELETE", "/users/{id}/keys/pending", "Forget a key that waits",
		func(ctx context.Context, in *waiting) error {
			return service.RefuseKey(ctx, actor(ctx), in.Key, in.Fingerprint)
		})
	type of struct {
		Fingerprint string `query:"fingerprint" names:"key" required:"true" doc:"SHA256:…, or its beginning"`
	}
	route(rt, "key-activity", "GET", "/keys/activity", "Everything that was done with a key",
		func(ctx context.Context, in *of) (model.KeyActivity, error) {
			return rt.Records.Activity(ctx, in.Fingerprint)
		})
}

// exposed acts on keys whose private files were sent. It parses their public halves itself.
func (rt *routes) exposed(ctx context.Context, who string, e model.ExposedKeys) (model.Exposure, error) {
	files := make([]keys.Exposed, len(e.Files))
	for i, f := range e.Files {
		files[i] = keys.Exposed{Format: f.Format, Proven: f.Proven}
		if f.Public == "" {
			continue
		}
		found, err := keys.Read([]byte(f.Public))
		if err != nil {
			return model.Exposure{}, err
		}
		files[i].Key = found[0]
	}
	return rt.Account.KeyExposed(ctx, who, e.User, files)
}
