// Package acme orders certificates from an authority (RFC 8555), keeps them in the data folder, and renews them.
// Whoever asks for another name than those of the configuration causes no order.
package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// requestTime is how long one request to the authority may take.
const requestTime = 30 * time.Second

// Options say which certificates are ordered, and where.
type Options struct {
	Domains   []string // in lower case; the first is where strangers are redirected to
	Email     string   // whom the authority writes to; may be empty
	Directory string   // URL of the authority's directory
	CA        string   // file of certificates to trust, besides the system's, when it is asked; may be empty
	Folder    string   // where keys and certificates are kept
	Log       *slog.Logger
}

// Certificates are the certificates of some domains. It is safe for concurrent use.
type Certificates struct {
	o       Options
	manager *autocert.Manager
	end     context.CancelFunc

	mu     sync.Mutex
	failed map[string]failure // by domain
}

// failure is an order that has failed.
type failure struct {
	next time.Time // the next one is not before
	wait time.Duration
}

// New prepares certificates. It asks nobody yet. Whoever calls it has accepted the authority's terms of service.
func New(o Options) (*Certificates, error) {
	pool, err := trusted(o.CA)
	if err != nil {
		return nil, err
	}
	folder, err := folderOf(o.Folder, o.Directory)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &Certificates{o: o, end: end, failed: map[string]failure{}, manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Email: o.Email, HostPolicy: autocert.HostWhitelist(o.Domains...),
		Cache: &cache{folder: folder, log: o.Log},
		Client: &acme.Client{DirectoryURL: o.Directory, UserAgent: "sallyport",
			HTTPClient: &http.Client{Transport: ending{ctx, transport}, Timeout: requestTime}},
	}}, nil
}

// Close ends the requests to the authority that are under way. An order that was begun is taken up by the next one.
func (c *Certificates) Close() { c.end() }

// trusted returns the system's authorities and those of a file.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	const op = "acme.trusted"
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.E(op, fault.Invalid, "web.acme.ca cannot be read: %v.", fault.InWords(err))
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fault.E(op, fault.Invalid, "web.acme.ca: %s has no certificate.", file).
			WithHint("it is a file in PEM, with BEGIN CERTIFICATE")
	}
	return pool, nil
}

// folderOf makes the folder for one authority: what a test authority has issued is not served as another's.
func folderOf(folder, directory string) (string, error) {
	u, err := url.Parse(directory)
	if err != nil {
		return "", fault.E("acme.folderOf", fault.Invalid, "web.acme.directory is no address.")
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(keyLetters, r) && r != '+' {
			return r
		}
		return '_'
	}, u.Host+u.Path)
	folder = filepath.Join(folder, strings.TrimLeft(name, "."))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fault.E("acme.folderOf", fault.Internal, "The folder for certificates cannot be made: %v.",
			fault.InWords(err))
	}
	return folder, nil
}

// ending sends requests that end with ctx, too. The manager's own contexts end with no server.
type ending struct {
	ctx context.Context
	to  http.RoundTripper
}

func (e ending) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(e.ctx, func() { cancel(context.Cause(e.ctx)) })
	context.AfterFunc(ctx, func() { stop() }) // the request's own context ends when its answer was read
	return e.to.RoundTrip(r.WithContext(ctx))
}

// TLS returns the configuration of a listener that serves the certificates and answers the authority's challenges
// (TLS-ALPN-01, RFC 8737).
func (c *Certificates) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get,
		NextProtos: []string{"h2", "http/1.1", acme.ALPNProto}}
}

// get returns the certificate for a client. All clients get the same one of a domain, with an ECDSA key: the manager
// would order a second one, with an RSA key, for whoever speaks TLS 1.3 alone.
func (c *Certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	domain, challenge := plain(hello.ServerName), slices.Contains(hello.SupportedProtos, acme.ALPNProto)
	if wait := c.waits(domain); wait > 0 && !challenge {
		return nil, fmt.Errorf("the last order for %s failed; the next one is in %s", domain, wait)
	}
	h := *hello
	h.SignatureSchemes, h.SupportedCurves = nil, nil
	h.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	cert, err := c.manager.GetCertificate(&h)
	if c.ours(domain) && !challenge {
		c.note(domain, err)
	}
	return cert, err
}

// plain is a name as the configuration writes it.
func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// The first order after one that failed waits for firstWait, and each further one twice as long, up to lastWait:
// authorities count failures, and whoever connects would spend them.
const (
	firstWait = time.Minute
	lastWait  = 2 * time.Hour
)

// waits returns how long no certificate of a domain is ordered for whoever connects: the order before has failed.
// Challenges of the authority are answered all the same.
func (c *Certificates) waits(domain string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, failed := c.failed[domain]
	if !failed {
		return 0
	}
	return time.Until(f.next).Round(time.Second)
}

// note records how an order went.
func (c *Certificates) note(domain string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.failed, domain)
		return
	}
	c.o.Log.Error("there is no certificate, and none could be ordered", "domain", domain, "directory", c.o.Directory,
		"err", err)
	f := c.failed[domain]
	f.wait = min(max(2*f.wait, firstWait), lastWait)
	f.next = time.Now().Add(f.wait)
	c.failed[domain] = f
}

func (c *Certificates) ours(name string) bool { return slices.Contains(c.o.Domains, plain(name)) }

// Prepare orders the certificates that are missing, so that the first who come need not wait. It returns when ctx
// ends; an order under way then ends with Close.
func (c *Certificates) Prepare(ctx context.Context) {
	for _, name := range c.o.Domains {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = c.get(&tls.ClientHelloInfo{ServerName: name}) // logs what goes wrong
		}()
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// Until returns when the first of the kept certificates expires, or an error if one is missing. It returns zero while
// each has a sixth of its time left: the manager renews with a third of it left, or with 30 days.
func (c *Certificates) Until(now time.Time) (first time.Time, err error) {
	if c == nil {
		return first, nil // the listener is not open yet
	}
	for _, name := range c.o.Domains {
		text, err := c.manager.Cache.Get(context.Background(), name)
		if err != nil {
			return first, err
		}
		pair, err := tls.X509KeyPair(text, text)
		if err != nil {
			return first, err
		}
		end := pair.Leaf.NotAfter
		late := end.Sub(now) < end.Sub(pair.Leaf.NotBefore)/6
		if late && (first.IsZero() || end.Before(first)) {
			first = end
		}
	}
	return first, nil
}

// Handler answers the authority's challenges in clear (HTTP-01), and redirects people to https. port is that of the
// pages' public address; "" for the usual one.
func (c *Certificates) Handler(port string) http.Handler {
	challenges := c.manager.HTTPHandler(c.redirect(port))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil { // the manager knows names alone
			r = r.Clone(r.Context())
			r.Host = host
		}
		challenges.ServeHTTP(w, r)
	})
}

func (c *Certificates) redirect(port string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "Please use the address of this server that begins with https://.", http.StatusBadRequest)
			return
		}
		name := c.o.Domains[0]
		if c.ours(r.Host) {
			name = strings.ToLower(r.Host)
		}
		if port != "" {
			name = net.JoinHostPort(name, port)
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, "https://"+name+r.URL.RequestURI(), http.StatusFound)
	})
}
