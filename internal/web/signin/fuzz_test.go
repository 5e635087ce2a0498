package signin

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzInside: whatever a link says, a sign-in goes on within the pages for operators, as a browser reads it.
func FuzzInside(f *testing.F) {
	for _, next := range []string{"", "/console/", "/console/requests?state=new", "//evil.example", "/\\evil.example",
		"/console/..//evil.example", "https:/console/", "/console/%2e%2e/%2e%2e//evil.example",
		"/console/\t/evil", "/console/%0d%0a"} {
		f.Add(next)
	}
	at, err := url.Parse("https://files.example.com/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		to := inside(next)
		u, err := at.Parse(to)
		if err != nil || u.Host != at.Host || u.Scheme != "https" || !strings.HasPrefix(u.Path, Home) ||
			strings.ContainsAny(to, "\\\r\n\t") || !strings.HasPrefix(to, Home) {
			t.Errorf("%q leads to %q", next, to)
		}
	})
}
