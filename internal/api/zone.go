package api

import (
	"net/http"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"

	"github.com/danielgtaylor/huma/v2"
)

// inZone is a middleware that notes in which zone whoever asks reads times; see model.ZoneHeader.
func inZone(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		name := ctx.Header(model.ZoneHeader)
		if name == "" {
			next(ctx)
			return
		}
		zone, err := readZone(name)
		if err != nil {
			refuse(api, ctx, err)
			return
		}
		next(huma.WithContext(ctx, exchange.InZone(ctx.Context(), zone)))
	}
}

// refuse answers a request that reaches no operation.
func refuse(api huma.API, ctx huma.Context, err error) {
	kind := fault.KindIn(err)
	p := Problem{Status: kind.HTTPStatus(), Title: http.StatusText(kind.HTTPStatus()), Detail: fault.PublicText(err),
		Kind: kind.String(), Hint: fault.HintIn(err)}
	ctx.SetHeader("Content-Type", p.ContentType(""))
	ctx.SetStatus(p.Status)
	_ = api.Marshal(ctx.BodyWriter(), "application/json", p) // the client may be gone
}

// readZone reads a name of a zone, or a distance from UTC: +11:00.
func readZone(name string) (*time.Location, error) {
	if at, err := time.Parse("-07:00", name); err == nil {
		_, offset := at.Zone()
		return time.FixedZone("UTC"+name, offset), nil
	}
	return valid.ParseZone(name)
}
