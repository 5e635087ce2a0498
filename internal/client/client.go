// Package client talks to the REST API: over the Unix socket in the data
// folder on the machine itself, or over HTTPS with a token from elsewhere.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Client sends requests to one server.
type Client struct {
	base  string
	token string
	http  *http.Client
	where string // for messages
}

// socketName is the API's socket within the data folder.
const socketName = "sallyport.sock"

// maxSocketPath is what fits into sockaddr_un (unix(7)), with room to spare.
const maxSocketPath = 100

// SocketPath is how to reach the socket of a data folder. A path too long for
// the kernel goes through the folder's descriptor, which done closes.
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

// Local talks to the server that uses a data folder on this machine.
func Local(data string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, done, err := SocketPath(data)
		if err != nil {
			return nil, err
		}
		defer done()
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{base: "http://local", http: &http.Client{Transport: &http.Transport{DialContext: dial}}, where: data}
}

// Remote talks to a server elsewhere.
func Remote(base, token string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, http: http.DefaultClient, where: base}
}

// Request is one call. Body is sent as JSON, or as it is when it is a reader.
type Request struct {
	Method string
	Path   string // below /api/v1, parts already escaped
	Query  url.Values
	Header http.Header
	Body   any
	Size   int64 // of a reader, if known; else -1
}

// Send sends a request and returns the answer; its body is the caller's to
// close. An error status becomes an fault.Error.
func (c *Client) Send(ctx context.Context, r Request) (*http.Response, error) {
	var body io.Reader
	asJSON := false
	switch b := r.Body.(type) {
	case nil:
	case io.Reader:
		body = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, fault.Wrap("client.Send", fault.Internal, err)
		}
		body, asJSON = bytes.NewReader(text), true
	}
	u := c.base + "/api/v1" + r.Path
	if len(r.Query) > 0 {
		u += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u, body)
	if err != nil {
		return nil, fault.Wrap("client.Send", fault.Invalid, err)
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	if asJSON {
		req.Header.Set("Content-Type", "application/json")
	} else if body != nil {
		req.ContentLength = r.Size
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

// unreachable explains why no server answered.
func (c *Client) unreachable(err error) error {
	const op = "client.Send"
	switch {
	case errors.Is(err, context.Canceled):
		return fault.E(op, fault.Unavailable, "Stopped before the server answered: it may have done what was asked.")
	case c.base != "http://local":
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fault.E(op, fault.Unavailable, "No sallyport is running on the data folder %s.", c.where).
			WithHint("start it with: sallyport serve --data %s", c.where)
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return fault.E(op, fault.Denied, "Only root and the server's own user may manage %s.", c.where)
	}
	return &fault.Error{Op: op, Kind: fault.Unavailable, Public: fmt.Sprintf("The server at %s did not answer.", c.where), Err: err}
}

// problem reads an error answer (RFC 9457, with our kind and hint).
func problem(resp *http.Response) error {
	var p struct{ Detail, Kind, Hint string }
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(text, &p) != nil || p.Detail == "" {
		p.Detail = fmt.Sprintf("The server answered %s.", resp.Status)
	}
	return &fault.Error{Op: "client.Send", Kind: fault.KindOf(p.Kind), Public: p.Detail, Hint: p.Hint}
}

// Call sends a request and reads the JSON answer.
func Call[T any](ctx context.Context, c *Client, r Request) (v T, err error) {
	resp, err := c.Send(ctx, r)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return v, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return v, fault.Wrap("client.Call", fault.Unavailable, err)
	}
	return v, nil
}
