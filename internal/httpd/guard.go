// Package httpd is what our HTTP servers share: what a panic of a handler does, and who is at the other end
// of a Unix socket.
package httpd

import (
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Guard ends a request whose handler panics, and no other: it logs where, and
// tells whoever asked a reference to name. An answer that has begun is broken off,
// so that nobody takes the part for the whole.
func Guard(log *slog.Logger, next http.Handler, tell func(w http.ResponseWriter, reference string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &begun{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { // how a handler breaks an answer off
				panic(p)
			}
			reference := fault.NewReference()
			log.Error("a request panicked", "reference", reference, "method", r.Method, "panic", p, "stack",
				string(debug.Stack()))
			if answer.yes {
				panic(http.ErrAbortHandler)
			}
			tell(w, reference)
		}()
		next.ServeHTTP(answer, r)
	})
}

// begun notes that an answer has begun.
type begun struct {
	http.ResponseWriter
	yes bool
}

func (b *begun) WriteHeader(status int) {
	b.yes = true
	b.ResponseWriter.WriteHeader(status)
}

func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
