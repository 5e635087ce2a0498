package node

import (
	"net/http"
	"runtime/debug"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// guarded ends a request whose handler panics, and no other: it logs where, and
// tells whoever asked a reference to name.
func (n *Node) guarded(next http.Handler, tell func(w http.ResponseWriter, reference string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { // how a handler breaks an answer off
				panic(p)
			}
			reference := exchange.NewReference()
			n.log.Error("a request panicked", "reference", reference, "method", r.Method, "panic", p, "stack", string(debug.Stack()))
			tell(w, reference)
		}()
		next.ServeHTTP(w, r)
	})
}
