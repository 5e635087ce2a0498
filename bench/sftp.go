package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// The parts of SFTP version 3 that the work needs.
const (
	typeInit     = 1
	typeVersion  = 2
	typeOpen     = 3
	typeClose    = 4
	typeRead     = 5
	typeWrite    = 6
	typeOpenDir  = 11
	typeReadDir  = 12
	typeMkdir    = 14
	typeStatus   = 101
	typeHandle   = 102
	typeData     = 103
	typeName     = 104
	typeExtended = 200

	flagRead   = 0x01
	flagCreate = 0x02 | 0x08 | 0x10 // write, create, truncate

	statusOK  = 0
	statusEOF = 1

	maxReply = 1 << 20
)

// client is an SFTP session on its own connection. Many goroutines may use it at once; each waits
// for its own reply.
type client struct {
	conn *ssh.Client
	ch   ssh.Channel

	writing sync.Mutex // keeps packets whole, because a Write may be split

	mu      sync.Mutex
	next    uint32
	waiting map[uint32]chan reply
	err     error // why no more replies come
}

// reply is the part of a packet after the request ID.
type reply struct {
	kind byte
	body []byte
}

// dial logs in and opens an SFTP session. It fixes the key exchange and the host key type to ones
// that both servers support, so that both do the same work.
func (b *bench) dial(s *server) (*client, error) {
	config := &ssh.ClientConfig{User: s.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(b.signer)},
		HostKeyCallback:   ssh.InsecureIgnoreHostKey(), // loopback, and the host key was made for this run
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: 30 * time.Second}
	config.KeyExchanges = []string{ssh.KeyExchangeCurve25519}
	nc, err := net.Dial("tcp", s.addr())
	if err != nil {
		return nil, err
	}
	conn, chans, reqs, err := ssh.NewClientConn(nc, s.addr(), config)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	c := &client{conn: ssh.NewClient(conn, chans, reqs), waiting: map[uint32]chan reply{}}
	if err := c.open(); err != nil {
		_ = c.conn.Close()
		return nil, err
	}
	return c, nil
}

// open opens the channel, and exchanges SFTP versions.
func (c *client) open() error {
	ch, reqs, err := c.conn.OpenChannel("session", nil)
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(reqs)
	c.ch = ch
	ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("the server has no sftp subsystem")
	}
	if _, err := ch.Write([]byte{0, 0, 0, 5, typeInit, 0, 0, 0, 3}); err != nil {
		return err
	}
	kind, _, err := c.packet()
	if err != nil {
		return err
	}
	if kind != typeVersion {
		return fmt.Errorf("packet type %d came instead of a version", kind)
	}
	go c.read()
	return nil
}

func (c *client) close() {
	_ = c.ch.Close()
	_ = c.conn.Close()
}

// packet reads one packet.
func (c *client) packet() (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.ch, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || n > maxReply {
		return 0, nil, fmt.Errorf("a packet of %d bytes came", n)
	}
	body = make([]byte, n-1)
	_, err = io.ReadFull(c.ch, body)
	return head[4], body, err
}

// read passes replies to the waiting callers, until the session ends.
func (c *client) read() {
	for {
		kind, body, err := c.packet()
		if err == nil && len(body) < 4 {
			err = errors.New("a reply without an ID came")
		}
		c.mu.Lock()
		if err != nil {
			c.err = err
			for _, w := range c.waiting {
				close(w)
			}
			c.mu.Unlock()
			return
		}
		id := binary.BigEndian.Uint32(body)
		w := c.waiting[id]
		delete(c.waiting, id)
		c.mu.Unlock()
		if w != nil {
			w <- reply{kind, body[4:]}
		}
	}
}

// call sends a request and waits for its reply. A status other than OK is an error; the status EOF
// is io.EOF.
func (c *client) call(kind byte, fields ...any) (reply, error) {
	w := make(chan reply, 1)
	c.mu.Lock()
	c.next++
	id := c.next
	c.waiting[id] = w
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	if err := c.write(request(kind, id, fields)); err != nil {
		return reply{}, err
	}
	r, ok := <-w
	if !ok {
		return reply{}, c.err
	}
	if r.kind != typeStatus {
		return r, nil
	}
	code, text, err := status(r.body)
	switch {
	case err != nil:
		return r, err
	case code == statusOK:
		return r, nil
	case code == statusEOF:
		return r, io.EOF
	}
	return r, fmt.Errorf("status %d: %s", code, text)
}

func (c *client) write(packet []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.ch.Write(packet)
	return err
}

// request encodes a packet of strings and numbers.
func request(kind byte, id uint32, fields []any) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 0, kind}, id)
	for _, f := range fields {
		switch v := f.(type) {
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
		case int: // flags, lengths, and empty attributes
			b = binary.BigEndian.AppendUint32(b, uint32(v))
		case int64: // offsets
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func status(body []byte) (code uint32, text string, err error) {
	if len(body) < 4 {
		return 0, "", errors.New("a damaged status came")
	}
	text, _ = str(body[4:])
	return binary.BigEndian.Uint32(body), text, nil
}

// str decodes a string; false if there is none.
func str(b []byte) (string, bool) {
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return "", false
	}
	return string(b[4 : 4+binary.BigEndian.Uint32(b)]), true
}

// handle sends a request whose reply is a handle.
func (c *client) handle(kind byte, fields ...any) (string, error) {
	r, err := c.call(kind, fields...)
	if err != nil {
		return "", err
	}
	h, ok := str(r.body)
	if r.kind != typeHandle || !ok {
		return "", fmt.Errorf("packet type %d came instead of a handle", r.kind)
	}
	return h, nil
}

func (c *client) mkdir(path string) error {
	_, err := c.call(typeMkdir, path, 0)
	return err
}

// put writes a small file. Each request waits for the previous reply.
func (c *client) put(path string, content []byte, fsync bool) error {
	h, err := c.handle(typeOpen, path, flagCreate, 0)
	if err != nil {
		return err
	}
	if _, err := c.call(typeWrite, h, int64(0), content); err != nil {
		return err
	}
	if fsync {
		if _, err := c.call(typeExtended, "fsync@openssh.com", h); err != nil {
			return err
		}
	}
	_, err = c.call(typeClose, h)
	return err
}

// get reads a small file of a known size. Each request waits for the previous reply.
func (c *client) get(path string, size int) error {
	h, err := c.handle(typeOpen, path, flagRead, 0)
	if err != nil {
		return err
	}
	r, err := c.call(typeRead, h, int64(0), 32<<10)
	if err != nil {
		return err
	}
	if data, _ := str(r.body); r.kind != typeData || len(data) != size {
		return fmt.Errorf("%s: %d bytes came instead of %d", path, len(data), size)
	}
	_, err = c.call(typeClose, h)
	return err
}

// list counts a directory's entries.
func (c *client) list(path string) (n int, err error) {
	h, err := c.handle(typeOpenDir, path)
	if err != nil {
		return 0, err
	}
	for {
		r, err := c.call(typeReadDir, h)
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		if r.kind != typeName || len(r.body) < 4 {
			return 0, fmt.Errorf("packet type %d came instead of names", r.kind)
		}
		n += int(binary.BigEndian.Uint32(r.body))
	}
	_, err = c.call(typeClose, h)
	return n, err
}

// session opens a session, calls work and closes the session. It closes it earlier if ctx ends.
func (b *bench) session(ctx context.Context, s *server, work func(*client) error) error {
	c, err := b.dial(s)
	if err != nil {
		return err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.close)()
	return work(c)
}
