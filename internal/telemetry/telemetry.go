// Package telemetry marks steps of work as spans of OpenTelemetry traces. While no exporter is running
// (package telemetry/otlp), a span costs a fraction of a microsecond and goes nowhere.
//
// Spans name operations, users, sizes and outcomes. They have no paths, file names, addresses or keys: traces
// often go to a service of others.
package telemetry

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

const scope = "github.com/sallyport-sftp/sallyport"

// Attributes of spans.
const (
	User    = attribute.Key("enduser.id") // username
	Session = attribute.Key("session.id")
	Blob    = attribute.Key("sallyport.blob") // id of stored bytes: what `trace` finds
	Bytes   = attribute.Key("sallyport.bytes")
	Outcome = attribute.Key("sallyport.outcome") // reason code of a log-in
	Kind    = attribute.Key("sallyport.kind")    // of a mail, or type of an event
	Target  = attribute.Key("sallyport.target")  // name of a webhook
	Message = attribute.Key("sallyport.message") // id
)

// End ends a span, with the error that the work failed with.
type End func(err error)

// Step begins a span of work inside the server; end must be called.
func Step(ctx context.Context, name string, about ...attribute.KeyValue) (context.Context, End) {
	return begin(ctx, name, trace.SpanKindInternal, about)
}

// Serve begins a span of work that a client asked for.
func Serve(ctx context.Context, name string, about ...attribute.KeyValue) (context.Context, End) {
	return begin(ctx, name, trace.SpanKindServer, about)
}

// Call begins a span of work that another server does.
func Call(ctx context.Context, name string, about ...attribute.KeyValue) (context.Context, End) {
	return begin(ctx, name, trace.SpanKindClient, about)
}

func begin(ctx context.Context, name string, kind trace.SpanKind, about []attribute.KeyValue) (context.Context, End) {
	ctx, span := otel.Tracer(scope).Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(about...))
	return ctx, func(err error) {
		if err != nil {
			span.SetAttributes(attribute.String("error.type", fault.KindIn(err).String()))
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Note adds what is known only later to the span of ctx.
func Note(ctx context.Context, about ...attribute.KeyValue) {
	trace.SpanFromContext(ctx).SetAttributes(about...)
}

var headers = propagation.TraceContext{}

// From returns ctx as a part of the trace that a request's headers name (W3C Trace Context), if they do.
func From(ctx context.Context, h http.Header) context.Context {
	return headers.Extract(ctx, propagation.HeaderCarrier(h))
}

// Into names the trace of ctx in a request's headers.
func Into(ctx context.Context, h http.Header) { headers.Inject(ctx, propagation.HeaderCarrier(h)) }
