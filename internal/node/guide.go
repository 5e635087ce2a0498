package node

import (
	"net"
	"strconv"

	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildGuide builds the service that writes partners' guides.
func (n *Node) buildGuide() *guide.Service {
	o := guide.Options{Store: n.store, Accounts: n.accounts, Clock: n.clock, HostKeys: n.ring.List, Retention: n.retain,
		Operator: n.operator, Endpoint: n.endpoint, FeedsMay: n.feedsMay, Larger: n.cfg.Expect.Larger,
		Later: n.cfg.Expect.Later, Probes: n.probes}
	if len(n.listeners) > 0 {
		o.Listener = n.listeners[0].Addr().String()
	}
	return guide.New(o)
}

// endpoint returns the server address and support of a region.
func (n *Node) endpoint(region string) guide.Endpoint {
	e, support := n.cfg.EndpointOf(region)
	own, known := n.cfg.Regions[region]
	out := guide.Endpoint{Host: e.Host, Port: e.Port, AllowIPs: e.AllowIPs, Support: support,
		Setting: "endpoint.host", Known: known || len(n.cfg.Regions) == 0}
	if own.Host != "" {
		out.Setting = "regions." + region + ".host"
	}
	return out
}

// feedsMay returns what users of a kind may do with delivered files.
func (n *Node) feedsMay(kind model.UserKind) string { return n.cfg.Templates[kind].FeedsMay }

// server describes the deployment.
func (n *Node) server() model.Server {
	s := model.Server{Version: Version, Listen: n.Addresses(), Host: n.cfg.Endpoint.Host, Port: n.cfg.Endpoint.Port,
		Web: n.cfg.Web.URL, Mail: n.tell.Mails(), Help: n.cfg.Support.Help(), TimeZone: n.cfg.TimeZone}
	if s.Port == 0 && len(n.listeners) > 0 {
		_, port, _ := net.SplitHostPort(n.listeners[0].Addr().String())
		s.Port, _ = strconv.Atoi(port)
	}
	return s
}
