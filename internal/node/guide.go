package node

import (
	"net"
	"strconv"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildGuide builds the service that writes partners' guides.
func (n *Node) buildGuide() *guide.Service {
	o := guide.Options{Store: n.store, Accounts: n.accounts, Clock: n.clock, HostKeys: n.ring.List, Retention: n.retain,
		Operator: n.branding, Endpoint: n.endpoint, FeedsMay: n.feedsMay, Larger: n.cfg.Expect.Larger,
		Later: n.cfg.Expect.Later, Probes: n.probes}
	if len(n.listeners) > 0 {
		o.Listener = n.listeners[0].Addr().String()
	}
	return guide.New(o)
}

// endpoint returns the server address and support of a region.
func (n *Node) endpoint(region string) guide.Endpoint {
	c := n.inForce()
	e, support := c.EndpointOf(region)
	own, known := c.Regions[region]
	out := guide.Endpoint{Host: e.Host, Port: e.Port, AllowIPs: e.AllowIPs, Support: support,
		Setting: "endpoint.host", Known: known || len(c.Regions) == 0}
	if own.Host != "" {
		out.Setting = "regions." + region + ".host"
	}
	return out
}

// feedsMay returns what users of a kind may do with delivered files.
func (n *Node) feedsMay(kind model.UserKind) string { return n.inForce().Templates[kind].FeedsMay }

// server describes the deployment.
func (n *Node) server() model.Server {
	c := n.inForce()
	s := model.Server{Version: exchange.Version, Listen: n.Addresses(), Host: c.Endpoint.Host, Port: c.Endpoint.Port,
		Web: c.Web.URL, Mail: n.tell.Mails(), Help: c.Support.Help(), TimeZone: c.TimeZone}
	if s.Port == 0 && len(n.listeners) > 0 {
		_, port, _ := net.SplitHostPort(n.listeners[0].Addr().String())
		s.Port, _ = strconv.Atoi(port)
	}
	return s
}
