// Package api is the REST API, for the command line, other programs and later the console. Each
// route names the service function that answers it. Bodies and answers are the types of package
// model. The OpenAPI document is generated from the same types; openapi.json beside this file is
// the golden copy.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/announce"
	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/endpoint"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/movein"
	"github.com/sallyport-sftp/sallyport/internal/naming"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/overview"
	"github.com/sallyport-sftp/sallyport/internal/partners"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/telemetry"
	"github.com/sallyport-sftp/sallyport/internal/trace"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// Sessions is the part of the SSH server that the API uses.
type Sessions interface {
	Sessions() []model.Session
	End(match func(*exchange.Login) bool) int
}

// Guides fills connection cards and tests users' set-ups.
type Guides interface {
	Card(ctx context.Context, user string) (guide.Card, error)
	Test(ctx context.Context, user string) ([]model.Check, error)
	KeySheet(ctx context.Context, user string) (model.Document, error)
}

// Services are the services that the handlers call.
type Services struct {
	Account   *account.Service
	Guides    Guides
	HandOver  *handover.Service
	Records   *connection.Service
	Feed      *feed.Service
	Inbox     *inbox.Service
	Trace     *trace.Service
	Audit     *audit.Service
	Notify    *notify.Service
	Retain    *retention.Service
	Naming    *naming.Service
	Expect    *expect.Service
	Overview  *overview.Service
	Announce  *announce.Service
	Partners  *partners.Service
	Onboard   *onboard.Service
	Operators *operator.Service
	MoveIn    *movein.Service
	Tree      *tree.Tree
	Sessions  Sessions
	Names     Names
	HostKeys  *identity.Ring
	Endpoints *endpoint.Service
	Server    func() model.Server
	Operator  func() string // its name; may be ""
	// Health fails if the server cannot do its work.
	Health func(ctx context.Context) (model.Health, error)
	// Reload reads the configuration again, for somebody.
	Reload func(ctx context.Context, who string) (model.Reloaded, error)
	Clock  exchange.Clock
	// HelpOf says how an account's people reach support.
	HelpOf func(ctx context.Context, account string) string
	Log    *slog.Logger
}

// Problem is the body of every error answer (RFC 9457), with our kind and hint.
type Problem struct {
	Status int           `json:"status"`
	Title  string        `json:"title"`
	Detail string        `json:"detail" doc:"One sentence on what went wrong"`
	Kind   string        `json:"kind" doc:"not_found, exists, denied, …"`
	Field  string        `json:"field,omitempty" doc:"The field or parameter that is wrong"`
	Hint   string        `json:"hint,omitempty" doc:"The next step"`
	Action *model.Action `json:"action,omitempty" doc:"An operation that would help"`
	// Mistakes are set if several fields can be wrong at once.
	Mistakes []fault.Mistake `json:"mistakes,omitempty" doc:"Every field that is wrong; field names the first"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status. huma calls it.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the type that RFC 9457 defines.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// Fault writes the answer to a request whose handler panicked; see httpd.Guard.
func Fault(w http.ResponseWriter, reference string) {
	p := Problem{Status: http.StatusInternalServerError, Title: http.StatusText(http.StatusInternalServerError),
		Kind: fault.Internal.String(), Detail: "Something went wrong on the server; its log has more under " + reference +
			"."}
	p.write(w)
}

// Refuse answers a request with an error.
func Refuse(w http.ResponseWriter, err error) { asProblem(err).write(w) }

// write writes a Problem as the answer.
func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone
}

// routes adds operations to an API.
type routes struct {
	huma.API
	Services
	editing chan struct{} // held while a thing is compared with If-Match and changed; see matched
}

// installProblem makes huma answer its own errors with a Problem. huma.NewError is a global
// variable, so it is set once per process.
var installProblem = sync.OnceFunc(func() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return refused(status, msg, errs...)
	}
})

// New returns the handler of all operations.
func New(r Services) http.Handler {
	mux, _ := build(r)
	return stateCodes(mux)
}

// traced continues the trace that a request's headers name.
func traced(ctx huma.Context, next func(huma.Context)) {
	if parent := ctx.Header("Traceparent"); parent != "" {
		of := http.Header{"Traceparent": {parent}, "Tracestate": {ctx.Header("Tracestate")}}
		ctx = huma.WithContext(ctx, telemetry.From(ctx.Context(), of))
	}
	next(ctx)
}

func build(r Services) (*http.ServeMux, huma.API) {
	installProblem()
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("Sallyport", "1")
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "/api/openapi", "", ""
	cfg.CreateHooks = nil
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer",
		Description: "An API token, over the network. On the socket of the server's own machine nothing is needed."}}
	cfg.Security = []map[string][]string{{"token": {}}}
	api := humago.New(mux, cfg)
	api.UseMiddleware(inZone(api), traced)
	rt := &routes{api, r, make(chan struct{}, 1)}
	rt.people()
	rt.keys()
	rt.feeds()
	rt.inbox()
	rt.files()
	rt.notify()
	rt.retention()
	rt.records()
	rt.support()
	rt.moveIn()
	rt.requests()
	rt.audit()
	rt.operators()
	rt.server()
	rt.events()
	describeCodes(api.OpenAPI())
	return mux, api
}

// fail turns a service's error into a Problem. It logs Internal and Unavailable errors, once, here.
// Their causes are not shown to the client.
func (rt *routes) fail(err error) error {
	if err == nil {
		return nil
	}
	kind := fault.KindIn(err)
	if kind == fault.Internal || kind == fault.Unavailable {
		rt.Log.Error("API request failed", "err", err)
	}
	return asProblem(err)
}

// asProblem returns what a client is told of an error.
func asProblem(err error) *Problem {
	kind := fault.KindIn(err)
	status := kind.HTTPStatus()
	if stale := new(staleError); errors.As(err, &stale) {
		status = http.StatusPreconditionFailed
	}
	var all fault.Mistakes
	errors.As(err, &all)
	return &Problem{Status: status, Title: http.StatusText(status), Detail: fault.PublicText(err), Kind: kind.String(),
		Field: fault.FieldIn(err), Hint: fault.HintIn(err), Action: fault.ActionIn(err), Mistakes: all}
}
