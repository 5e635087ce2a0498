package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

func (rt *routes) inbox() {
	room := rt.r.Inbox
	huma.Register(rt, op("list-drops", "GET", "/inbox", "List received files"),
		func(ctx context.Context, in *struct {
			State   string `query:"state" enum:"new,claimed,acked,rejected,superseded"`
			User    string `query:"user"`
			Account string `query:"account"`
			Page
		}) (*List[exchange.Drop], error) {
			v, err := room.List(ctx, store.DropFilter{State: in.State, User: in.User, Account: in.Account, After: in.After, Limit: in.Limit})
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("show-drop", "GET", "/inbox/{id}", "Show a received file"),
		func(ctx context.Context, in *ByID) (*Payload[exchange.Drop], error) {
			v, err := room.Show(ctx, in.ID)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("fetch-drop", "GET", "/inbox/{id}/content", "Fetch a received file's content; takes Range"),
		func(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
			d, b, err := room.Open(ctx, in.ID)
			if err != nil {
				return nil, rt.fail(err)
			}
			return content(b, d.SHA256), nil
		})
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
