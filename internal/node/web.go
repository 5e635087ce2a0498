package node

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/acme"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
)

// openWeb serves the pages for partners and the API for operators, if an address is configured.
func (n *Node) openWeb(ctx context.Context) error {
	c := n.cfg.Web
	if c.Listen == "" {
		return nil
	}
	secure, err := n.webTLS()
	if err != nil {
		return err
	}
	l, err := n.o.Sockets.Listen(c.Listen)
	if err != nil {
		return busy(c.Listen, err)
	}
	n.webAddr = l.Addr().String()
	if n.first, err = n.operators.First(ctx); err != nil {
		return errors.Join(err, l.Close())
	}
	n.proxies = believed(n.cfg, l.Addr(), secure != nil)
	n.pagesOn.put(n.webHandler(n.proxies))
	var handler http.Handler = &n.pagesOn
	if secure == nil {
		handler = httpd.OnlyFrom(config.Networks(c.Proxies), handler)
	}
	n.web = n.webServer(handler)
	n.web.TLSConfig = secure
	n.background.Go(func() {
		serve := func() error { return n.web.Serve(l) }
		if secure != nil {
			serve = func() error { return n.web.ServeTLS(l, "", "") }
		}
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the web listener stopped", "err", err)
		}
	})
	if n.certificates == nil {
		return nil
	}
	if err := n.openPlain(); err != nil {
		return err
	}
	n.background.Go(func() { n.certificates.Prepare(ctx) })
	return nil
}

// webTLS returns how the web listener proves who it is: with a certificate in files, or one that is ordered. It returns
// nil if requests come in clear.
func (n *Node) webTLS() (*tls.Config, error) {
	const op = "node.webTLS"
	c := n.cfg.Web
	switch {
	case c.TLSCert != "":
		certificate, err := httpd.ReadCertificate(c.TLSCert, c.TLSKey, n.log)
		if err != nil {
			return nil, fault.E(op, fault.Invalid, "The certificate (web.tls_cert, web.tls_key) cannot be used: %v.",
				fault.InWords(err))
		}
		return &tls.Config{GetCertificate: certificate.Get, MinVersion: tls.VersionTLS12}, nil
	case c.ACME.On():
		var err error
		n.certificates, err = acme.New(acme.Options{Domains: c.ACME.Domains, Email: c.ACME.Email,
			Directory: c.ACME.Directory, CA: c.ACME.CA, Folder: filepath.Join(n.cfg.Data, "acme"), Log: n.log})
		if err != nil {
			return nil, err
		}
		return n.certificates.TLS(), nil
	}
	return nil, nil
}

// openPlain answers the authority's challenges in clear and redirects people, if an address is configured for it.
func (n *Node) openPlain() error {
	c := n.cfg.Web
	if c.ACME.HTTPListen == "" {
		return nil
	}
	l, err := n.o.Sockets.Listen(c.ACME.HTTPListen)
	if err != nil {
		return busy(c.ACME.HTTPListen, err)
	}
	port := ""
	if u, err := url.Parse(c.URL); err == nil {
		port = u.Port()
	}
	n.plain = n.webServer(n.certificates.Handler(port))
	n.background.Go(func() {
		if err := n.plain.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the listener that redirects to https stopped", "err", err)
		}
	})
	return nil
}

// webServer returns a server for people, whose patience is limited.
func (n *Node) webServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
}

// believed returns the networks of proxies whose X-Forwarded-For is believed. In clear on loopback, whoever asks is a
// proxy of this machine, or a program here; it is believed unless web.proxies names proxies.
func believed(c config.Config, at net.Addr, secure bool) []netip.Prefix {
	proxies := config.Networks(c.Web.Proxies) // not access.proxies: a balancer of TCP adds no header of its own
	if here, ok := at.(*net.TCPAddr); ok && here.IP.IsLoopback() && !secure && len(c.Web.Proxies) == 0 {
		proxies = append(proxies, config.Networks([]string{"127.0.0.0/8", "::1"})...)
	}
	return proxies
}

// WebAddress returns the address on which pages and the API are served; "" if they are not.
func (n *Node) WebAddress() string { return n.webAddr }
