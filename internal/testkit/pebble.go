package testkit

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Pebble is a certificate authority that speaks ACME: Let's Encrypt's server for tests. All names lead to this machine.
type Pebble struct {
	Directory string // URL
	CA        string // file of the authority that its own address is certified by
	log       *Log
	t         testing.TB
	manage    string
	trusts    *x509.CertPool
}

// StartPebble runs Pebble until the test ends. It looks for challenges on ports of this machine: on tlsPort in place of
// 443, on httpPort in place of 80.
func StartPebble(t testing.TB, tlsPort, httpPort string) *Pebble {
	t.Helper()
	programs := pebblePrograms(t)
	authority := NewAuthority(t)
	cert, key := authority.Files(t, "127.0.0.1")
	dir := t.TempDir()
	listen, manage, names := "127.0.0.1:"+FreePort(t), "127.0.0.1:"+FreePort(t), "127.0.0.1:"+FreePort(t)
	p := &Pebble{t: t, Directory: "https://" + listen + "/dir", CA: filepath.Join(dir, "ca.pem"), log: &Log{},
		manage: "https://" + manage, trusts: authority.Pool()}
	Must(t, os.WriteFile(p.CA, authority.PEM, 0o600))
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{"listenAddress": listen,
		"managementListenAddress": manage, "certificate": cert, "privateKey": key, "tlsPort": json.Number(tlsPort),
		"httpPort": json.Number(httpPort)}})
	Must(t, err)
	file := filepath.Join(dir, "pebble.json")
	Must(t, os.WriteFile(file, config, 0o600))
	p.run(filepath.Join(programs, "pebble-challtestsrv"), "-dnsserver", names, "-defaultIPv4", "127.0.0.1", "-defaultIPv6",
		"", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", "127.0.0.1:"+FreePort(t))
	p.run(filepath.Join(programs, "pebble"), "-config", file, "-dnsserver", names)
	Eventually(t, "Pebble answers", func() bool { return p.get(p.Directory) != nil })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Pebble:\n%s", p.log)
		}
	})
	return p
}

// pebblePrograms returns the folder of Pebble's programs.
func pebblePrograms(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	Must(t, err)
	found, _ := filepath.Glob(filepath.Join(cache, "sallyport-tests", "pebble-*", "pebble"))
	if len(found) == 0 {
		Long(t, "there is no Pebble")
		t.Fatal("there is no Pebble; scripts/install-test-packages builds it")
	}
	return filepath.Dir(found[len(found)-1])
}

// run runs a program until the test ends.
func (p *Pebble) run(name string, args ...string) {
	p.t.Helper()
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	c.Stdout, c.Stderr = p.log, p.log
	Must(p.t, c.Start())
	p.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
}

// get returns what is at an address of Pebble; nil if it is not there.
func (p *Pebble) get(url string) []byte {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: p.trusts, MinVersion: tls.VersionTLS12}}}
	resp, err := c.Get(url)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return text
}

// Pool returns the root that signs what Pebble issues. Each run has another.
func (p *Pebble) Pool() *x509.CertPool {
	p.t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(p.get(p.manage + "/roots/0")) {
		p.t.Fatal("Pebble has no root")
	}
	return pool
}

// Orders returns how many certificates were ordered so far.
func (p *Pebble) Orders() int { return strings.Count(p.log.String(), "POST /order-plz") }
