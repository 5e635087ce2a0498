package api

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/model"
)

// audit adds the operations on the audit log. Looking at it is also recorded in it.
func (rt *routes) audit() {
	service := rt.Audit
	list(rt, "list-audit", "/audit", "Rows of the audit log, the newest first",
		func(l model.AuditLine) string { return l.ID },
		func(ctx context.Context, f model.AuditFilter) ([]model.AuditLine, error) {
			s, err := rt.selection(ctx, f, "audit.view")
			if err != nil {
				return nil, err
			}
			return service.List(ctx, s, f.Paging)
		})
	type export struct {
		model.AuditFilter
		Format string `query:"format" default:"jsonl" enum:"jsonl,csv"`
	}
	send(rt, "export-audit", "/audit/export",
		"Export rows of the audit log: JSON Lines that can be verified alone, or CSV",
		func(ctx context.Context, in *export) (*huma.StreamResponse, error) {
			s, err := rt.selection(ctx, in.AuditFilter, "audit.export")
			if err != nil {
				return nil, err
			}
			if err := service.Seal(ctx); err != nil {
				return nil, err
			}
			write, kind := service.Export, "application/jsonl"
			if in.Format == "csv" {
				write, kind = service.ExportCSV, "text/csv; charset=utf-8"
			}
			return rt.stream(kind, func(w io.Writer) error { return write(ctx, w, s) }), nil
		})
	route(rt, "stream-audit", "GET", "/audit/stream",
		"What follows a cursor: sealed rows of the audit log and events of connections, the oldest first",
		func(ctx context.Context, in *model.StreamFilter) (page model.StreamPage, err error) {
			detail := map[string]string{"connections": strconv.FormatBool(in.Connections)}
			if err = service.NoteStream(ctx, actor(ctx), detail); err != nil {
				return page, err
			}
			return service.Stream(ctx, *in)
		})
	type sample struct {
		N int `query:"n" default:"10" minimum:"1" maximum:"1000"`
	}
	route(rt, "sample-audit", "GET", "/audit/sample", "Rows drawn at random, each proven under the newest checkpoint",
		func(ctx context.Context, in *sample) ([]model.SampledLine, error) {
			if err := rt.viewed(ctx, "audit.sample", "log", "", nil); err != nil {
				return nil, err
			}
			return service.Sample(ctx, in.N)
		})
	route(rt, "show-audit-status", "GET", "/audit/status", "How far the audit log is sealed",
		func(ctx context.Context, _ *nothing) (model.AuditStatus, error) { return service.Status(ctx) })
	route(rt, "make-checkpoint", "POST", "/audit/checkpoint", "Seal what waits, and return the signed checkpoint",
		func(ctx context.Context, _ *nothing) (model.AuditStatus, error) {
			if err := service.Seal(ctx); err != nil {
				return model.AuditStatus{}, err
			}
			return service.Status(ctx)
		})
	route(rt, "show-signing-key", "GET", "/signing-key",
		"The public key that receipts, reports and checkpoints are verified with",
		func(context.Context, *nothing) (model.Receipt, error) { return model.Receipt{Text: service.Key()}, nil })
}

// selection turns a filter into an audit.Selection. It writes an audit row for the look at the log,
// once for all pages of a list.
func (rt *routes) selection(ctx context.Context, f model.AuditFilter, action string) (audit.Selection, error) {
	s := audit.Selection{Since: f.Since, Until: f.Until, Actor: f.Actor, Action: f.Action, Subject: f.Subject}
	if err := rt.Audit.CheckAction(ctx, f.Action); err != nil {
		return s, err
	}
	if f.User != "" {
		u, err := rt.Account.User(ctx, f.User)
		if err != nil {
			return s, err
		}
		s.User = u.ID
	}
	if f.Cursor != "" {
		return s, nil
	}
	detail := map[string]string{"actor": f.Actor, "action": f.Action, "user": f.User, "subject": f.Subject}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
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
