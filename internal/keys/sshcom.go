package keys

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"strings"
)

// Markers of ssh.com's private key files. They say ENCRYPTED even if the cipher is "none".
const (
	sshcomBegin = "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----"
	sshcomEnd   = "---- END SSH2 ENCRYPTED PRIVATE KEY ----"
)

// examineSSHCom reads ssh.com's format as PuTTY's import.c describes it: magic, length, type,
// cipher, then a blob. The blob has a length and, for RSA, the numbers e, d, n, q⁻¹ mod p, q,
// p, each preceded by its size in bits.
func examineSSHCom(text string) Exposed {
	e := Exposed{Format: "ssh.com"}
	body, _, _ := strings.Cut(strings.TrimPrefix(text, sshcomBegin), sshcomEnd)
	var b64 strings.Builder
	goesOn := false
	for line := range strings.SplitSeq(body, "\n") {
		line = strings.TrimSpace(line)
		if goesOn || strings.Contains(line, ":") {
			goesOn = strings.HasSuffix(line, `\`)
			continue
		}
		b64.WriteString(line)
	}
	b, err := base64.StdEncoding.DecodeString(b64.String())
	r := fields{b: b}
	if err != nil || string(r.take(4)) != sshcomMagic {
		return e
	}
	r.uint32()
	kind, cipher, blob := r.str(), r.str(), fields{b: r.str()}
	if string(cipher) != "none" || !strings.Contains(string(kind), "rsa") {
		return e
	}
	r = fields{b: blob.str()}
	var n [6]*big.Int
	for i := range n {
		n[i] = r.bits()
	}
	if r.bad || !n[0].IsInt64() {
		return e
	}
	k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n[2], E: int(n[0].Int64())}, D: n[1], Primes: []*big.Int{n[5], n[4]}}
	return exposedKey(k, e.Format)
}

// fields decodes the data types of SSH (RFC 4251 §5). Reading past the end returns zero values
// and sets bad.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) take(n uint64) []byte {
	if f.bad || n > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) uint32() uint32 {
	if b := f.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// str reads a string: a length and bytes.
func (f *fields) str() []byte { return f.take(uint64(f.uint32())) }

// mpint reads a non-negative integer.
func (f *fields) mpint() *big.Int { return new(big.Int).SetBytes(bytes.TrimLeft(f.str(), "\x00")) }

// bits reads an integer of ssh.com: a size in bits, and bytes.
func (f *fields) bits() *big.Int {
	return new(big.Int).SetBytes(f.take((uint64(f.uint32()) + 7) / 8))
}
