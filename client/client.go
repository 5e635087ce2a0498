// Package client calls Sallyport's REST API: through the Unix socket in the data folder on the same
// machine, or over HTTPS with a token. It has one method for each operation. Bodies and answers are
// the types of package model.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Client sends requests to one server. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
	where string                               // for messages
	zone  func(context.Context) *time.Location // of times in answers; nil: as the server sends them
	sudo  string                               // the person for whom sudo runs this program, or ""
	group bool                                 // where is a socket for a group
	trust string                               // a folder; a server that runs as its owner is believed
}

// socketName is the API's socket within the data folder.
const socketName = "sallyport.sock"

// maxSocketPath is the longest path to dial directly. It is a little below the limit of sockaddr_un
// (unix(7)).
const maxSocketPath = 100

// SocketPath returns a path to the socket of a data folder. If the real path is too long for the
// kernel, it opens the folder and returns a path through the descriptor. The caller calls done,
// which closes that descriptor, when it has used the path.
func SocketPath(data string) (path string, done func(), err error) {
	path = filepath.Join(data, socketName)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	d, err := os.Open(data)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketName), func() { _ = d.Close() }, nil
}

// Option changes a client of a server on this machine.
type Option func(*Client)

// SudoHeader names the person for whom sudo runs a local client. The server notes it beside the
// peer that the kernel reports, if that is root or the server's own user.
const SudoHeader = "Sallyport-Sudo-User"

// ViaSudo tells the server for whom sudo runs this program: SUDO_USER. "" tells nothing.
func ViaSudo(user string) Option { return func(c *Client) { c.sudo = user } }

// Local returns a client of the server that uses a data folder on this machine. The server must run as
// root, as this program's user, or as the folder's owner (TrustOwnerOf).
func Local(data string, options ...Option) *Client {
	return local(data, data, func(ctx context.Context) (net.Conn, error) {
		path, done, err := SocketPath(data)
		if err != nil {
			return nil, err
		}
		defer done()
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}, options)
}

// AtSocket returns a client of the server on this machine that has the socket for a group at path. The
// server must run as root, as this program's user, or as the owner of the socket's folder.
func AtSocket(path string, options ...Option) *Client {
	c := local(path, filepath.Dir(path), func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}, options)
	c.group = true
	return c
}

func local(where, trust string, dial func(context.Context) (net.Conn, error), options []Option) *Client {
	c := &Client{base: "http://local", where: where, trust: trust}
	toSocket := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		if err := c.checkPeer(conn); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
	c.http = &http.Client{Transport: &http.Transport{DialContext: toSocket}}
	for _, o := range options {
		o(c)
	}
	return c
}

// Remote returns a client of a server elsewhere. base is a URL such as https://sftp.example.com.
func Remote(base, token string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, http: http.DefaultClient, where: base}
}

// InZone returns a client whose answers have their times in a zone. zone is called when an answer has
// a time. The server sends times in UTC.
func InZone(c *Client, zone func(context.Context) *time.Location) *Client {
	in := *c
	in.zone = zone
	return &in
}

// Error is an error answer of the server, or says that the server did not answer.
type Error struct {
	Kind    string        // not_found, exists, denied, invalid, …
	Message string        // one sentence on what went wrong
	Field   string        // the field or parameter that is wrong, or ""
	Hint    string        // the next step, or ""
	Action  *model.Action // an operation that would help, or nil
	cause   *fault.Error
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

// Unwrap returns the *fault.Error that e was made from.
func (e *Error) Unwrap() error { return e.cause }

func asError(e *fault.Error) *Error {
	return &Error{Kind: e.Kind.String(), Message: fault.PublicText(e), Field: e.Field, Hint: e.Hint,
		Action: e.Action, cause: e}
}

// unreachable turns a transport error into an *Error that explains it.
func (c *Client) unreachable(err error) error {
	const op = "client.Send"
	var refused *fault.Error
	switch {
	case errors.As(err, &refused): // by checkPeer
		return asError(refused)
	case errors.Is(err, context.Canceled):
		return asError(fault.E(op, fault.Unavailable, "Stopped before the server answered: it may have done what was asked."))
	case c.base != "http://local":
	case c.group && (errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return asError(fault.E(op, fault.Unavailable, "No sallyport is listening on the socket %s.", c.where).
			WithHint("socket.path in the server's configuration says where it is; SALLYPORT_SOCKET names it here"))
	case c.group && errors.Is(err, os.ErrPermission):
		return asError(fault.E(op, fault.Denied, "Only members of its group may use the socket %s.", c.where).
			WithHint("socket.group in the server's configuration names the group; a new member logs in again"))
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return asError(fault.E(op, fault.Unavailable, "No sallyport is running on the data folder %s.", c.where).
			WithHint("start it with: sallyport serve --data %s", c.where))
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return asError(fault.E(op, fault.Denied, "Only root and the server's own user may manage %s.", c.where))
	}
	return asError(&fault.Error{Op: op, Kind: fault.Unavailable,
		Public: fmt.Sprintf("The server at %s did not answer.", c.where), Err: err})
}
