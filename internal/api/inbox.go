package api

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (rt *routes) inbox() {
	service := rt.Inbox
	list(rt, "list-drops", "/inbox", "List received files", func(d model.Drop) string { return d.ID }, service.List)
	create(rt, "claim-drops", "/inbox/claims", "Claim received files, each for one consumer at a time", service.Claim)
	create(rt, "clear-drops", "/inbox/clear", "Hand on unscanned what waits for a scanner that is not configured any more",
		func(ctx context.Context, who string, c model.Clearing) (model.Cleared, error) {
			n, err := service.Clear(ctx, who, c.Reason)
			return model.Cleared{Files: n}, err
		})
	show(rt, "show-drop", "/inbox/{id}", "Show a received file", service.Show)
	type fetch struct {
		Keyed
		model.FetchDrop
	}
	send(rt, "fetch-drop", "/inbox/{id}/content", "Fetch a received file's content; takes Range",
		func(ctx context.Context, in *fetch) (*huma.StreamResponse, error) {
			d, b, err := service.Open(ctx, in.Key, in.Claim)
			if err != nil {
				return nil, err
			}
			if err := rt.viewed(ctx, "drop.fetch", d.ID, d.UserID,
				map[string]string{"path": valid.Printable(d.Path), "sha256": d.SHA256}); err != nil {
				return nil, errors.Join(err, b.Close())
			}
			return content(b, d.SHA256), nil
		})
	show(rt, "drop-receipt", "/inbox/{id}/receipt", "The signed receipt of a received file", receipt(service.Receipt))

	// Operations that change or end a claim.
	edit(rt, "ack-drop", "POST", "/inbox/{id}/ack", "Accept a received file",
		func(ctx context.Context, who, id string, s model.Settling) (model.Drop, error) {
			return service.Ack(ctx, who, id, s.Claim)
		})
	edit(rt, "reject-drop", "POST", "/inbox/{id}/reject", "Refuse a received file with a reason that its uploader reads",
		func(ctx context.Context, who, id string, s model.Settling) (model.Drop, error) {
			return service.Reject(ctx, who, id, s.Claim, s.Reason, s.Advice)
		})
	edit(rt, "renew-drop", "POST", "/inbox/{id}/renew", "Make a claim last longer",
		func(ctx context.Context, who, id string, s model.Settling) (model.Drop, error) {
			return service.Renew(ctx, who, id, s.Claim, s.Lease)
		})
	edit(rt, "release-drop", "POST", "/inbox/{id}/release", "Give a claim back",
		func(ctx context.Context, who, id string, s model.Settling) (model.Drop, error) {
			return service.Release(ctx, who, id, s.Claim)
		})

	list(rt, "list-expectations", "/expectations", "List what is expected, and how it stands",
		func(e model.Expectation) string { return e.Name }, rt.Expect.List)
	create(rt, "add-expectation", "/expectations", "Expect files by a time", rt.Expect.Add)
	remove(rt, "remove-expectation", "/expectations/{id}", "Remove an expectation", rt.Expect.Remove)
}
