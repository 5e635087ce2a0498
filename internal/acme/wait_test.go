package acme

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// Whoever connects does not make the server spend the authority's patience: after an order that failed, the
// next one waits.
func TestAnOrderThatFailedIsNotRepeatedByWhoeverConnects(t *testing.T) {
	var asked atomic.Int32
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.Error(w, "not now", http.StatusForbidden)
	}))
	defer authority.Close()
	c, err := New(Options{Domains: []string{"files.example.com"}, Directory: authority.URL, Folder: t.TempDir(),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 5 {
		name := "files.example.com"
		if i%2 == 1 {
			name = strings.ToUpper(name)
		}
		if _, err := c.get(&tls.ClientHelloInfo{ServerName: name}); err == nil {
			t.Fatal("there is a certificate")
		} else if i > 0 && !strings.Contains(err.Error(), "the next one is in") {
			t.Errorf("try %d: %v", i, err)
		}
	}
	if n := asked.Load(); n > 2 {
		t.Errorf("the authority was asked %d times", n)
	}
}
