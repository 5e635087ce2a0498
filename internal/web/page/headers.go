package page

import "net/http"

// MaxBody is the size of the largest body of a request, in bytes. Forms are small.
const MaxBody = 128 << 10

// Headers sets headers that keep secrets out of caches, other sites' logs, and frames.
func Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		// A page's path may contain a secret, which must not reach other sites' logs. With
		// no-referrer, browsers would send forms without an origin, and those are refused.
		h.Set("Referrer-Policy", "strict-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Content-Security-Policy", policy)
		if r.TLS != nil { // otherwise the proxy that ends TLS sets it
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		next.ServeHTTP(w, r)
	})
}

// policy lets a page load what this server serves, and nothing that is written into the page.
// Pictures may be data: URIs, because the operator's logo is one.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
