package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// LetsEncrypt is the directory of the authority that is asked unless another is named.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// ACME has certificates for the web listener ordered from an authority. Without domains, none are.
type ACME struct {
	Domains     []string `yaml:"domains" env:"DOMAINS"`
	AcceptTerms bool     `yaml:"accept_terms" env:"ACCEPT_TERMS"` // of the authority
	Email       string   `yaml:"email" env:"EMAIL"`               // whom the authority writes to
	Directory   string   `yaml:"directory" env:"DIRECTORY"`
	CA          string   `yaml:"ca" env:"CA"`                   // file of certificates to trust in the authority
	HTTPListen  string   `yaml:"http_listen" env:"HTTP_LISTEN"` // for challenges in clear, and redirects
}

// On reports whether certificates are ordered.
func (a *ACME) On() bool { return len(a.Domains) > 0 }

// check finds what would cause no certificate, or one without anybody's consent.
func (a *ACME) check(f *findings, w *Web) {
	const setting = "web.acme"
	if !a.On() {
		if a.AcceptTerms || a.Email != "" || a.CA != "" || a.HTTPListen != "" {
			f.bad(setting+".domains", "name the domains that certificates are for.")
		}
		return
	}
	for _, name := range a.Domains {
		if !isDomain(name) {
			f.bad(setting+".domains", "%q is not a domain name such as files.example.com.", valid.Printable(name)).
				Hint = "in lower case, as it is in DNS; no address, and no *"
		}
	}
	if !a.AcceptTerms {
		f.bad(setting+".accept_terms", "certificates are ordered once you have accepted the authority's terms of service.").
			Hint = "read them (for Let's Encrypt: https://letsencrypt.org/repository), and set it to true"
	}
	if a.Email != "" {
		_, err := valid.CheckEmail(a.Email)
		f.refused(setting+".email", err)
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		f.bad(setting+".directory", "%q is not an address that begins with https://.", a.Directory)
	}
	if _, _, err := net.SplitHostPort(a.HTTPListen); a.HTTPListen != "" && err != nil {
		f.bad(setting+".http_listen", "%q is not an address.", a.HTTPListen).Hint = "write \":80\""
	}
	if w.TLSCert != "" || w.TLSKey != "" {
		f.bad(setting, "either certificates are ordered, or there is one in web.tls_cert and web.tls_key.")
	}
	if w.Listen == "" {
		f.bad("web.listen", "web.acme needs it: the authority asks there, on port 443 of the domain.").Hint = "write \":443\""
	}
	u, err := url.Parse(w.URL)
	if w.URL != "" && err == nil && !slices.Contains(a.Domains, strings.ToLower(u.Hostname())) {
		f.bad("web.url", "%q is none of web.acme.domains, so its certificate would not fit.", w.URL)
	}
}

// isDomain reports whether a text is a domain name of two parts or more, in the form that it has in DNS.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if _, err := netip.ParseAddr(s); err == nil || len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
