package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sallyport-sftp/sallyport/internal/telemetry"
	"github.com/sallyport-sftp/sallyport/model"
)

// Each helper below adds one operation. The functions of operations that change something also get
// the actor.

// Input and answer types are exported, because huma ignores embedded structs that are not.

// BodyOf is an answer with a body, or an input that only has a body.
type BodyOf[T any] struct{ Body T }

// Keyed is an input with an id in its path.
type Keyed struct {
	Key string `path:"id"`
}

// KeyedBody is Keyed with a body.
type KeyedBody[T any] struct {
	Keyed
	BodyOf[T]
}

type nothing struct{}

// route adds an operation under /api/v1. do gets the whole input.
func route[In, Out any](rt *routes, id, method, path, summary string,
	do func(ctx context.Context, in *In) (Out, error)) {
	register(rt, op(id, method, path, summary), do)
}

// handle adds an operation. Before anything else, permit looks whether the role of whoever asks may
// do it. It checks the names in the input first (checkNames), and turns errors into answers.
func handle[In, Out any](rt *routes, o huma.Operation, do func(ctx context.Context, in *In) (*Out, error)) {
	o.Middlewares = append(huma.Middlewares{rt.permit(o.OperationID)}, o.Middlewares...)
	huma.Register(rt, o, func(ctx context.Context, in *In) (answer *Out, err error) {
		ctx, end := telemetry.Serve(ctx, o.OperationID)
		defer func() { end(err) }()
		if o.Method != http.MethodGet {
			if err := still(ctx); err != nil {
				return nil, rt.fail(err)
			}
		}
		if err := rt.checkNames(ctx, o.Path, in); err != nil {
			return nil, rt.fail(err)
		}
		out, err := do(ctx, in)
		return out, rt.fail(rt.named(ctx, o.Path, in, err))
	})
}

// register adds an operation whose answer is JSON.
func register[In, Out any](rt *routes, o huma.Operation, do func(ctx context.Context, in *In) (Out, error)) {
	handle(rt, o, func(ctx context.Context, in *In) (*BodyOf[Out], error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, err
		}
		return &BodyOf[Out]{out}, nil
	})
}

// send adds a GET whose answer is not JSON.
func send[In any](rt *routes, id, path, summary string,
	do func(ctx context.Context, in *In) (*huma.StreamResponse, error)) {
	handle(rt, op(id, "GET", path, summary), do)
}

// done adds an operation without an answer body.
func done[In any](rt *routes, id, method, path, summary string, do func(ctx context.Context, in *In) error) {
	handle(rt, op(id, method, path, summary), func(ctx context.Context, in *In) (*nothing, error) {
		return nil, do(ctx, in)
	})
}

// show adds a GET of one thing.
func show[T any](rt *routes, id, path, summary string, read func(ctx context.Context, key string) (T, error)) {
	route(rt, id, "GET", path, summary, func(ctx context.Context, in *Keyed) (T, error) { return read(ctx, in.Key) })
}

// create adds a POST with a body.
func create[B, T any](rt *routes, id, path, summary string,
	do func(ctx context.Context, actor string, body B) (T, error)) {
	route(rt, id, "POST", path, summary,
		func(ctx context.Context, in *BodyOf[B]) (T, error) { return do(ctx, actor(ctx), in.Body) })
}

// edit adds an operation that changes one thing, with a body.
func edit[B, T any](rt *routes, id, method, path, summary string,
	do func(ctx context.Context, actor, key string, body B) (T, error)) {
	route(rt, id, method, path, summary, func(ctx context.Context, in *KeyedBody[B]) (T, error) {
		return do(ctx, actor(ctx), in.Key, in.Body)
	})
}

// act adds an operation on one thing, without a body.
func act[T any](rt *routes, id, method, path, summary string,
	do func(ctx context.Context, actor, key string) (T, error)) {
	route(rt, id, method, path, summary,
		func(ctx context.Context, in *Keyed) (T, error) { return do(ctx, actor(ctx), in.Key) })
}

// remove adds a DELETE of one thing.
func remove(rt *routes, id, path, summary string, do func(ctx context.Context, actor, key string) error) {
	done(rt, id, "DELETE", path, summary,
		func(ctx context.Context, in *Keyed) error { return do(ctx, actor(ctx), in.Key) })
}

// op describes an operation under /api/v1.
func op(id, method, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: "/api/v1" + path, Summary: summary}
}

// upload describes an operation whose body is a file, of any size and duration.
func upload(id, path, summary string) huma.Operation {
	o := op(id, "PUT", path, summary)
	o.MaxBodyBytes = -1
	o.BodyReadTimeout = -1
	return o
}

// Streamed is an input whose body is read by the handler, not by huma.
type Streamed struct{ body io.Reader }

// Resolve keeps the body reader. huma calls it before the handler.
func (s *Streamed) Resolve(ctx huma.Context) []error {
	if s.body = ctx.BodyReader(); s.body == nil {
		s.body = http.NoBody
	}
	return nil
}

// viewed writes an audit row for an operator who looked at contents, with the reason, if one was
// given.
func (rt *routes) viewed(ctx context.Context, action, subject, userID string, detail map[string]string) error {
	if why := reason(ctx); why != "" && detail != nil {
		detail["reason"] = why
	}
	return rt.Audit.Note(ctx, model.AuditRow{Actor: actor(ctx), Action: action, Subject: subject, User: userID,
		Detail: detail})
}

// blobReader is the part of a blob.Reader that content uses.
type blobReader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// content answers with a blob, whole or in ranges, and closes it. Blobs never change, so the hash
// is the entity tag.
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

// stream answers with what write writes. If write fails half-way, the connection is aborted, so
// that the client does not take the answer for complete.
func (rt *routes) stream(kind string, write func(io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", kind)
		ctx.SetHeader("X-Content-Type-Options", "nosniff")
		if err := write(ctx.BodyWriter()); err != nil {
			rt.Log.Error("an answer broke off", "err", err)
			panic(http.ErrAbortHandler) // net/http ends the connection
		}
	}}
}
