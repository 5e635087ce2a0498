package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Exposed is a key whose private file somebody sent.
type Exposed struct {
	Format string // of the file: "OpenSSH", "PuTTY (PPK 3)"…
	Key    Public // its public half; Fingerprint is "" when the file does not tell
	// Proven: the private half was readable and fits. Otherwise the file is
	// encrypted, and anybody could have put this public half on it.
	Proven bool
}

// Examine says which keys the private files within data open. What it read of
// their secrets is gone when it returns. It takes up to 6 s for input made to
// be slow: ten RSA keys of 8192 bits, and ten more that are packed.
func Examine(data []byte) []Exposed { return examine(data, guarded) }

// guarded reads one file. If a parser panics, ours or a library's, nothing is
// known of this file, and whoever sent it is warned all the same.
func guarded(format string, read func() Exposed) (e Exposed) {
	defer func() {
		if recover() != nil {
			e = Exposed{Format: format}
		}
	}()
	return read()
}

// examine is Examine; each file is read within guard.
func examine(data []byte, guard func(format string, read func() Exposed) Exposed) []Exposed {
	if len(data) > maxInput {
		data = data[:maxInput]
	}
	var out []Exposed
	for _, layer := range layers(data) {
		out = examineLayer(out, layer, guard)
	}
	return out
}

// examineLayer adds what is in one layer of a file.
func examineLayer(out []Exposed, data []byte, guard func(format string, read func() Exposed) Exposed) []Exposed {
	text, had := textOf(data), len(out)
	add := func(e Exposed) {
		same := func(have Exposed) bool { return have.Key.Fingerprint == e.Key.Fingerprint && have.Proven == e.Proven }
		if !slices.ContainsFunc(out, same) {
			out = append(out, e)
		}
	}
	for _, block := range pemBlocks(text) {
		add(guard("PEM", func() Exposed { return examinePEM(block) }))
	}
	for _, file := range sections(text, "PuTTY-User-Key-File-") {
		add(guard("PuTTY", func() Exposed { return examinePPK(file) }))
	}
	for _, file := range sections(text, sshcomBegin) {
		add(guard("ssh.com", func() Exposed { return examineSSHCom(file) }))
	}
	bare := [][]byte{data}
	if len(out) == had { // the lines around it were lost, or all is on one
		bare = append(bare, bareBase64(text)...)
	}
	for _, b := range bare {
		if e := guard("DER", func() Exposed { return examineBare(b) }); e.Format != "" {
			add(e)
		}
	}
	return out
}

// examineBare reads what has no armour; its Format is "" if that is no private key.
func examineBare(b []byte) Exposed {
	if key, err := parseDER(b); err == nil {
		return exposedKey(key, "DER")
	} else if bytes.HasPrefix(b, []byte(openSSHMagic)) {
		return examinePEM(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: b})
	}
	return Exposed{}
}

// maxPrivate is the largest OpenSSH file that is read, in bytes, before
// base64. That of RSA 8192 takes about 5 KiB.
const maxPrivate = 8 << 10

// parseDER reads a private key without armour: PKCS#8, PKCS#1 or SEC1. What
// follows it does not count.
func parseDER(b []byte) (any, error) {
	var whole asn1.RawValue
	if _, err := asn1.Unmarshal(b, &whole); err != nil {
		return nil, err
	}
	var wrapped struct { // RFC 5958 §2
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	inner := whole.FullBytes
	if _, err := asn1.Unmarshal(inner, &wrapped); err == nil {
		inner = wrapped.Key
	}
	if key, err := parsePKCS1(inner); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(inner); err == nil {
		return key, nil
	}
	// The standard library takes minutes for an RSA key of absurd numbers, so it
	// gets none.
	if oidRSA.Equal(wrapped.Algorithm.Algorithm) {
		return nil, errUnreadable
	}
	return x509.ParsePKCS8PrivateKey(whole.FullBytes)
}

// oidRSA is rsaEncryption (RFC 8017 appendix C).
var oidRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}

// errUnreadable says that a private key is not; it never leaves the package.
var errUnreadable = errors.New("keys: no private key that can be read")

// parsePKCS1 reads RFC 8017 §A.1.2 and checks nothing.
func parsePKCS1(der []byte) (*rsa.PrivateKey, error) {
	var k struct {
		Version int
		N       *big.Int
		E       int
		D, P, Q *big.Int // what follows can be computed
	}
	if _, err := asn1.Unmarshal(der, &k); err != nil {
		return nil, err
	}
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: k.N, E: k.E}, D: k.D, Primes: []*big.Int{k.P, k.Q}}, nil
}

// pemBlocks finds the blocks of private keys.
func pemBlocks(text string) (out []*pem.Block) {
	for rest := []byte(text); ; {
		block, after := pem.Decode(rest)
		if block == nil {
			return out
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			out = append(out, block)
		}
		rest = after
	}
}

// sections cuts text at every place that begins with mark.
func sections(text, mark string) (out []string) {
	for {
		i := strings.Index(text, mark)
		if i < 0 {
			return out
		}
		next := strings.Index(text[i+len(mark):], mark)
		if next < 0 {
			return append(out, text[i:])
		}
		out = append(out, text[i:i+len(mark)+next])
		text = text[i+len(mark)+next:]
	}
}

// pemFormats names PEM types as people know them.
var pemFormats = map[string]string{"OPENSSH PRIVATE KEY": "OpenSSH", "RSA PRIVATE KEY": "PKCS#1",
	"EC PRIVATE KEY": "SEC1", "PRIVATE KEY": "PKCS#8", "ENCRYPTED PRIVATE KEY": "PKCS#8, encrypted"}

func examinePEM(block *pem.Block) Exposed {
	format := pemFormats[block.Type]
	if format == "" {
		format = "PEM"
	}
	e := Exposed{Format: format}
	if block.Type == "OPENSSH PRIVATE KEY" {
		e.Key = openSSHPublic(block.Bytes)
		if len(block.Bytes) > maxPrivate {
			return e
		}
		if key, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block)); err == nil {
			return exposedKey(key, format)
		}
	} else if key, err := parseDER(block.Bytes); err == nil && len(block.Headers) == 0 { // headers say how it is encrypted
		return exposedKey(key, format)
	}
	return e
}

// openSSHPublic reads the public half that an OpenSSH private file has in
// clear (OpenSSH PROTOCOL.key): magic, cipher, KDF, its options, the number of
// keys, and the first of them.
func openSSHPublic(b []byte) (p Public) {
	b, found := bytes.CutPrefix(b, []byte(openSSHMagic))
	if !found {
		return p
	}
	r := fields{b: b}
	r.str()
	r.str()
	r.str()
	r.uint32()
	return publicOf(r.str())
}

// publicOf describes a public key's wire form; what can't be enrolled is none.
func publicOf(wire []byte) Public {
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return Public{}
	}
	p, err := accept(key, "", "")
	if err != nil {
		return Public{}
	}
	return p
}

// exposedKey proves that a private key was readable: what it signs, its public
// half verifies. That half is computed or checked here and not taken from the
// file, which could claim another's.
func exposedKey(key any, format string) Exposed {
	e := Exposed{Format: format}
	var signer crypto.Signer
	switch k := key.(type) {
	case *ed25519.PrivateKey:
		signer = ed25519.NewKeyFromSeed((*k)[:ed25519.SeedSize])
	case ed25519.PrivateKey:
		signer = ed25519.NewKeyFromSeed(k[:ed25519.SeedSize])
	case *ecdsa.PrivateKey:
		signer = k
	case *rsa.PrivateKey:
		for _, n := range append([]*big.Int{k.N, k.D}, k.Primes...) { // larger ones would take minutes
			if n.Sign() <= 0 || n.BitLen() > MaxRSA {
				return e
			}
		}
		k.Precompute() // else checking and signing each do
		if k.Validate() != nil {
			return e
		}
		signer = k
	default:
		return e
	}
	s, err := ssh.NewSignerFromSigner(signer)
	if err != nil {
		return e
	}
	e.Key = publicOf(s.PublicKey().Marshal())
	proof := []byte("sallyport: whoever sent this has the private half")
	algorithm := s.PublicKey().Type()
	if algorithm == ssh.KeyAlgoRSA {
		algorithm = ssh.KeyAlgoRSASHA256
	}
	sig, err := s.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, proof, algorithm)
	e.Proven = err == nil && s.PublicKey().Verify(proof, sig) == nil && e.Key.Fingerprint != ""
	return e
}
