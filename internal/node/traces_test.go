package node_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// gathered is a collector of traces.
type gathered struct {
	mu    sync.Mutex
	spans []*trace.Span
	token string
}

func (g *gathered) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	in, err := gzip.NewReader(r.Body)
	if err != nil {
		return
	}
	body, err := io.ReadAll(in)
	var got collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &got) != nil || r.URL.Path != "/v1/traces" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token = r.Header.Get("Authorization")
	for _, res := range got.ResourceSpans {
		for _, s := range res.ScopeSpans {
			g.spans = append(g.spans, s.Spans...)
		}
	}
}

// named returns the spans of a name.
func (g *gathered) named(name string) (out []*trace.Span) {
	for _, s := range g.spans {
		if s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

func attribute(s *trace.Span, key string) string {
	for _, a := range s.Attributes {
		if text, ok := a.Value.Value.(*common.AnyValue_StringValue); ok && a.Key == key {
			return text.StringValue
		}
	}
	return ""
}

// Traces tell of log-ins, uploads, requests and webhooks; a request's part belongs to the trace that its client began,
// and the receiver of a webhook hears of the sender's. They have no paths, names of files, addresses or keys.
func TestTracesReachACollector(t *testing.T) {
	g := &gathered{}
	at := httptest.NewServer(g)
	defer at.Close()
	var parents sync.Map
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		parents.Store(r.Header.Get("Webhook-Id"), r.Header.Get("Traceparent"))
	}))
	defer receiver.Close()
	n := testkit.Start(t, func(c *config.Config) {
		c.Traces = config.Traces{Endpoint: at.URL, Token: "secret-token", Percent: 100}
		c.Webhooks.AllowHTTP, c.Webhooks.Allow = true, []string{"127.0.0.0/8"}
	})
	key := testkit.NewKey(t)
	n.User("acme")
	n.Enrol("acme", key)
	testkit.Call[any](n, "POST", "/webhooks", model.NewWebhook{Name: "billing", URL: receiver.URL, Events: []string{"*"}})
	f, err := n.SFTP("acme", key).Create("/upload/secret-name.csv")
	testkit.Must(t, err)
	_, err = f.Write([]byte("1,2,3"))
	testkit.Must(t, err)
	testkit.Must(t, f.Close())
	testkit.Eventually(t, "a webhook comes", func() (told bool) {
		parents.Range(func(_, parent any) bool { told = told || parent != ""; return true })
		return told
	})
	n.Stop() // sends the last ones

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.token != "Bearer secret-token" {
		t.Errorf("the collector was told %q", g.token)
	}
	for _, name := range []string{"sftp log-in", "sftp store", "store file", "make bytes durable", "write rows",
		"add-user", "post webhook"} {
		if len(g.named(name)) == 0 {
			t.Fatalf("there is no span %q", name)
		}
	}
	upload, file := g.named("sftp store")[0], g.named("store file")[0]
	if attribute(upload, "enduser.id") != "acme" || string(file.ParentSpanId) != string(upload.SpanId) ||
		string(g.named("write rows")[0].ParentSpanId) != string(file.SpanId) {
		t.Errorf("upload: %v\nfile: %v", upload, file)
	}
	for _, s := range g.spans {
		if text := s.String(); strings.Contains(text, "secret-name") || strings.Contains(text, "127.0.0.1") ||
			strings.Contains(text, "SHA256") {
			t.Errorf("a span tells too much: %s", text)
		}
	}
}
