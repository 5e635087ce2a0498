package node

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"slices"
	"syscall"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/sshd"
)

// listen opens the general listeners, and the regions' listeners, which check the region's
// allow-list before log-in.
func (n *Node) listen() (listeners []sshd.Listener, err error) {
	open := func(addr string, d sshd.Listener) error {
		l, err := n.o.Sockets.Listen(addr)
		if err != nil {
			return busy(addr, err)
		}
		d.Listener = l
		n.listeners = append(n.listeners, l)
		listeners = append(listeners, d)
		return nil
	}
	for _, addr := range n.cfg.Listen {
		if err := open(addr, sshd.Listener{}); err != nil {
			return listeners, err
		}
	}
	for _, region := range slices.Sorted(maps.Keys(n.cfg.Regions)) {
		for _, addr := range n.cfg.Regions[region].Listen {
			if err := open(addr, sshd.Listener{Region: region, AllowIPs: n.allowedAt(region)}); err != nil {
				return listeners, err
			}
		}
	}
	return listeners, nil
}

// busy explains why listening on an address failed.
func busy(addr string, err error) error {
	const op = "node.listen"
	_, port, _ := net.SplitHostPort(addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.E(op, fault.Conflict, "Port %s is in use by another program (%s).", port, addr).
			WithHint("choose another port: --ssh-listen 127.0.0.1:3333")
	case errors.Is(err, fs.ErrPermission):
		return fault.E(op, fault.Denied, "Port %s needs more privileges (%s).", port, addr).
			WithHint("ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose another: --ssh-listen :2022")
	}
	return fault.E(op, fault.Invalid, "%s cannot be listened on: %v.", addr, fault.InWords(err))
}
