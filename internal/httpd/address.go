package httpd

import (
	"net/http"
	"net/netip"
	"strings"
)

// Address returns the address of whoever sent a request. If a trusted proxy sent it, it is the one
// that the proxy reports. It is the zero address if it is not known.
func Address(r *http.Request, proxies []netip.Prefix) netip.Addr {
	from := Peer(r)
	if !within(from, proxies) {
		return from
	}
	// The last entry is the proxy's. Earlier entries may come from the client.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if a, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
		return a.Unmap().WithZone("")
	}
	return from
}

// Peer returns the address at the other end of a request's connection.
func Peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

func within(a netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// OnlyFrom serves this machine and some networks, and nobody else: requests in clear are for a proxy
// that has a certificate.
func OnlyFrom(proxies []netip.Prefix, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from := Peer(r); !from.IsLoopback() && !within(from, proxies) {
			http.Error(w, "Please use the public address of this server, which begins with https://.",
				http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
