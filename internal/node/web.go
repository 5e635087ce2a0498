package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/web"
	"github.com/sallyport-sftp/sallyport/model"
)

// readerOf returns what the people whom a link is for read: the help and the zone of its user's account, or of its
// contact's.
func (n *Node) readerOf(ctx context.Context, l model.Link) web.Reader {
	account := ""
	if u, err := n.accounts.User(ctx, l.User); err == nil {
		account = u.Account
	} else if c, err := n.accounts.Contact(ctx, l.ContactID); err == nil {
		account = c.Account
	}
	a, err := n.accounts.Account(ctx, account)
	if err != nil { // a vendor's contact reads what the operator does
		a = model.Account{}
	}
	return web.Reader{Help: n.helpAt(a.Region), Zone: n.cfg.Zones().Of(a)}
}

// within says in words how soon requests are answered; "" if nothing is promised.
func within(d time.Duration) string {
	const day = 24 * time.Hour
	switch n := int(d / day); {
	case d <= 0:
		return ""
	case d < day:
		return "within a day"
	case n == 1:
		return "within one day"
	default:
		return "within " + strconv.Itoa(n) + " days"
	}
}

// openWeb serves the pages for partners, if an address is configured.
func (n *Node) openWeb() error {
	c := n.cfg.Web
	if c.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return busy(c.Listen, err)
	}
	pages := web.Options{HandOver: n.links, Operator: n.operator, Help: n.cfg.Support.Help(), Reader: n.readerOf,
		Requests: n.requests, Guides: n.guides, URL: c.URL, Within: within(time.Duration(n.cfg.Onboard.AnswerWithin)),
		Zone: n.cfg.Zones().Of(model.Account{}), Proxies: config.Networks(n.cfg.Access.Proxies),
		Ready: n.store.Ping, Log: n.log}
	n.web = &http.Server{Handler: httpd.Guard(n.log, web.New(pages), web.Fault(pages)),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
			MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
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
