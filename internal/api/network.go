package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Gate knows who may use the API over the network.
type Gate interface {
	// Still returns whose a token's secret is, without counting a request.
	Still(ctx context.Context, secret string) (model.Identity, error)
	// ByToken returns whose a token's secret is. wait is when to try again, after a Busy error.
	ByToken(ctx context.Context, secret string, from netip.Addr) (who model.Identity, wait time.Duration, err error)
}

// Network are the settings of the API on a listener that others can reach.
type Network struct {
	Gate Gate
	// Address returns the address of whoever sent a request.
	Address func(*http.Request) netip.Addr
	// Session returns who a browser is signed in as; false if it sends no session. nil: there are none.
	Session func(*http.Request) (who model.Identity, sent bool, err error)
	Log     *slog.Logger
}

// slowest is how long an answer or a body may take, unless an operation sets its own limit. Files are
// large and lines are slow; who asks is known.
const slowest = 6 * time.Hour

// OverNetwork serves the API to whoever has a token, or is signed in. Nothing else than the document is answered
// without one.
func OverNetwork(next http.Handler, n Network) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "strict-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if r.URL.Path == DocumentPath && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			next.ServeHTTP(w, r)
			return
		}
		who, wait, err := n.whoIs(r)
		if err != nil {
			n.refuse(w, wait, err)
			return
		}
		limits := http.NewResponseController(w)
		at := time.Now().Add(slowest)
		_, _ = limits.SetReadDeadline(at), limits.SetWriteDeadline(at) // a listener without limits has none to set
		ctx := WithAgain(WithIdentity(r.Context(), who), func(ctx context.Context) (model.Identity, error) {
			return n.again(r.WithContext(ctx))
		})
		next.ServeHTTP(w, r.WithContext(ctx))
	}))
}

// DocumentPath is where the OpenAPI document is.
const DocumentPath = "/api/openapi.json"

// again returns who sends a request, once more.
func (n Network) again(r *http.Request) (model.Identity, error) {
	if n.Session != nil && r.Header.Get("Authorization") == "" {
		who, _, err := n.Session(r)
		return who, err
	}
	_, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return n.Gate.Still(r.Context(), strings.TrimSpace(secret))
}

// Document returns the OpenAPI document.
func Document() ([]byte, error) {
	_, operations := build(Services{})
	return json.Marshal(operations.OpenAPI())
}

func (n Network) whoIs(r *http.Request) (who model.Identity, wait time.Duration, err error) {
	if n.Session != nil && r.Header.Get("Authorization") == "" {
		if who, sent, err := n.Session(r); sent {
			return who, 0, err
		}
	}
	kind, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || secret == "" {
		return who, 0, fault.E("api.whoIs", fault.Unauthenticated, "Please sign in, or send a token.").
			WithHint("an API token goes into the header Authorization: Bearer TOKEN")
	}
	return n.Gate.ByToken(r.Context(), strings.TrimSpace(secret), n.Address(r))
}

// refuse answers a request of somebody unknown.
func (n Network) refuse(w http.ResponseWriter, wait time.Duration, err error) {
	if k := fault.KindIn(err); k == fault.Internal || k == fault.Unavailable {
		n.Log.Error("it is not known who asks", "err", err)
	}
	p := asProblem(err)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sallyport"`)
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	p.write(w)
}
