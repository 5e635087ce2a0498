package node

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/api"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/web"
	"github.com/sallyport-sftp/sallyport/internal/web/console"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/internal/web/reference"
	"github.com/sallyport-sftp/sallyport/internal/web/signin"
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

// webHandler returns the handler of pages and API. It believes proxies whom a request comes from.
func (n *Node) webHandler(proxies []netip.Prefix) http.Handler {
	c := n.cfg.Web
	address := func(r *http.Request) netip.Addr { return httpd.Address(r, proxies) }
	zone := n.cfg.Zones().Of(model.Account{})
	site := page.NewSite(page.Options{Operator: n.branding(), Help: n.inForce().Support.Help(), Log: n.log})
	public := web.New(web.Options{Pages: site, HandOver: n.links, Help: n.inForce().Support.Help(), Reader: n.readerOf,
		Requests: n.requests, Guides: n.guides, URL: c.URL, Within: within(time.Duration(n.inForce().Onboard.AnswerWithin)),
		Zone: zone, Proxies: proxies, Ready: n.store.Ping, Log: n.log})
	entrance := signin.New(signin.Options{Pages: site, Operators: n.operators, With: api.WithIdentity, Address: address,
		URL: n.pages(), Zone: zone, Nav: console.Nav, Log: n.log})
	inside := console.New(console.Options{Pages: site, Who: api.IdentityOf, Zone: zone, Log: n.log,
		API: client.Within(httpd.Guard(n.log, n.operations, api.Fault))})
	operations := api.OverNetwork(n.operations, api.Network{Gate: n.operators, Session: entrance.Identity,
		Address: address, Log: n.log})
	pages := reference.New(reference.Options{Pages: site, Document: api.Document, At: api.DocumentPath, URL: n.pages()})

	mux := http.NewServeMux()
	mux.Handle("/", httpd.Guard(n.log, public, site.Fault))
	for _, path := range signin.Paths() {
		mux.Handle(path, httpd.Guard(n.log, entrance, site.Fault))
	}
	mux.Handle("/console/", httpd.Guard(n.log, entrance.Guard(inside), site.Fault))
	mux.Handle("/api/", httpd.Guard(n.log, operations, api.Fault))
	mux.Handle(reference.Path, httpd.Guard(n.log, pages, site.Fault))
	mux.Handle(reference.OperationPath, httpd.Guard(n.log, pages, site.Fault))
	return mux
}

// pages returns the address of the pages, as people reach them; "" if there are none.
func (n *Node) pages() string {
	c := n.cfg.Web
	switch {
	case c.URL != "" || c.Listen == "":
		return strings.TrimSuffix(c.URL, "/")
	case c.TLSCert != "" || c.ACME.On():
		return "https://" + c.Listen
	}
	return "http://" + c.Listen
}

// FirstLink returns the link with which the first administrator sets up its sign-in; "" if somebody has.
func (n *Node) FirstLink() string { return n.first }
