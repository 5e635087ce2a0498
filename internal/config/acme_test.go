package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// TestCertificatesThatAreOrdered: nothing is ordered for names that no authority certifies, beside a certificate of one's
// own, or before somebody has accepted the authority's terms.
func TestCertificatesThatAreOrdered(t *testing.T) {
	const good = `listen: ":443", url: "https://files.example.com", acme: {domains: [files.example.com], accept_terms: true`
	c, err := load(t, "web: {"+good+"}}\n")
	if err != nil || !c.Web.ACME.On() || c.Web.ACME.Directory != config.LetsEncrypt {
		t.Fatalf("%+v, %v", c.Web, err)
	}
	c, err = load(t, "web: {listen: ':443', url: 'https://b.example.com:8443'}\n",
		"SALLYPORT_WEB_ACME_DOMAINS=a.example.com,b.example.com", "SALLYPORT_WEB_ACME_ACCEPT_TERMS=true")
	if err != nil || !slices.Equal(c.Web.ACME.Domains, []string{"a.example.com", "b.example.com"}) {
		t.Fatalf("%+v, %v", c.Web, err)
	}
	for text, message := range map[string]string{
		"web: {listen: ':443', acme: {domains: [files.example.com]}}":                "web.acme.accept_terms: certificates are ordered once",
		"web: {listen: ':443', acme: {accept_terms: true}}":                          "web.acme.domains: name the domains",
		"web: {acme: {domains: [files.example.com], accept_terms: true}}":            "web.listen: web.acme needs it",
		"web: {" + good + ", email: jo}}":                                            "web.acme.email:",
		"web: {" + good + ", directory: 'http://ca.example.com/dir'}}":               "web.acme.directory:",
		"web: {" + good + ", directory: ''}}":                                        "web.acme.directory:",
		"web: {" + good + ", http_listen: '80'}}":                                    "web.acme.http_listen:",
		"web: {" + good + "}, tls_cert: a, tls_key: b}":                              "web.acme: either certificates are ordered",
		"web: {" + strings.Replace(good, "https://files", "https://other", 1) + "}}": "web.url:",
	} {
		if _, err := load(t, text+"\n"); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), message) {
			t.Errorf("%s:\n  %v, want %q", text, err, message)
		}
	}
	for _, name := range []string{"files", "*.example.com", "192.0.2.1", "2001:db8::1", "Files.example.com", "-a.example.com",
		"a-.example.com", "a..example.com", "files.example.com.", "a b.example.com", "münchen.example", "",
		strings.Repeat("a", 64) + ".example.com"} {
		_, err := load(t, "web: {listen: ':443', acme: {accept_terms: true, domains: ['"+name+"']}}\n")
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), "web.acme.domains:") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
