package client

import (
	"net"
	"os"
	"os/user"
	"strconv"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// TrustOwnerOf has a client believe a server that runs as the owner of a folder, instead of the owner of
// the folder that the client was made with. It is for a data folder that nobody named: whoever can write
// where a program happens to run can put a socket there.
func TrustOwnerOf(folder string) Option { return func(c *Client) { c.trust = folder } }

// checkPeer refuses to talk to a server that runs as anybody but root, oneself and the owner of the folder
// trust. Nothing was sent to it yet.
func (c *Client) checkPeer(conn net.Conn) error {
	uid, err := peerOf(conn)
	if err != nil {
		return fault.E("client.checkPeer", fault.Denied, "It is not known who runs the server at %s.", c.where)
	}
	if uid == 0 || uid == os.Geteuid() {
		return nil
	}
	if owner, err := ownerOf(c.trust); err == nil && owner == uid {
		return nil
	}
	name := strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return fault.E("client.checkPeer", fault.Denied,
		"The server at %s runs as %s, who is neither root nor you. Nothing was sent to it.", c.where, name).
		WithHint("if that is your server's user, name its data folder with --data, or its socket with SALLYPORT_SOCKET")
}
