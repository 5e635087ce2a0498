package node_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestWhoseAddressARequestHas: behind a proxy of the same machine, every request had the proxy's address, unless
// access.proxies named 127.0.0.1, which then needed PROXY headers on SFTP connections. Tokens that work from one
// network each show whose address a request has.
func TestWhoseAddressARequestHas(t *testing.T) {
	authority := testkit.NewAuthority(t)
	cert, key := authority.Files(t, "127.0.0.1")
	const elsewhere, here = "203.0.113.7", "127.0.0.1"
	for name, c := range map[string]struct {
		web       config.Web
		forwarded []string // lines of the header
		want      string
	}{
		"the proxy of this machine is believed":       {config.Web{}, []string{elsewhere}, elsewhere},
		"what its client made up is not":              {config.Web{}, []string{here + ", 10.0.0.1, " + elsewhere}, elsewhere},
		"a local client without the header is itself": {config.Web{}, nil, here},
		"a header without an address says nothing":    {config.Web{}, []string{"unknown"}, here},
		"if proxies are named, no other is": {config.Web{Proxies: []string{"192.0.2.1"}},
			[]string{elsewhere}, here},
		"a named one is": {config.Web{Proxies: []string{"127.0.0.0/8"}},
			[]string{elsewhere}, elsewhere},
		"with a certificate, nobody is": {config.Web{TLSCert: cert, TLSKey: key}, []string{elsewhere}, here},
		"… but a named proxy, which adds its own line": {config.Web{TLSCert: cert, TLSKey: key, Proxies: []string{here}},
			[]string{here, elsewhere}, elsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			n := testkit.Start(t, func(cfg *config.Config) {
				c.web.Listen, c.web.URL = "127.0.0.1:0", "https://files.example.com"
				cfg.Web = c.web
			})
			at := n.WebURL()
			if c.web.TLSCert != "" {
				at = "https" + at[len("http"):]
			}
			https := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
				TLSClientConfig: &tls.Config{RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12}}}
			for _, address := range []string{elsewhere, here} {
				token := testkit.Call[model.Token](n, "POST", "/tokens", model.NewToken{Name: "from" + address[:3],
					Role: model.RoleAuditor, AllowIPs: []string{address}})
				r, err := http.NewRequest("GET", at+"/api/v1/feeds", nil)
				testkit.Must(t, err)
				r.Header.Set("Authorization", "Bearer "+token.Secret)
				for _, line := range c.forwarded {
					r.Header.Add("X-Forwarded-For", line)
				}
				resp, err := https.Do(r)
				testkit.Must(t, err)
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if works := resp.StatusCode == http.StatusOK; works != (address == c.want) {
					t.Errorf("a token for %s alone: %s\n%s", address, resp.Status, text)
				}
			}
		})
	}
}
