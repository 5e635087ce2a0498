package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewClaim is the body that claims received files.
type NewClaim struct {
	Consumer string `json:"consumer" doc:"Who works on them"`
	Limit    int    `json:"limit,omitempty" doc:"At most; 1 unless given"`
	Lease    string `json:"lease,omitempty" doc:"How long, 15m; the policy's unless given"`
	User     string `json:"user,omitempty" doc:"Only this user's"`
	Account  string `json:"account,omitempty" doc:"Only this account's users'"`
}

// Settling is the body that ends a claim.
type Settling struct {
	Claim  string `json:"claim,omitempty" doc:"As claiming told it; may be left out when nobody has claimed the file"`
	Lease  string `json:"lease,omitempty" doc:"Of renewing: how long from now"`
	Reason string `json:"reason,omitempty" doc:"Of refusing: what the partner reads"`
	Advice string `json:"advice,omitempty" doc:"Of refusing: what the partner should do"`
}

// Clearing is the body that hands on files which wait for a scanner.
type Clearing struct {
	Reason string `json:"reason" doc:"Why they are handed on unscanned; it goes into the audit log"`
}

// Cleared says how many files were handed on.
type Cleared struct {
	Files int64 `json:"files"`
}

// settleInput names the file and how it is settled.
type settleInput struct {
	ByID
	Payload[Settling]
}

func lease(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fault.E("api.lease", fault.Invalid, "%q is not a length of time.", valid.Printable(s)).WithHint("write 90s, 15m or 2h")
	}
	return d, nil
}

func (rt *routes) inbox() {
	room := rt.r.Inbox
	huma.Register(rt, op("list-drops", "GET", "/inbox", "List received files"),
		func(ctx context.Context, in *struct {
			State   string `query:"state" enum:"unscanned,new,claimed,acked,rejected,superseded"`
			User    string `query:"user"`
			Account string `query:"account"`
			Name    string `query:"name" doc:"Last part of the path"`
			Page
		}) (*List[model.Drop], error) {
			v, err := room.List(ctx, store.DropFilter{State: in.State, User: in.User, Account: in.Account, Name: in.Name, After: in.After, Limit: in.Limit})
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("claim-drops", "POST", "/inbox/claims", "Claim received files, each for one consumer at a time"),
		func(ctx context.Context, in *Payload[NewClaim]) (*List[model.Drop], error) {
			d, err := lease(in.Body.Lease)
			if err != nil {
				return nil, rt.fail(err)
			}
			v, err := room.Claim(ctx, actor(ctx), inbox.Claim{Consumer: in.Body.Consumer, Limit: in.Body.Limit, Lease: d, User: in.Body.User, Account: in.Body.Account})
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("clear-drops", "POST", "/inbox/clear", "Hand on unscanned what waits for a scanner that is not configured any more"),
		func(ctx context.Context, in *Payload[Clearing]) (*Payload[Cleared], error) {
			n, err := room.Clear(ctx, actor(ctx), in.Body.Reason)
			return answer(rt, Cleared{n}, err)
		})
	huma.Register(rt, op("show-drop", "GET", "/inbox/{id}", "Show a received file"),
		func(ctx context.Context, in *ByID) (*Payload[model.Drop], error) {
			v, err := room.Show(ctx, in.ID)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("fetch-drop", "GET", "/inbox/{id}/content", "Fetch a received file's content; takes Range"),
		func(ctx context.Context, in *struct {
			ByID
			Claim string `query:"claim" doc:"The scanner's, for a file that it has not accepted yet"`
		}) (*huma.StreamResponse, error) {
			d, b, err := room.Open(ctx, in.ID, in.Claim)
			if err != nil {
				return nil, rt.fail(err)
			}
			if err := rt.viewed(ctx, "drop.fetch", d.ID, d.UserID, map[string]string{"path": valid.Printable(d.Path), "sha256": d.SHA256}); err != nil {
				return nil, rt.fail(errors.Join(err, b.Close()))
			}
			return content(b, d.SHA256), nil
		})
	huma.Register(rt, op("drop-receipt", "GET", "/inbox/{id}/receipt", "The signed receipt of a received file"),
		func(ctx context.Context, in *ByID) (*Payload[Receipt], error) {
			text, err := room.Receipt(ctx, in.ID)
			return answer(rt, Receipt{text}, err)
		})
	rt.settling()
}

// settling are the operations that end or change a claim.
func (rt *routes) settling() {
	room := rt.r.Inbox
	for _, o := range []struct {
		id, path, text string
		do             func(ctx context.Context, id string, s Settling) (model.Drop, error)
	}{
		{"ack-drop", "ack", "Accept a received file", func(ctx context.Context, id string, s Settling) (model.Drop, error) {
			return room.Ack(ctx, actor(ctx), id, s.Claim)
		}},
		{"reject-drop", "reject", "Refuse a received file with a reason that its uploader reads", func(ctx context.Context, id string, s Settling) (model.Drop, error) {
			return room.Reject(ctx, actor(ctx), id, s.Claim, s.Reason, s.Advice)
		}},
		{"renew-drop", "renew", "Make a claim last longer", func(ctx context.Context, id string, s Settling) (model.Drop, error) {
			d, err := lease(s.Lease)
			if err != nil {
				return model.Drop{}, err
			}
			return room.Renew(ctx, actor(ctx), id, s.Claim, d)
		}},
		{"release-drop", "release", "Give a claim back", func(ctx context.Context, id string, s Settling) (model.Drop, error) {
			return room.Release(ctx, actor(ctx), id, s.Claim)
		}},
	} {
		huma.Register(rt, op(o.id, "POST", "/inbox/{id}/"+o.path, o.text), func(ctx context.Context, in *settleInput) (*Payload[model.Drop], error) {
			v, err := o.do(ctx, in.ID, in.Body)
			return answer(rt, v, err)
		})
	}
}

// viewed writes down that somebody of the operator's looked at contents.
func (rt *routes) viewed(ctx context.Context, action, subject, userID string, detail map[string]string) error {
	return rt.r.Audit.Note(ctx, model.AuditRow{Actor: actor(ctx), Action: action, Subject: subject, User: userID, Detail: detail})
}

// blobReader is what content needs of a blob.Reader.
type blobReader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// content answers with bytes that never change, whole or in ranges. Their
// hash is the entity tag.
func content(b blobReader, sha256 string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer b.Close()
		r, w := humago.Unwrap(ctx)
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("X-Content-Type-Options", "nosniff")
		if sha256 != "" {
			h.Set("ETag", `"sha256:`+sha256+`"`)
		}
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(b, 0, b.Size()))
	}}
}
