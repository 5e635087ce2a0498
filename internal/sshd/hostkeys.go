package sshd

import (
	"crypto/rand"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// HostKeys are the server's own keys. RSA keys among them must be able to sign with SHA-2.
type HostKeys struct {
	Offered []ssh.Signer // sign key exchanges, one of each type
	Coming  []ssh.Signer // announced, and not offered yet
}

// The extension with which a server tells its keys after log-in, so that the client can add them to known_hosts
// (OpenSSH, PROTOCOL §2.5). The client asks for a proof of the keys that are new to it.
const (
	hostKeysRequest = "hostkeys-00@openssh.com"
	proveRequest    = "hostkeys-prove-00@openssh.com"
)

// mostProofs is how many requests for proof a connection may send. Each costs a signature a key.
const mostProofs = 4

// sha2 are the algorithms with which RSA host keys sign.
var sha2 = []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}

// hostSigner returns a host key with the algorithms that it may sign with.
func hostSigner(k ssh.Signer, rsa []string) ssh.Signer {
	if k.PublicKey().Type() != ssh.KeyAlgoRSA {
		return k
	}
	limited, err := ssh.NewSignerWithAlgorithms(k.(ssh.AlgorithmSigner), rsa)
	if err != nil {
		return nil // not one of the algorithms is an RSA key's: a mistake of this package
	}
	return limited
}

// understands reports whether a client knows the extension. Others may end the connection when they meet it, so only
// OpenSSH from 6.8 on is told.
func understands(version string) bool {
	release, ok := strings.CutPrefix(version, "SSH-2.0-OpenSSH_")
	if !ok || len(release) < 3 {
		return false
	}
	for _, before := range []string{"2.", "3.", "4.", "5.", "6.0", "6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "6.7"} {
		if strings.HasPrefix(release, before) {
			return false
		}
	}
	return true
}

// proofs answers a connection's requests about the host keys.
type proofs struct {
	keys    []ssh.Signer // those that it was told
	session []byte       // the identifier of the session, which is signed (RFC 4253 §7.2)
	rsa     string       // the algorithm of the key exchange, if that was RSA's
	learnt  func(fingerprints []string)
	left    int
}

// tellKeys sends all host keys to a client that understands the extension.
func (s *Server) tellKeys(sess *session, keys *HostKeys) *proofs {
	conn := sess.conn
	p := &proofs{session: conn.SessionID(), left: mostProofs, learnt: func(list []string) {
		if s.o.Learnt != nil {
			s.o.Learnt(sess.login, list)
		}
	}}
	if !understands(string(conn.ClientVersion())) {
		return p
	}
	p.keys = slices.Concat(keys.Offered, keys.Coming)
	if a, ok := conn.Conn.(ssh.AlgorithmsConnMetadata); ok && slices.Contains(sha2, a.Algorithms().HostKey) {
		p.rsa = a.Algorithms().HostKey
	}
	var payload []byte
	for _, k := range p.keys {
		payload = append(payload, ssh.Marshal(struct{ Key []byte }{k.PublicKey().Marshal()})...)
	}
	_, _, _ = conn.SendRequest(hostKeysRequest, false, payload) // fails only if the client is gone
	return p
}

// reply answers a global request: it proves host keys, and refuses all else, such as forwarding.
func (p *proofs) reply(r *ssh.Request) {
	if !r.WantReply {
		return
	}
	var out []byte
	if r.Type == proveRequest {
		out = p.answer(r.Payload)
	}
	_ = r.Reply(out != nil, out)
}

// answer returns the signatures that a request asks for. It is nil, which refuses the request, if a key is not one
// of ours, or too much is asked.
func (p *proofs) answer(payload []byte) []byte {
	if p.left == 0 {
		return nil
	}
	p.left--
	var out []byte
	var list []string
	for len(payload) > 0 {
		var next struct {
			Key  []byte
			Rest []byte `ssh:"rest"`
		}
		if ssh.Unmarshal(payload, &next) != nil || len(list) == len(p.keys) {
			return nil
		}
		payload = next.Rest
		i := slices.IndexFunc(p.keys, func(k ssh.Signer) bool { return string(k.PublicKey().Marshal()) == string(next.Key) })
		if i < 0 {
			return nil
		}
		sig, err := p.sign(p.keys[i], next.Key)
		if err != nil {
			return nil
		}
		out = append(out, ssh.Marshal(struct{ Signature []byte }{ssh.Marshal(sig)})...)
		list = append(list, ssh.FingerprintSHA256(p.keys[i].PublicKey()))
	}
	if len(list) > 0 {
		p.learnt(list)
	}
	return out
}

// sign signs what proves that the server has a key.
func (p *proofs) sign(k ssh.Signer, blob []byte) (*ssh.Signature, error) {
	data := ssh.Marshal(struct {
		Name         string
		Session, Key []byte
	}{proveRequest, p.session, blob})
	if k.PublicKey().Type() != ssh.KeyAlgoRSA {
		return k.Sign(rand.Reader, data)
	}
	// A client that used an RSA key in the key exchange wants the same algorithm here.
	algorithm := ssh.KeyAlgoRSASHA512
	if p.rsa != "" {
		algorithm = p.rsa
	}
	return k.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, data, algorithm)
}
