package keys

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// ppkLine is the length of a base64 line that PuTTY writes.
const ppkLine = 64

// Cost of Argon2id for an encrypted PPK 3 file: 32 MiB, about 0.1 s.
const (
	argonMemory = 32 << 10 // KiB
	argonPasses = 4
)

// MarshalPPK encodes a private key as a PuTTY file (PuTTY manual, appendix C) of version 3, or
// 2 for old programs. With an empty passphrase it is not encrypted. Version 2 derives its key
// with SHA-1, so only long random passphrases protect it.
func MarshalPPK(key crypto.Signer, comment, passphrase string, version int) ([]byte, error) {
	if version != 2 && version != 3 {
		return nil, fmt.Errorf("keys: no version %d of PuTTY's format is written", version)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	private, err := ppkPrivate(key)
	if err != nil {
		return nil, err
	}
	comment = valid.Printable(comment) // a line break would start a new line of the file
	f := ppk{version: version, kind: public.Type(), encryption: "none", comment: comment, public: public.Marshal(),
		private: private}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	secret, stored := f.derive(passphrase, salt), private
	if passphrase != "" {
		f.encryption = "aes256-cbc"
		if stored, err = f.encrypt(secret); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "PuTTY-User-Key-File-%d: %s\nEncryption: %s\nComment: %s\n", version, f.kind, f.encryption, comment)
	ppkBlock(&b, "Public", f.public)
	if version == 3 && passphrase != "" {
		fmt.Fprintf(&b,
			"Key-Derivation: Argon2id\nArgon2-Memory: %d\nArgon2-Passes: %d\nArgon2-Parallelism: 1\nArgon2-Salt: %x\n",
			argonMemory, argonPasses, salt)
	}
	ppkBlock(&b, "Private", stored)
	fmt.Fprintf(&b, "Private-MAC: %x\n", f.mac(secret))
	return b.Bytes(), nil
}

// encrypt pads the private part to whole blocks with the start of its own hash, and encrypts
// it. It stores the padded form in f.private, since the MAC covers that.
func (f *ppk) encrypt(secret ppkSecret) ([]byte, error) {
	pad := sha256.Sum256(f.private)
	f.private = append(bytes.Clone(f.private), pad[:(aes.BlockSize-len(f.private)%aes.BlockSize)%aes.BlockSize]...)
	block, err := aes.NewCipher(secret.key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(f.private))
	cipher.NewCBCEncrypter(block, secret.iv).CryptBlocks(out, f.private)
	return out, nil
}

// ppk is the content of a PuTTY file, with the private part decrypted.
type ppk struct {
	version                   int
	kind, encryption, comment string
	public, private           []byte
}

type ppkSecret struct{ key, iv, mac []byte }

// derive returns the keys for encryption and MAC.
func (f *ppk) derive(passphrase string, salt []byte) (s ppkSecret) {
	if f.version == 3 {
		if passphrase == "" {
			return s
		}
		k := argon2.IDKey([]byte(passphrase), salt, argonPasses, argonMemory, 1, 80)
		return ppkSecret{k[:32], k[32:48], k[48:]}
	}
	mac := sha1.Sum([]byte("putty-private-key-file-mac-key" + passphrase))
	a := sha1.Sum([]byte("\x00\x00\x00\x00" + passphrase))
	b := sha1.Sum([]byte("\x00\x00\x00\x01" + passphrase))
	return ppkSecret{append(a[:], b[:]...)[:32], make([]byte, aes.BlockSize), mac[:]}
}

func (f *ppk) mac(s ppkSecret) []byte {
	sum := sha256.New
	if f.version == 2 {
		sum = sha1.New
	}
	m := hmac.New(sum, s.mac)
	for _, part := range [][]byte{[]byte(f.kind), []byte(f.encryption), []byte(f.comment), f.public, f.private} {
		m.Write(wireString(nil, part))
	}
	return m.Sum(nil)
}

// ppkPrivate encodes the numbers of a private key that its public half lacks.
func ppkPrivate(key crypto.Signer) ([]byte, error) {
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return wireString(nil, k.Seed()), nil
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		return wireMPInt(nil, new(big.Int).SetBytes(d)), err
	case *rsa.PrivateKey:
		p, q := k.Primes[0], k.Primes[1]
		b := wireMPInt(nil, k.D)
		b = wireMPInt(b, p)
		b = wireMPInt(b, q)
		return wireMPInt(b, new(big.Int).ModInverse(q, p)), nil
	}
	return nil, fmt.Errorf("keys: %T has no PuTTY form", key)
}

func wireString(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func wireMPInt(b []byte, n *big.Int) []byte {
	s := n.Bytes()
	if len(s) > 0 && s[0]&0x80 != 0 {
		s = append([]byte{0}, s...)
	}
	return wireString(b, s)
}

func ppkBlock(b *bytes.Buffer, name string, data []byte) {
	text := base64.StdEncoding.EncodeToString(data)
	fmt.Fprintf(b, "%s-Lines: %d\n", name, (len(text)+ppkLine-1)/ppkLine)
	for len(text) > 0 {
		n := min(ppkLine, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
}

// examinePPK reads a PuTTY file of version 2 or 3: always its public half, and its private half
// if it is not encrypted. It ignores the MAC. Without a passphrase anyone can compute it, and a
// comment that a mail program changed breaks it.
func examinePPK(text string) Exposed {
	head := map[string]string{}
	blocks := map[string][]byte{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		name, value, _ := strings.Cut(strings.TrimSpace(lines[i]), ": ")
		head[name] = value
		if block, ok := strings.CutSuffix(name, "-Lines"); ok {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n >= len(lines)-i {
				break
			}
			blocks[block] = decoded(strings.Join(lines[i+1:i+1+n], "")) // a damaged block will not match
			i += n
		}
	}
	f := ppk{encryption: head["Encryption"], public: blocks["Public"], private: blocks["Private"]}
	for _, v := range []int{2, 3} {
		if kind, ok := head[fmt.Sprintf("PuTTY-User-Key-File-%d", v)]; ok {
			f.version, f.kind = v, kind
		}
	}
	e := Exposed{Format: fmt.Sprintf("PuTTY (PPK %d)", f.version), Key: publicOf(f.public)}
	if f.version == 0 || f.encryption != "none" {
		return e
	}
	if proven := exposedKey(f.key(), e.Format); proven.Proven && proven.Key.Fingerprint == e.Key.Fingerprint {
		return proven
	}
	return e
}

// key combines the two halves of an unencrypted file. It returns nil if they are of different
// kinds.
func (f *ppk) key() any {
	priv, pub := fields{b: f.private}, fields{b: f.public}
	pub.str() // skip the type
	switch {
	case f.kind == ssh.KeyAlgoED25519:
		if seed := priv.str(); len(seed) == ed25519.SeedSize {
			return ed25519.NewKeyFromSeed(seed)
		}
	case f.kind == ssh.KeyAlgoRSA:
		e, n := pub.mpint(), pub.mpint()
		d, p, q := priv.mpint(), priv.mpint(), priv.mpint()
		if priv.bad || pub.bad || !e.IsInt64() {
			return nil
		}
		return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e.Int64())}, D: d, Primes: []*big.Int{p, q}}
	case strings.HasPrefix(f.kind, "ecdsa-sha2-"):
		curve := curveOf(f.public)
		d := priv.mpint()
		if curve == nil || priv.bad || d.BitLen() > curve.Params().BitSize {
			return nil
		}
		k, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, (curve.Params().BitSize+7)/8)))
		if err != nil {
			return nil
		}
		return k
	}
	return nil
}

// curveOf returns the curve of a public key in wire form, or nil.
func curveOf(public []byte) elliptic.Curve {
	key, err := ssh.ParsePublicKey(public)
	if err != nil {
		return nil
	}
	holder, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return nil
	}
	k, ok := holder.CryptoPublicKey().(*ecdsa.PublicKey)
	if !ok {
		return nil
	}
	return k.Curve
}
