package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// TestCertificatesThatAreOrdered: nothing is ordered for names that no authority certifies, beside a certificate of
// one's own, or before somebody has accepted the authority's terms.
func TestCertificatesThatAreOrdered(t *testing.T) {
	const web = `listen: ":443", url: "https://files.example.com", `
	const acme = `domains: [files.example.com], accept_terms: true`
	c, err := load(t, "web: {"+web+"acme: {"+acme+"}}\n")
	if err != nil || !c.Web.ACME.On() || c.Web.ACME.Directory != config.LetsEncrypt {
		t.Fatalf("%+v, %v", c.Web, err)
	}
	c, err = load(t, "web: {listen: ':443', url: 'https://b.example.com:8443'}\n",
		"SALLYPORT_WEB_ACME_DOMAINS=a.example.com,b.example.com", "SALLYPORT_WEB_ACME_ACCEPT_TERMS=true")
	if err != nil || !slices.Equal(c.Web.ACME.Domains, []string{"a.example.com", "b.example.com"}) {
		t.Fatalf("%+v, %v", c.Web, err)
	}
	for _, c := range []struct{ web, acme, message string }{
		{web, "domains: [files.example.com]", "web.acme.accept_terms: certificates are ordered once"},
		{web, "accept_terms: true", "web.acme.domains: name the domains"},
		{"", acme, "web.listen: web.acme needs it"},
		{web, acme + ", email: jo", "web.acme.email:"},
		{web, acme + ", directory: 'http://ca.example.com/dir'", "web.acme.directory:"},
		{web, acme + ", directory: ''", "web.acme.directory:"},
		{web, acme + ", http_listen: '80'", "web.acme.http_listen:"},
		{web + "tls_cert: a, tls_key: b, ", acme, "web.acme: either certificates are ordered"},
		{"listen: ':443', url: 'https://other.example.com', ", acme, "web.url:"},
	} {
		_, err := load(t, "web: {"+c.web+"acme: {"+c.acme+"}}\n")
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), c.message) {
			t.Errorf("%s%s:\n  %v, want %q", c.web, c.acme, err, c.message)
		}
	}
	for _, name := range []string{"files", "*.example.com", "192.0.2.1", "2001:db8::1", "Files.example.com",
		"-a.example.com", "a-.example.com", "a..example.com", "files.example.com.", "a b.example.com", "münchen.example", "",
		strings.Repeat("a", 64) + ".example.com"} {
		_, err := load(t, "web: {listen: ':443', acme: {accept_terms: true, domains: ['"+name+"']}}\n")
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), "web.acme.domains:") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
