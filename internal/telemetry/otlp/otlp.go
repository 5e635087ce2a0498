// Package otlp sends the spans of package telemetry to a collector, by the OpenTelemetry protocol over HTTP.
package otlp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Options say where spans go, and which.
type Options struct {
	Endpoint string  // URL of the collector: https://otel.example.com:4318; its path is /v1/traces if it has none
	Token    string  // sent as a bearer token; "": none
	CA       string  // file of certificates that are trusted besides the system's; "": none
	Sample   float64 // part of the traces that begin here, 0 to 1; others are as their beginning says
	Version  string
	Node     string
	Log      *slog.Logger
}

// closeWithin is how long the last spans may take to be sent.
const closeWithin = 2 * time.Second

// Start sends spans until the returned function is called. Sending never delays the server: spans that the
// collector does not take in time are dropped, and the log says so. One exporter runs in a process at a time.
func Start(ctx context.Context, o Options) (stop func(), err error) {
	to, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fault.E("otlp.Start", fault.Invalid, "traces.endpoint: %v.", err)
	}
	if strings.Trim(to.Path, "/") == "" {
		to.Path = "/v1/traces"
	}
	settings := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(to.String()),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression)}
	if o.Token != "" {
		settings = append(settings, otlptracehttp.WithHeaders(map[string]string{"Authorization": "Bearer " + o.Token}))
	}
	sender, err := client(o.CA)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, append(settings, otlptracehttp.WithHTTPClient(sender))...)
	if err != nil {
		return nil, fault.E("otlp.Start", fault.Invalid, "Traces cannot be sent: %v.", err)
	}
	about := resource.NewSchemaless(attribute.String("service.name", "sallyport"),
		attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Node))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(o.Sample))))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		o.Log.Warn("traces could not be sent", "err", valid.Excerpt(err.Error(), 200)) // it may have the collector's answer
	}))
	otel.SetTracerProvider(provider)
	var once sync.Once
	return func() {
		once.Do(func() {
			otel.SetTracerProvider(noop.NewTracerProvider())
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
			defer cancel()
			if err := provider.Shutdown(ctx); err != nil {
				o.Log.Warn("the last traces could not be sent", "err", err)
			}
		})
	}, nil
}

// sendWithin is how long a collector may take to answer.
const sendWithin = 10 * time.Second

// client makes a client that follows no redirect: the token is for the collector alone.
func client(ca string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if ca != "" {
		pool, err := trusted(ca)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: transport, Timeout: sendWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// trusted reads certificates besides the system's.
func trusted(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.E("otlp.trusted", fault.Invalid, "traces.ca: %v.", fault.InWords(err))
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fault.E("otlp.trusted", fault.Invalid, "traces.ca: %s has no certificate.", file)
	}
	return pool, nil
}
