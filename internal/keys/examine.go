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

// Exposed is a key whose private key file was sent to us.
type Exposed struct {
	Format string // file format: "OpenSSH", "PuTTY (PPK 3)"…
	Key    Public // the public half; Fingerprint is "" if it is unknown
	// Proven: the private half was readable and matches. Otherwise the file is encrypted or
	// damaged, and anyone could have put this public half into it.
	Proven bool
}

// Examine returns the keys of the private key files in data. It keeps no secret that it read.
// It takes up to 6 s for input made to be slow: ten RSA keys of 8192 bits, and ten more that
// are packed.
func Examine(data []byte) []Exposed { return examine(data, guarded) }

// guarded reads one file. If our parser or a library's panics, the result has only the format,
// so that the sender is still warned.
func guarded(format string, read func() Exposed) (e Exposed) {
	defer func() {
		if recover() != nil {
			e = Exposed{Format: format}
		}
	}()
	return read()
}

// examine implements Examine. Each file is read by guard.
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

// examineLayer appends the keys of one layer of a file to out.
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
	if len(out) == had { // the first and last lines were lost, or all is on one line
		bare = append(bare, bareBase64(text)...)
	}
	for _, b := range bare {
		if e := guard("DER", func() Exposed { return examineBare(b) }); e.Format != "" {
			add(e)
		}
	}
	return out
}

// examineBare reads a private key without armour. Format is "" if b is no private key.
func examineBare(b []byte) Exposed {
	if key, err := parseDER(b); err == nil {
		return exposedKey(key, "DER")
	} else if bytes.HasPrefix(b, []byte(openSSHMagic)) {
		return examinePEM(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: b})
	}
	return Exposed{}
}

// maxPrivate is the largest OpenSSH file that is read, in bytes before base64. One of RSA 8192
// takes about 5 KiB.
const maxPrivate = 8 << 10

// parseDER reads a private key without armour: PKCS#8, PKCS#1 or SEC1. It ignores trailing
// bytes.
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
	// The standard library takes minutes for an RSA key with absurdly large numbers, so it gets no
	// RSA keys.
	if oidRSA.Equal(wrapped.Algorithm.Algorithm) {
		return nil, errUnreadable
	}
	return x509.ParsePKCS8PrivateKey(whole.FullBytes)
}

// oidRSA is rsaEncryption (RFC 8017 appendix C).
var oidRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}

// errUnreadable means that a private key cannot be read. It never leaves the package.
var errUnreadable = errors.New("keys: no private key that can be read")

// parsePKCS1 reads RFC 8017 §A.1.2. It does not validate the numbers.
func parsePKCS1(der []byte) (*rsa.PrivateKey, error) {
	var k struct {
		Version int
		N       *big.Int
		E       int
		D, P, Q *big.Int // the fields after these can be computed
	}
	if _, err := asn1.Unmarshal(der, &k); err != nil {
		return nil, err
	}
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: k.N, E: k.E}, D: k.D, Primes: []*big.Int{k.P, k.Q}}, nil
}

// pemBlocks returns the PEM blocks of private keys.
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

// sections returns the parts of text that begin with mark.
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

// pemFormats maps PEM types to the usual format names.
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
	} else if key, err := parseDER(block.Bytes); err == nil && len(block.Headers) == 0 { // headers: it is encrypted
		return exposedKey(key, format)
	}
	return e
}

// openSSHPublic reads the unencrypted public half of an OpenSSH private key file (OpenSSH
// PROTOCOL.key): magic, cipher, KDF, KDF options, the number of keys, and the first public key.
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

// publicOf describes a public key in wire form. It returns the zero Public if the key cannot be
// enrolled.
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

// exposedKey proves that a private key was readable, by a signature that its public half
// verifies. The public half is computed or checked here. It is not taken from the file, which
// could contain another person's.
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
		for _, n := range append([]*big.Int{k.N, k.D}, k.Primes...) { // larger numbers would take minutes
			if n.Sign() <= 0 || n.BitLen() > MaxRSA {
				return e
			}
		}
		k.Precompute() // otherwise checking and signing each do it
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
