package hostile

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
)

// Server is where a partner logs in, and as whom.
type Server struct {
	Addr string
	User string
	Key  ssh.Signer
}

// Flags of OPEN and the status OK (draft-ietf-secsh-filexfer-02 §6.3, §7).
const (
	flagWrite  = uint32(2)
	flagCreate = uint32(8)
	flagTrunc  = uint32(16)
	statusOK   = uint32(0)
)

// peer is a client that takes what it gets: a hostile one must go on, and an honest
// one is judged by its times. Requests are sent many at a time.
type peer struct {
	client *ssh.Client
	ch     ssh.Channel
	head   [4]byte
}

var errClosed = errors.New("the server closed it")

// dial logs in.
func (s Server) dial() (*ssh.Client, error) { return ssh.Dial("tcp", s.Addr, s.config()) }

func (s Server) config() *ssh.ClientConfig {
	return &ssh.ClientConfig{User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.Key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 10 * time.Second}
}

// join logs in and begins SFTP.
func (s Server) join() (*peer, error) {
	c, err := s.dial()
	if err != nil {
		return nil, err
	}
	p, err := newPeer(c)
	if err != nil {
		_ = c.Close()
	}
	return p, err
}

// newPeer begins SFTP on another channel of a client.
func newPeer(c *ssh.Client) (*peer, error) {
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(reqs)
	if ok, err := ch.SendRequest("subsystem", true, Pack("sftp")); err != nil || !ok {
		return nil, errors.Join(err, errClosed)
	}
	p := &peer{client: c, ch: ch}
	if _, err := ch.Write(sftpPacket(Pack(byte(sftpwire.TypeInit), uint32(3)))); err != nil {
		return nil, err
	}
	_, err = p.recv()
	return p, err
}

func (p *peer) close() { _ = p.client.Close() }

// recv reads one answer.
func (p *peer) recv() ([]byte, error) {
	if _, err := io.ReadFull(p.ch, p.head[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(p.head[:]))
	_, err := io.ReadFull(p.ch, body)
	return body, err
}

// packet is a request of a type.
func (p *peer) packet(kind byte, fields ...any) []byte {
	return sftpPacket(Pack(kind, uint32(1), Raw(Pack(fields...))))
}

// calls sends requests at once and reads all answers. A refusal is no error.
func (p *peer) calls(packets ...[]byte) ([][]byte, error) {
	go func() { _, _ = p.ch.Write(slices.Concat(packets...)) }() // the answers may be more than a window
	out := make([][]byte, len(packets))
	var err error
	for i := range out {
		if out[i], err = p.recv(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// handle is what an OPEN was answered with; "" if it was refused.
func handle(answer []byte) string {
	if len(answer) < 9 || answer[0] != sftpwire.TypeHandle {
		return ""
	}
	return string(answer[9:])
}

func (p *peer) open(path string) []byte {
	return p.packet(sftpwire.TypeOpen, path, flagWrite|flagCreate|flagTrunc, uint32(0))
}

// put stores a file, one request after another.
func (p *peer) put(path string, content []byte) error {
	a, err := p.calls(p.open(path))
	if err != nil {
		return err
	}
	h := handle(a[0])
	if h == "" {
		return errors.New("OPEN was refused")
	}
	if _, err = p.calls(p.packet(sftpwire.TypeWrite, h, uint64(0), content)); err != nil {
		return err
	}
	a, err = p.calls(p.packet(sftpwire.TypeClose, h))
	if err == nil && binary.BigEndian.Uint32(a[0][5:]) != statusOK {
		err = errors.New("CLOSE was refused")
	}
	return err
}

// sftpPacket puts the length before a body.
func sftpPacket(body []byte) []byte { return Pack(body) }
