package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// These functions write private key files whose halves need not match. They follow the format
// descriptions and do not use the code under test.

func blobOf(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	p, err := ssh.NewPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return p.Marshal()
}

func armour(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// mpint encodes a number as SSH does.
func mpint(n *big.Int) string {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return string(b)
}

// privateNumbers encodes the private half of a PuTTY file.
func privateNumbers(k crypto.Signer) []byte {
	switch k := k.(type) {
	case ed25519.PrivateKey:
		return wire(string(k.Seed()))
	case *ecdsa.PrivateKey:
		d, _ := k.Bytes()
		return wire(mpint(new(big.Int).SetBytes(d)))
	}
	r := k.(*rsa.PrivateKey)
	return wire(mpint(r.D), mpint(r.Primes[0]), mpint(r.Primes[1]), mpint(coefficient(r)))
}

// coefficient returns q⁻¹ mod p, or 1 if there is none.
func coefficient(k *rsa.PrivateKey) *big.Int {
	if k.Primes[0].Sign() > 0 {
		if c := new(big.Int).ModInverse(k.Primes[1], k.Primes[0]); c != nil {
			return c
		}
	}
	return big.NewInt(1)
}

func ppkLines(name string, blob []byte) string {
	text := folded(base64.StdEncoding.EncodeToString(blob), 64)
	return fmt.Sprintf("%s-Lines: %d\n%s", name, strings.Count(text, "\n"), text)
}

// ppkFile returns an unencrypted PuTTY file with a valid MAC.
func ppkFile(version int, public, private []byte) []byte {
	kind := string(public[4 : 4+binary.BigEndian.Uint32(public)])
	key := sha1.Sum([]byte("putty-private-key-file-mac-key"))
	mac := hmac.New(sha1.New, key[:])
	if version == 3 {
		mac = hmac.New(sha256.New, nil)
	}
	mac.Write(wire(kind, "none", "c", string(public), string(private)))
	return fmt.Appendf(nil, "PuTTY-User-Key-File-%d: %s\nEncryption: none\nComment: c\n%s%sPrivate-MAC: %x\n", version,
		kind, ppkLines("Public", public), ppkLines("Private", private), mac.Sum(nil))
}

// opensshFile returns an unencrypted OpenSSH file (PROTOCOL.key).
func opensshFile(public, private []byte) []byte {
	b := append([]byte("openssh-key-v1\x00"), wire("none", "none", "")...)
	b = binary.BigEndian.AppendUint32(b, 1)
	for i := byte(1); len(private)%8 != 0; i++ {
		private = append(private, i)
	}
	return armour("OPENSSH PRIVATE KEY", append(b, wire(string(public), string(private))...))
}

func opensshPrivate(t testing.TB, public, private crypto.Signer) []byte {
	t.Helper()
	const check = "\x01\x02\x03\x04\x01\x02\x03\x04"
	switch k := private.(type) {
	case ed25519.PrivateKey:
		p := string(public.Public().(ed25519.PublicKey))
		return append([]byte(check), wire("ssh-ed25519", p, string(k.Seed())+p, "c")...)
	case *ecdsa.PrivateKey:
		fields := wireFields(t, "x "+base64.StdEncoding.EncodeToString(blobOf(t, public)))
		return append([]byte(check), wire(string(fields[0]), string(fields[1]), string(fields[2]),
			string(privateNumbers(k)[4:]), "c")...)
	}
	return opensshRSA(public.(*rsa.PrivateKey), private.(*rsa.PrivateKey))
}

func opensshRSA(public, k *rsa.PrivateKey) []byte {
	return append([]byte("\x01\x02\x03\x04\x01\x02\x03\x04"),
		wire("ssh-rsa", mpint(public.N), mpint(big.NewInt(int64(public.E))), mpint(k.D), mpint(coefficient(k)),
			mpint(k.Primes[0]), mpint(k.Primes[1]), "c")...)
}

// rsaNumbers is PKCS#1 (RFC 8017 §A.1.2).
type rsaNumbers struct {
	Version      int
	N            *big.Int
	E            int
	D, P, Q      *big.Int
	Dp, Dq, Qinv *big.Int
	More         []morePrime `asn1:"optional,omitempty"`
}

type morePrime struct{ Prime, Exp, Coeff *big.Int }

func pkcs1(t testing.TB, public, private crypto.Signer) []byte {
	t.Helper()
	a, b := public.(*rsa.PrivateKey), private.(*rsa.PrivateKey)
	rest := func(p *big.Int) *big.Int { return new(big.Int).Mod(b.D, new(big.Int).Sub(p, big.NewInt(1))) }
	return marshal(t, rsaNumbers{N: a.N, E: a.E, D: b.D, P: b.Primes[0], Q: b.Primes[1], Dp: rest(b.Primes[0]),
		Dq: rest(b.Primes[1]), Qinv: coefficient(b)})
}

// sec1 encodes RFC 5915's structure, with the curve, or without it as in PKCS#8.
func sec1(t testing.TB, public, private crypto.Signer, curve bool) []byte {
	t.Helper()
	d, _ := private.(*ecdsa.PrivateKey).Bytes()
	point, _ := public.(*ecdsa.PrivateKey).PublicKey.Bytes()
	k := struct {
		Version int
		D       []byte
		Curve   asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
		Point   asn1.BitString        `asn1:"optional,explicit,tag:1"`
	}{Version: 1, D: d, Point: asn1.BitString{Bytes: point, BitLength: 8 * len(point)}}
	if curve {
		k.Curve = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	}
	return marshal(t, k)
}

// pkcs8 wraps an RSA or a P-256 structure.
func pkcs8(t testing.TB, der []byte, oid string) []byte {
	t.Helper()
	var id asn1.ObjectIdentifier
	for n := range strings.SplitSeq(oid, ".") {
		i, _ := strconv.Atoi(n)
		id = append(id, i)
	}
	param := asn1.NullRawValue
	if oid == "1.2.840.10045.2.1" {
		param = asn1.RawValue{FullBytes: marshal(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})}
	}
	return marshal(t, struct {
		Version   int
		Algorithm struct {
			ID    asn1.ObjectIdentifier
			Param asn1.RawValue
		}
		Key []byte
	}{0, struct {
		ID    asn1.ObjectIdentifier
		Param asn1.RawValue
	}{id, param}, der})
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// sshcomFile returns an unencrypted ssh.com file, after PuTTY's import.c.
func sshcomFile(public, k *rsa.PrivateKey) []byte {
	var n []byte
	for _, i := range []*big.Int{big.NewInt(int64(public.E)), k.D, public.N, coefficient(k), k.Primes[1], k.Primes[0]} {
		n = append(binary.BigEndian.AppendUint32(n, uint32(i.BitLen())), i.Bytes()...)
	}
	body := wire("if-modn{sign{rsa-pkcs1-sha1},encrypt{rsa-pkcs1v2-oaep}}", "none", string(wire(string(n))))
	b := binary.BigEndian.AppendUint32([]byte{0x3f, 0x6f, 0xf9, 0xeb}, uint32(8+len(body)))
	return []byte("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"c\"\n" +
		folded(base64.StdEncoding.EncodeToString(append(b, body...)), 70) + "---- END SSH2 ENCRYPTED PRIVATE KEY ----\n")
}

// rsaPrimes are the primes of two test keys, in base 36.
var rsaPrimes = map[string][2]string{
	"victim": {
		"zq3ujodqtr4vo6wyrzjiz4nc4nm6qab21g3yra2zdch9acd6xprs1sbnz4t8lisrhvx34d2r89jn1ax5lyf4f79698isuqf3tsit" +
			"kneamgujws1lw26dgsgs0ynzy2ovgk3lsiojb3cm2sr23bimaz7libaen6gb23sfaz9rayva3qi9eea4hoordxje0cq3lzruth",
		"108xkfoa1uebtcrlic2n84yzvtgxkb6owmkxd1xfec3c3nalkdekibwwxby8eqe2gdvbevbv5h49ue9e1vp16v6lqdkchirpp6nh" +
			"x2urzc5amtrsfjgwnytx4dt35ce22zahx6v9zil96ua9enfa0yet4r3zf7o0zq8b59hrnbsg8df8s55087ixy5u06p5fn1jav6h",
	},
	"forger": {
		"10fsqcdfaon2uegobmgtb3ua6r8yxcentck2y91xjbyrzfba3ibi1yo4deilcui01hmr0hvcw37qjrzl2b13tocrhsuc38t3posg" +
			"0iitkngierkxju6zjitc9lr6w3oa94pdupydm994bjkss7th6m4p16zjgrofoae91zff178ku77jchfqsbfyq7x38zsbttrh8pt",
		"1378yothoyno4j61bimjnpgxy9uergocxwyrs6b3omot6im15skq09riugsn1bj0k05e9ywboccd3np39gp83un21k8o36fzs63j" +
			"himm8ct1d13yr739m1orapxa3ycerdlnbgrawn7d0btw15rmtjwpedibp3vs2ehh8q3mx93ukmlmhniptmsfecewz3m9rcfp30h",
	},
}
