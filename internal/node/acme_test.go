package node_test

import (
	"context"
	"crypto/tls"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestACertificateIsOrdered: a node with web.acme gets a certificate from a real authority, serves its pages with it,
// and has it after a restart, without a second order. Nobody can make it order one for another name.
func TestACertificateIsOrdered(t *testing.T) {
	tlsPort, httpPort := testkit.FreePort(t), testkit.FreePort(t)
	pebble := testkit.StartPebble(t, tlsPort, httpPort)
	const name = "files.example.com"
	n := testkit.Start(t, func(c *config.Config) {
		c.Web.Listen, c.Web.URL = "127.0.0.1:"+tlsPort, "https://"+name+":"+tlsPort
		c.Web.ACME = config.ACME{Domains: []string{name}, AcceptTerms: true, Email: "ops@example.com",
			Directory: pebble.Directory, CA: pebble.CA, HTTPListen: "127.0.0.1:" + httpPort}
	})
	pool := pebble.Pool()
	dial := func(server string, versions ...uint16) (serial string, err error) {
		c := &tls.Config{RootCAs: pool, ServerName: server, MinVersion: tls.VersionTLS12}
		if len(versions) > 0 {
			c.MinVersion, c.MaxVersion = versions[0], versions[0]
		}
		conn, err := tls.Dial("tcp", "127.0.0.1:"+tlsPort, c)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
	}
	for _, other := range []string{"other.example.com", "example.com", "a." + name, "localhost"} {
		if _, err := dial(other); err == nil {
			t.Errorf("%s has a certificate", other)
		}
	}
	testkit.Eventually(t, "a certificate is received before anybody asks", func() bool {
		return n.Log.Contains("a certificate was received")
	})
	first, err := dial(name)
	testkit.Must(t, err)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if serial, err := dial(strings.ToUpper(name), version); err != nil || serial != first {
			t.Errorf("with version %x: the certificate %q instead of %q: %v", version, serial, first, err)
		}
	}
	wantPages(t, "https://"+name+":"+tlsPort, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	wantRedirect(t, "http://127.0.0.1:"+httpPort, "https://"+name+":"+tlsPort)
	if orders := pebble.Orders(); orders != 1 {
		t.Errorf("%d certificates were ordered", orders)
	}

	n.Restart()
	if serial, err := dial(name); err != nil || serial != first {
		t.Errorf("after a restart: the certificate %q instead of %q: %v", serial, first, err)
	}
	if orders := pebble.Orders(); orders != 1 {
		t.Errorf("%d certificates were ordered after a restart", orders)
	}
	kept := map[string]bool{}
	testkit.Must(t, filepath.WalkDir(filepath.Join(n.Data, "acme"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if kept[d.Name()] = true; info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	}))
	if !kept[name+".pem"] || !kept["acme_account+key.pem"] {
		t.Errorf("kept are %v", kept)
	}
	status := testkit.Call[model.Status](n, "GET", "/status", nil)
	for _, need := range status.Needs {
		if need.Topic == "certificate" {
			t.Errorf("a certificate that is there needs somebody: %+v", need)
		}
	}
	testkit.Must(t, os.RemoveAll(filepath.Join(n.Data, "acme")))
	n.Restart()
	testkit.Eventually(t, "a lost certificate is ordered again", func() bool {
		serial, err := dial(name)
		return err == nil && serial != first
	})
}

// TestACertificateIsOrderedInClear: if the authority cannot reach the pages, it is answered on web.acme.http_listen.
func TestACertificateIsOrderedInClear(t *testing.T) {
	httpPort := testkit.FreePort(t)
	pebble := testkit.StartPebble(t, testkit.FreePort(t), httpPort) // nobody listens where it looks for TLS
	n := testkit.Start(t, testkit.WithWeb, func(c *config.Config) {
		c.Web.ACME = config.ACME{Domains: []string{"files.example.com"}, AcceptTerms: true, Directory: pebble.Directory,
			CA: pebble.CA, HTTPListen: "127.0.0.1:" + httpPort}
	})
	testkit.Eventually(t, "a certificate is received", func() bool { return n.Log.Contains("a certificate was received") })
}

// TestAnAuthorityThatIsAway: the server runs without its pages, says what is wrong, and stops at once.
func TestAnAuthorityThatIsAway(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	testkit.Must(t, err)
	defer silent.Close()
	for name, directory := range map[string]string{"refuses": "https://127.0.0.1:" + testkit.FreePort(t) + "/dir",
		"is silent": "https://" + silent.Addr().String() + "/dir"} {
		t.Run(name, func(t *testing.T) {
			n := testkit.Start(t, testkit.WithWeb, func(c *config.Config) {
				c.Web.ACME = config.ACME{Domains: []string{"files.example.com"}, AcceptTerms: true, Directory: directory}
			})
			needs := testkit.Call[model.Status](n, "GET", "/status", nil).Needs
			if !slices.ContainsFunc(needs, func(need model.Need) bool {
				return need.Topic == "certificate" && strings.Contains(need.Text, "(web.acme) is missing")
			}) {
				t.Errorf("the status says %+v", needs)
			}
			began := time.Now()
			n.Stop()
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("stopping took %v", took)
			}
			testkit.Eventually(t, "the log says what is wrong", func() bool {
				return n.Log.Contains("there is no certificate, and none could be ordered")
			})
		})
	}
}

// wantPages fails the test unless pages are served at an address, whose name leads to this machine.
func wantPages(t *testing.T, at string, secure *tls.Config) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: secure, ForceAttemptHTTP2: true, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		}}}
	resp, err := c.Get(at + "/readyz")
	testkit.Must(t, err)
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("%s %s: %s, %v", resp.Proto, resp.Status, text, err)
	}
}

// wantRedirect fails the test unless requests in clear are redirected, whatever name they are for, and nothing else.
func wantRedirect(t *testing.T, from, to string) {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true}}
	for _, host := range []string{"files.example.com", "FILES.example.com:80", "evil.example.net", "127.0.0.1"} {
		r, err := http.NewRequest("GET", from+"/access?a=b", nil)
		testkit.Must(t, err)
		r.Host = host
		resp, err := c.Do(r)
		testkit.Must(t, err)
		_ = resp.Body.Close()
		if at := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || at != to+"/access?a=b" {
			t.Errorf("of %s: %s to %q", host, resp.Status, at)
		}
	}
	resp, err := c.Post(from+"/access", "text/plain", strings.NewReader("a secret"))
	testkit.Must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a form in clear: %s", resp.Status)
	}
	for _, path := range []string{"acme_account+key", "..%2f..%2fsallyport.db", "none"} {
		r, err := http.NewRequest("GET", from+"/.well-known/acme-challenge/"+path, nil)
		testkit.Must(t, err)
		r.Host = "files.example.com"
		resp, err := c.Do(r)
		testkit.Must(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("a challenge of anybody, %s: %s", path, resp.Status)
		}
	}
}
