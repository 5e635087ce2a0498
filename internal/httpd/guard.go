// Package httpd has what our HTTP servers share: handling of panics, and identification of the peer
// on a Unix socket.
package httpd

import (
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Guard catches a handler's panic, logs it under a reference, and calls tell to answer with that
// reference. If the answer has begun, it aborts the connection instead, so that the client does not
// take the answer for complete.
func Guard(log *slog.Logger, next http.Handler, tell func(w http.ResponseWriter, reference string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &begun{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { // the handler aborts the connection on purpose
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

// begun records whether the answer has begun.
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

// Unwrap returns the wrapped writer, for http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
