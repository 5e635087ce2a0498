package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/trace"
	"github.com/sallyport-sftp/sallyport/model"
)

// Sheet is a trace, and the same as a page of text.
type Sheet struct {
	model.Trace
	Sheet string `json:"sheet" doc:"A page of text to mail"`
}

func (rt *routes) traces() {
	huma.Register(rt, op("trace", "GET", "/trace", "A file's whole life, by name, account or SHA-256"),
		func(ctx context.Context, in *struct {
			About   string `query:"about" required:"true"`
			Account string `query:"account" doc:"Only this account's"`
		}) (*Payload[Sheet], error) {
			t, err := rt.r.Trace.Find(ctx, in.About, in.Account)
			if err != nil {
				return nil, rt.fail(err)
			}
			from := rt.r.Server.Host
			if from == "" {
				from = "this server"
			}
			return &Payload[Sheet]{Sheet{t, trace.Sheet(t, from, rt.r.Server.Help)}}, nil
		})
	huma.Register(rt, op("show-signing-key", "GET", "/signing-key", "The public key that receipts, reports and checkpoints are verified with"),
		func(context.Context, *nothing) (*Payload[Receipt], error) {
			return &Payload[Receipt]{Receipt{rt.r.Audit.Key()}}, nil
		})
}

// Selected chooses rows of the audit log.
type Selected struct {
	Since   time.Time `query:"since"`
	Until   time.Time `query:"until"`
	Actor   string    `query:"actor"`
	Action  string    `query:"action" doc:"May end in *"`
	User    string    `query:"user" doc:"Username"`
	Subject string    `query:"subject"`
}

// selection turns what was asked for into what the room takes, and writes down
// that the log was looked at.
func (rt *routes) selection(ctx context.Context, in Selected, action string) (audit.Selection, error) {
	s := audit.Selection{Since: in.Since, Until: in.Until, Actor: in.Actor, Action: in.Action, Subject: in.Subject}
	if in.User != "" {
		u, err := rt.r.Account.User(ctx, in.User)
		if err != nil {
			return s, err
		}
		s.User = u.ID
	}
	detail := map[string]string{"actor": in.Actor, "action": in.Action, "user": in.User, "subject": in.Subject}
	for name, t := range map[string]time.Time{"since": in.Since, "until": in.Until} {
		if !t.IsZero() {
			detail[name] = t.Format(time.RFC3339)
		}
	}
	for name, v := range detail {
		if v == "" {
			delete(detail, name)
		}
	}
	return s, rt.viewed(ctx, action, "log", s.User, detail)
}

func (rt *routes) audit() {
	room := rt.r.Audit
	huma.Register(rt, op("list-audit", "GET", "/audit", "Rows of the audit log, the newest first"),
		func(ctx context.Context, in *struct {
			Selected
			Limit int `query:"limit" default:"100" minimum:"1" maximum:"10000"`
		}) (*List[audit.Line], error) {
			s, err := rt.selection(ctx, in.Selected, "audit.view")
			if err != nil {
				return nil, rt.fail(err)
			}
			v, err := room.List(ctx, s, in.Limit)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("export-audit", "GET", "/audit/export", "Export rows of the audit log: JSON Lines that can be verified alone, or CSV"),
		func(ctx context.Context, in *struct {
			Selected
			Format string `query:"format" default:"jsonl" enum:"jsonl,csv"`
		}) (*huma.StreamResponse, error) {
			s, err := rt.selection(ctx, in.Selected, "audit.export")
			if err != nil {
				return nil, rt.fail(err)
			}
			if err := room.Seal(ctx); err != nil {
				return nil, rt.fail(err)
			}
			write, kind := room.Export, "application/jsonl"
			if in.Format == "csv" {
				write, kind = room.ExportCSV, "text/csv; charset=utf-8"
			}
			return rt.stream(kind, func(w io.Writer) error { return write(ctx, w, s) }), nil
		})
	huma.Register(rt, op("sample-audit", "GET", "/audit/sample", "Rows drawn at random, each proven under the newest checkpoint"),
		func(ctx context.Context, in *struct {
			N int `query:"n" default:"10" minimum:"1" maximum:"1000"`
		}) (*List[audit.Sampled], error) {
			if err := rt.viewed(ctx, "audit.sample", "log", "", nil); err != nil {
				return nil, rt.fail(err)
			}
			v, err := room.Sample(ctx, in.N)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("show-audit-status", "GET", "/audit/status", "How far the audit log is sealed"),
		func(ctx context.Context, _ *nothing) (*Payload[audit.Status], error) {
			v, err := room.Status(ctx)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("make-checkpoint", "POST", "/audit/checkpoint", "Seal what waits, and return the signed checkpoint"),
		func(ctx context.Context, _ *nothing) (*Payload[audit.Status], error) {
			if err := room.Seal(ctx); err != nil {
				return nil, rt.fail(err)
			}
			v, err := room.Status(ctx)
			return answer(rt, v, err)
		})
}

// stream answers with what write makes. One that fails half-way breaks the
// answer off, so that nobody takes a part for the whole.
func (rt *routes) stream(kind string, write func(io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", kind)
		ctx.SetHeader("X-Content-Type-Options", "nosniff")
		if err := write(ctx.BodyWriter()); err != nil {
			rt.r.Log.Error("an answer broke off", "err", err)
			panic(http.ErrAbortHandler) // net/http ends the connection
		}
	}}
}
