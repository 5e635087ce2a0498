package attacks

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSH message numbers (RFC 4250 §4.1.2, RFC 5656, OpenSSH's PROTOCOL).
const (
	msgDisconnect     = 1
	msgIgnore         = 2
	msgServiceRequest = 5
	msgServiceAccept  = 6
	msgKexInit        = 20
	msgNewKeys        = 21
	msgECDHInit       = 30
	msgECDHReply      = 31
	msgAuthRequest    = 50
	msgAuthFailure    = 51
	msgAuthSuccess    = 52
	msgAuthBanner     = 53
	msgAuthPKOK       = 60
	msgGlobalRequest  = 80
	msgRequestSuccess = 81
	msgRequestFailure = 82
	msgChannelOpen    = 90
	msgOpenConfirm    = 91
	msgOpenFailure    = 92
	msgChannelData    = 94
	msgChannelClose   = 97
	msgChannelRequest = 98
	msgChannelSuccess = 99
	msgChannelFailure = 100
	msgPing           = 192
)

// rawSSH is an SSH client that says what it is told to, in any order, and
// checks nothing: curve25519-sha256 and aes128-gcm@openssh.com.
type rawSSH struct {
	conn       net.Conn
	r          *bufio.Reader
	in, out    *gcm // nil before NEWKEYS
	session    []byte
	version    string // the server's
	clientLine string
	serverInit []byte
	banners    []string
}

// gcm is one direction of aes128-gcm@openssh.com (RFC 5647).
type gcm struct {
	aead  cipher.AEAD
	nonce []byte
}

func newGCM(key, iv []byte) *gcm {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return &gcm{aead, bytes.Clone(iv)}
}

func (g *gcm) next() {
	binary.BigEndian.PutUint64(g.nonce[4:], binary.BigEndian.Uint64(g.nonce[4:])+1)
}

// dialRaw opens a TCP connection that the test's end closes, with a deadline
// so that no test hangs.
func dialRaw(t testing.TB, addr string) *rawSSH {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	return &rawSSH{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
}

// hello sends the client's version line and reads the server's.
func (c *rawSSH) hello(line string) error {
	c.clientLine = line
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return err
	}
	v, err := c.r.ReadString('\n')
	c.version = strings.TrimRight(v, "\r\n")
	return err
}

// frame makes a packet that is not encrypted (RFC 4253 §6).
func frame(payload []byte) []byte {
	pad := 8 - (5+len(payload))%8
	if pad < 4 {
		pad += 8
	}
	b := pack(uint32(1+len(payload)+pad), byte(pad), raw(payload))
	return append(b, make([]byte, pad)...)
}

// send writes one packet made of fields.
func (c *rawSSH) send(fields ...any) error {
	payload := pack(fields...)
	b := frame(payload)
	if c.out != nil {
		pad := 16 - (1+len(payload))%16
		if pad < 4 {
			pad += 16
		}
		plain := append(pack(byte(pad), raw(payload)), make([]byte, pad)...)
		b = pack(uint32(len(plain)))
		b = c.out.aead.Seal(b, c.out.nonce, plain, b[:4])
		c.out.next()
	}
	_, err := c.conn.Write(b)
	return err
}

// recv reads one packet's payload.
func (c *rawSSH) recv() ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c.r, head); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head))
	if n < 2 || n > 300<<10 {
		return nil, fmt.Errorf("the server sent a packet of %d bytes", n)
	}
	if c.in != nil {
		n += c.in.aead.Overhead()
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return nil, err
	}
	if c.in != nil {
		plain, err := c.in.aead.Open(nil, c.in.nonce, body, head)
		if err != nil {
			return nil, err
		}
		c.in.next()
		body = plain
	}
	if pad := int(body[0]); len(body) > 1+pad {
		return body[1 : len(body)-pad], nil
	}
	return nil, errors.New("the server sent an empty packet")
}

// clientInit is this client's KEXINIT.
func clientInit() []byte {
	cookie := make([]byte, 16)
	_, _ = rand.Read(cookie)
	none := []string{"none"}
	return pack(byte(msgKexInit), raw(cookie), []string{"curve25519-sha256"},
		[]string{"ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"},
		[]string{"aes128-gcm@openssh.com"}, []string{"aes128-gcm@openssh.com"},
		[]string{"hmac-sha2-256"}, []string{"hmac-sha2-256"}, none, none, "", "", false, uint32(0))
}

// exchange does one key exchange, the first or a later one.
func (c *rawSSH) exchange() error {
	mine := clientInit()
	if err := c.send(raw(mine)); err != nil {
		return err
	}
	init, err := c.wait(msgKexInit)
	if err != nil {
		return err
	}
	c.serverInit = init
	return c.agree(mine, init)
}

// agree finishes a key exchange after both KEXINITs.
func (c *rawSSH) agree(mine, theirs []byte) error {
	priv, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	public := priv.PublicKey().Bytes()
	if err := c.send(byte(msgECDHInit), public); err != nil {
		return err
	}
	p, err := c.wait(msgECDHReply)
	if err != nil {
		return err
	}
	u := &unpack{b: p[1:]}
	hostKey, share := u.bytes(), u.bytes()
	peer, err := ecdh.X25519().NewPublicKey(share)
	if err != nil {
		return err
	}
	secret, err := priv.ECDH(peer)
	if err != nil {
		return err
	}
	k := pack(mpint(secret))
	h := sha256.Sum256(pack(c.clientLine, c.version, mine, theirs, hostKey, public, share, raw(k)))
	if c.session == nil {
		c.session = h[:]
	}
	derive := func(letter byte) []byte {
		sum := sha256.Sum256(pack(raw(k), raw(h[:]), letter, raw(c.session)))
		return sum[:]
	}
	if err := c.send(byte(msgNewKeys)); err != nil {
		return err
	}
	if _, err := c.wait(msgNewKeys); err != nil {
		return err
	}
	c.out = newGCM(derive('C')[:16], derive('A')[:12])
	c.in = newGCM(derive('D')[:16], derive('B')[:12])
	return nil
}

// mpint is a positive number as SSH writes it.
func mpint(b []byte) []byte {
	b = new(big.Int).SetBytes(b).Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return b
}

// wait reads until a packet of this number, keeping banners and passing over
// whatever else comes; a DISCONNECT is an error.
func (c *rawSSH) wait(numbers ...byte) ([]byte, error) {
	for {
		p, err := c.recv()
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(numbers, p[0]) >= 0 {
			return p, nil
		}
		u := &unpack{b: p[1:]}
		switch p[0] {
		case msgAuthBanner:
			c.banners = append(c.banners, u.string())
		case msgDisconnect:
			return nil, fmt.Errorf("disconnected: %d %s", u.uint32(), u.string())
		}
	}
}

// greet goes as far as the authentication service.
func greet(t testing.TB, addr string) *rawSSH {
	t.Helper()
	c := dialRaw(t, addr)
	c.begin(t)
	return c
}

// outcome reads the answer to an authentication request: its number, and the
// methods that a failure names.
func (c *rawSSH) outcome() (number byte, methods string, partial bool, err error) {
	p, err := c.wait(msgAuthFailure, msgAuthSuccess, msgAuthPKOK)
	if err != nil {
		return 0, "", false, err
	}
	u := &unpack{b: p[1:]}
	if p[0] == msgAuthFailure {
		methods, partial = u.string(), u.byte() != 0
	}
	return p[0], methods, partial, nil
}

// query asks whether a key would do, without a signature.
func (c *rawSSH) query(user string, key ssh.PublicKey) (byte, error) {
	if err := c.send(byte(msgAuthRequest), user, "ssh-connection", "publickey", false, key.Type(),
		key.Marshal()); err != nil {
		return 0, err
	}
	n, _, _, err := c.outcome()
	return n, err
}

// prove offers one key and signs with another, which is usually the same.
func (c *rawSSH) prove(user string, offered ssh.PublicKey, signer ssh.Signer) (byte, error) {
	request := pack(byte(msgAuthRequest), user, "ssh-connection", "publickey", true, offered.Type(), offered.Marshal())
	sig, err := signer.Sign(rand.Reader, pack(c.session, raw(request)))
	if err != nil {
		return 0, err
	}
	if err := c.send(raw(request), pack(sig.Format, sig.Blob)); err != nil {
		return 0, err
	}
	n, _, _, err := c.outcome()
	return n, err
}

// loginRaw logs in.
func loginRaw(t testing.TB, addr, user string, key ssh.Signer) *rawSSH {
	t.Helper()
	c := greet(t, addr)
	if n, err := c.prove(user, key.PublicKey(), key); n != msgAuthSuccess {
		t.Fatalf("log-in of %s: %d, %v", user, n, err)
	}
	return c
}

// open asks for a channel and returns the server's number for it, or an error
// when it was refused.
func (c *rawSSH) open(kind string, mine uint32, extra []byte) (theirs uint32, err error) {
	if err := c.send(byte(msgChannelOpen), kind, mine, uint32(2<<20), uint32(32<<10), raw(extra)); err != nil {
		return 0, err
	}
	p, err := c.wait(msgOpenConfirm, msgOpenFailure)
	if err != nil {
		return 0, err
	}
	u := &unpack{b: p[1:]}
	u.uint32()
	theirs = u.uint32()
	if p[0] == msgOpenFailure {
		return 0, fmt.Errorf("refused: %d %s", theirs, u.string())
	}
	return theirs, nil
}
