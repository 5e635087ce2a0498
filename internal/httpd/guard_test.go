package httpd_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/api"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
)

// A request that panics is answered with a reference that is in the log. The next request is
// served.
func TestARequestThatPanics(t *testing.T) {
	var log bytes.Buffer
	to := slog.New(slog.NewTextHandler(&log, nil))
	for name, tell := range map[string]func(http.ResponseWriter, string){"the API": api.Fault,
		"a page": page.NewSite(page.Options{}).Fault} {
		calls := 0
		h := httpd.Guard(to, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls == 1 {
				panic("an index out of range")
			}
			w.WriteHeader(http.StatusNoContent)
		}), tell)
		ask := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			return w
		}
		first := ask()
		reference := strings.TrimSuffix(regexp.MustCompile(`\b[2-9a-z]{4}-[2-9a-z]{4}\.`).FindString(first.Body.String()),
			".")
		if first.Code != http.StatusInternalServerError || reference == "" ||
			strings.Contains(first.Body.String(), "out of range") {
			t.Errorf("%s: %d, %s", name, first.Code, first.Body)
		}
		if !strings.Contains(log.String(), "reference="+reference) ||
			!strings.Contains(log.String(), "an index out of range") || !strings.Contains(log.String(), "guard_test.go") {
			t.Errorf("%s: the log says %s", name, &log)
		}
		if p := (api.Problem{}); name == "the API" &&
			(json.Unmarshal(first.Body.Bytes(), &p) != nil || p.Kind != "internal" || p.Status != 500) {
			t.Errorf("the API's answer is %s", first.Body)
		}
		if again := ask(); again.Code != http.StatusNoContent {
			t.Errorf("%s: the next request is answered with %d", name, again.Code)
		}
	}
}

// An answer that has begun is aborted, so that it does not look complete.
func TestAPanicInTheMiddleOfAnAnswer(t *testing.T) {
	s := httptest.NewServer(httpd.Guard(slog.New(slog.DiscardHandler),
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("the first rows\n"))
			_ = http.NewResponseController(w).Flush()
			panic("an index out of range")
		}), api.Fault))
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err == nil {
		t.Fatalf("it ends as if it were whole: %q", got)
	}
}
