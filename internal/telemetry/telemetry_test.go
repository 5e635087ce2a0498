package telemetry_test

import (
	"net/http"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/telemetry"
)

// A trace that a request names goes on in the requests that it leads to.
func TestATraceGoesOn(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for in, want := range map[string]string{parent: parent, "": "", "garbage": "", parent + "x": ""} {
		out := http.Header{}
		telemetry.Into(telemetry.From(t.Context(), http.Header{"Traceparent": {in}}), out)
		if got := out.Get("Traceparent"); got != want {
			t.Errorf("%q goes on as %q", in, got)
		}
	}
}

// Without a collector, a step costs little.
func BenchmarkNoTraces(b *testing.B) {
	for b.Loop() {
		_, end := telemetry.Step(b.Context(), "store file", telemetry.Bytes.Int64(1))
		end(nil)
	}
}
