package node

import (
	"net"
	"net/netip"

	"github.com/sallyport-sftp/sallyport/internal/endpoint"
	"github.com/sallyport-sftp/sallyport/internal/sshd"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildEndpoints builds the service of listeners with old algorithms.
func (n *Node) buildEndpoints() *endpoint.Service {
	return endpoint.New(endpoint.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log,
		Open: func(e model.Endpoint, allow []netip.Prefix) (stop func(), err error) {
			l, err := net.Listen("tcp", e.Listen)
			if err != nil {
				return nil, busy(e.Listen, err)
			}
			n.background.Go(func() {
				if err := n.ssh.Serve(sshd.Listener{Listener: l, Name: e.Name,
					Old: e.Algorithms, AllowIPs: func() []netip.Prefix { return allow }}); err != nil {
					n.log.Error("a listener stopped", "address", l.Addr(), "err", err)
				}
			})
			return func() { _ = l.Close() }, nil
		}})
}

// loggedIn notes a log-in for those who count them: the rotation of host keys, and listeners with old algorithms.
func (n *Node) loggedIn(r sshd.Record) {
	c := r.Connection
	n.ring.LoggedIn(c.UserID, c.Address, c.Client)
	if r.Listener != "" {
		n.endpoints.LoggedIn(store.EndpointLogin{Endpoint: r.Listener, UserID: c.UserID, Address: c.Address,
			Client: clip(c.Client), Algorithms: r.Old})
	}
}
