package node

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/web"
)

// openWeb serves pages to partners, if the configuration says where.
func (n *Node) openWeb() error {
	c := n.cfg.Web
	if c.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return busy(c.Listen, err)
	}
	handler := web.New(web.Options{HandOver: n.links, Help: n.cfg.Support.Help(), Proxies: config.Networks(n.cfg.Access.Proxies), Log: n.log})
	n.web = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	n.background.Go(func() {
		serve := func() error { return n.web.Serve(l) }
		if c.TLSCert != "" {
			serve = func() error { return n.web.ServeTLS(l, c.TLSCert, c.TLSKey) }
		}
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the web listener stopped", "err", err)
		}
	})
	return nil
}
