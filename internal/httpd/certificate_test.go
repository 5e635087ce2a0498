package httpd_test

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestACertificateIsReadAgain: a pair that was replaced is served to new connections. Until both halves fit, or if they
// never do, the one before is.
func TestACertificateIsReadAgain(t *testing.T) {
	authority := testkit.NewAuthority(t)
	var log testkit.Log
	cert, key := authority.Files(t, "127.0.0.1")
	c, err := httpd.ReadCertificate(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
	testkit.Must(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: c.Get, MinVersion: tls.VersionTLS12})
	testkit.Must(t, err)
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Minute}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { _ = server.Close(); served.Wait() })
	serial := func() string {
		conn, err := tls.Dial("tcp", l.Addr().String(),
			&tls.Config{RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12})
		testkit.Must(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	write := func(name string, text []byte) { testkit.Must(t, os.WriteFile(name, text, 0o600)) }
	refusals := func() int { return strings.Count(log.String(), "cannot be read; the one before stays in use") }
	becomes := func(what string, done func() bool) {
		t.Helper()
		testkit.Eventually(t, what, func() bool { _ = serial(); return done() })
	}
	first := serial()

	newCert, newKey := authority.Pair(t, "127.0.0.1")
	write(cert, newCert)
	becomes("half of the pair is refused", func() bool { return refusals() == 1 })
	if serial() != first {
		t.Fatal("half of a pair is served")
	}
	write(key, newKey)
	becomes("the whole pair is served", func() bool { return serial() != first })
	second := serial()

	write(cert, []byte("-----BEGIN CERTIFICATE-----\nbroken"))
	write(key, nil)
	becomes("the broken pair is refused", func() bool { return refusals() >= 2 })
	if serial() != second {
		t.Fatal("the pair before a broken one is not served")
	}
	testkit.Must(t, os.Remove(key))
	becomes("the missing key is refused", func() bool { return refusals() >= 3 })
	thirdCert, thirdKey := authority.Pair(t, "127.0.0.1")
	write(cert, thirdCert)
	write(key, thirdKey)
	becomes("the next pair is served", func() bool { return serial() != second })
}

func TestABrokenCertificateAtTheStart(t *testing.T) {
	authority := testkit.NewAuthority(t)
	cert, key := authority.Files(t, "127.0.0.1")
	otherCert, _ := authority.Files(t, "127.0.0.1")
	for name, pair := range map[string][2]string{"of two pairs": {otherCert, key}, "turned round": {key, cert},
		"missing": {cert, key + ".missing"}, "a folder": {t.TempDir(), key}} {
		if _, err := httpd.ReadCertificate(pair[0], pair[1], slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: it was accepted", name)
		}
	}
}

// TestOnlyFrom: requests in clear are served to this machine and to named proxies. What a header says does not count.
func TestOnlyFrom(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")}
	h := httpd.OnlyFrom(proxies, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	for peer, want := range map[string]int{"127.0.0.1:5": 204, "[::1]:5": 204, "[::ffff:127.0.0.1]:5": 204,
		"127.8.8.8:5": 204, "192.0.2.77:5": 204, "[::ffff:192.0.2.77]:5": 204, "[2001:db8::1]:5": 204,
		"192.0.3.1:5": 403, "203.0.113.7:5": 403, "[2001:db8::2]:5": 403, "[fe80::1%eth0]:5": 403, "@": 403, "": 403} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want || want == 403 && !strings.Contains(w.Body.String(), "https://") {
			t.Errorf("from %q: %d, want %d: %s", peer, w.Code, want, w.Body)
		}
	}
	served := httptest.NewServer(h)
	t.Cleanup(served.Close)
	resp, err := http.Get(served.URL)
	testkit.Must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != 204 {
		t.Errorf("from this machine: %s", resp.Status)
	}
}
