package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
)

// A file with the victim's public half and the forger's private half proves nothing about the
// victim, in any format. The same file with both halves of one person checks that the forgery
// is well formed.
func TestForgedFilesProveNothing(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		victim, forger := known(t, kind, "victim"), known(t, kind, "forger")
		for format, forge := range forgeries(kind) {
			honest := keys.Examine(forge(t, forger, forger))
			if len(honest) != 1 || !honest[0].Proven || honest[0].Key.Fingerprint != fingerprint(t, forger.Public()) {
				t.Errorf("%s, %s: the forger's own file: %+v", kind, format, honest)
			}
			file := forge(t, victim, forger)
			if !keys.LooksPrivate(file) {
				t.Errorf("%s, %s: the forged file does not look private", kind, format)
			}
			notProven(t, kind+", "+format, file)
		}
	}
}

// notProven fails if anything is proven for the victim.
func notProven(t testing.TB, how string, file []byte) {
	t.Helper()
	found := keys.Examine(file)
	checkPrintable(t, found)
	for _, e := range found {
		for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
			if e.Proven && e.Key.Fingerprint == fingerprint(t, known(t, kind, "victim").Public()) {
				t.Errorf("%s: proven for the victim: %+v\n%q", how, e, file)
			}
		}
	}
}

// RSA numbers that form a key without knowledge of the primes.
func TestRSAWithoutPrimesProvesNothing(t *testing.T) {
	victim, forger := known(t, "rsa", "victim").(*rsa.PrivateKey), known(t, "rsa", "forger").(*rsa.PrivateKey)
	one, n := big.NewInt(1), victim.N
	for how, k := range map[string]rsaNumbers{
		"the modulus is a prime": {N: n, E: 65537, D: one, P: n, Q: one},
		"one is a prime":         {N: n, E: 65537, D: one, P: one, Q: n},
		"no primes":              {N: n, E: 65537, D: one, P: new(big.Int), Q: new(big.Int)},
		"no numbers":             {N: n, E: 65537, D: new(big.Int), P: new(big.Int), Q: new(big.Int)},
		"negative numbers":       {N: n, E: 65537, D: big.NewInt(-1), P: new(big.Int).Neg(n), Q: big.NewInt(-1)},
		"the forger's primes":    {N: n, E: 65537, D: forger.D, P: forger.Primes[0], Q: forger.Primes[1]},
		"exponents of one":       {N: n, E: 1, D: one, P: n, Q: one},
		"a huge exponent":        {N: n, E: 1<<62 + 1, D: n, P: n, Q: n},
		"an even modulus":        {N: new(big.Int).Add(n, one), E: 65537, D: one, P: n, Q: big.NewInt(2)},
		"three primes": {Version: 1, N: n, E: 65537, D: forger.D, P: forger.Primes[0], Q: forger.Primes[1],
			More: []morePrime{{Prime: n, Exp: one, Coeff: one}}},
		"the victim's exponent of none": {N: n, E: 65537, D: new(big.Int).Sub(n, one), P: n, Q: n},
	} {
		k.Dp, k.Dq, k.Qinv = one, one, one
		der, err := asn1.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		priv := new(rsa.PrivateKey)
		priv.PublicKey, priv.D, priv.Primes = rsa.PublicKey{N: n, E: k.E}, k.D, []*big.Int{k.P, k.Q}
		for format, file := range map[string][]byte{"PKCS#1": armour("RSA PRIVATE KEY", der), "DER": der,
			"PKCS#8": armour("PRIVATE KEY", pkcs8(t, der, "1.2.840.113549.1.1.1")),
			"PPK 2":  ppkFile(2, blobOf(t, victim), privateNumbers(priv)),
			"PPK 3":  ppkFile(3, blobOf(t, victim), privateNumbers(priv)), "ssh.com": sshcomFile(victim, priv),
			"OpenSSH": opensshFile(blobOf(t, victim), opensshRSA(victim, priv))} {
			notProven(t, how+", "+format, file)
		}
	}
}

// Regression test: absurdly large numbers made Examine take minutes. It must check their size
// before it computes.
func TestAbsurdNumbersTakeNoTime(t *testing.T) {
	victim := known(t, "rsa", "victim").(*rsa.PrivateKey)
	p, q := victim.Primes[0], victim.Primes[1]
	large := new(big.Int).Lsh(big.NewInt(1), 100_000)
	large.Sub(large, big.NewInt(1))
	for how, k := range map[string]rsaNumbers{
		"a prime":              {N: victim.N, D: victim.D, P: large, Q: q},
		"both primes":          {N: victim.N, D: victim.D, P: large, Q: new(big.Int).Sub(large, big.NewInt(2))},
		"the private exponent": {N: victim.N, D: large, P: p, Q: q},
		"the modulus":          {N: large, D: victim.D, P: large, Q: big.NewInt(1)},
		"the modulus, even":    {N: new(big.Int).Lsh(large, 1), D: large, P: big.NewInt(2), Q: large},
	} {
		k.E, k.Dp, k.Dq, k.Qinv = 65537, big.NewInt(1), big.NewInt(1), big.NewInt(1)
		priv := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: k.N, E: k.E}, D: k.D, Primes: []*big.Int{k.P, k.Q}}
		blob := wire("ssh-rsa", "\x01\x00\x01", mpint(k.N))
		der := marshal(t, k)
		for format, file := range map[string][]byte{"DER": der, "PKCS#1": armour("RSA PRIVATE KEY", der),
			"PKCS#8": armour("PRIVATE KEY", pkcs8(t, der, "1.2.840.113549.1.1.1")),
			"PPK":    ppkFile(3, blob, privateNumbers(priv)), "ssh.com": sshcomFile(priv, priv),
			"OpenSSH": opensshFile(blob, opensshRSA(priv, priv))} {
			began := time.Now()
			if _, err := keys.Read(file); fault.PublicText(err) != keys.PrivateKeyAdvice {
				t.Errorf("%s, %s: %v", how, format, err)
			}
			notProven(t, how+", "+format, file)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s, %s took %v", how, format, took)
			}
		}
	}
}

// Encrypted files, files that claim to be encrypted, and composed files.
func TestEncryptedFilesProveNothing(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		victim, forger := known(t, kind, "victim"), known(t, kind, "forger")
		want := fingerprint(t, victim.Public())
		locked, err := ssh.MarshalPrivateKeyWithPassphrase(forger, "c", []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string][]byte{"OpenSSH": pem.EncodeToMemory(
			&pem.Block{Type: locked.Type,
				Bytes: []byte(strings.Replace(string(locked.Bytes), string(blobOf(t, forger)), string(blobOf(t, victim)), 1))})}
		for _, v := range []int{2, 3} {
			ppk, err := keys.MarshalPPK(forger, "c", "secret", v)
			if err != nil {
				t.Fatal(err)
			}
			claim := strings.Replace(string(ppk), ppkLines("Public", blobOf(t, forger)), ppkLines("Public", blobOf(t, victim)),
				1)
			claims[fmt.Sprintf("PPK %d", v)] = []byte(claim)
			for how, file := range map[string]string{"called plain": strings.Replace(claim, "Encryption: aes256-cbc",
				"Encryption: none", 1), "an unknown cipher": strings.Replace(claim, "aes256-cbc", "rot13", 1),
				"the forger's plain file behind it": claim + string(ppkFile(v, blobOf(t, forger), privateNumbers(forger))),
				"two public halves": strings.Replace(string(ppkFile(v, blobOf(t, forger), privateNumbers(forger))),
					"Private-Lines", ppkLines("Public", blobOf(t, victim))+"Private-Lines", 1),
				"two versions": "PuTTY-User-Key-File-2: " + strings.Fields(line(t, victim.Public()))[0] + "\n" +
					string(ppkFile(3, blobOf(t, victim), privateNumbers(forger)))} {
				notProven(t, fmt.Sprintf("%s, PPK %d, %s", kind, v, how), []byte(file))
			}
		}
		for format, file := range claims { // the claim is reported, but not as proven
			if found := keys.Examine(file); len(found) != 1 || found[0].Proven || found[0].Key.Fingerprint != want {
				t.Errorf("%s, %s: %+v", kind, format, found)
			}
		}
	}
}

// known returns a key that is the same in every run, as fuzzing needs.
func known(t testing.TB, kind, name string) crypto.Signer {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	switch kind {
	case "ed25519":
		return ed25519.NewKeyFromSeed(seed[:])
	case "ecdsa":
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: big.NewInt(1), E: 65537}}
	phi := big.NewInt(1)
	for _, text := range rsaPrimes[name] {
		p, _ := new(big.Int).SetString(text, 36)
		k.Primes = append(k.Primes, p)
		k.N.Mul(k.N, p)
		phi.Mul(phi, new(big.Int).Sub(p, big.NewInt(1)))
	}
	k.D = new(big.Int).ModInverse(big.NewInt(65537), phi)
	if err := k.Validate(); err != nil {
		t.Fatal(err)
	}
	k.Precompute()
	return k
}

// forgeries returns files in each format with one person's public half and another's private
// half.
func forgeries(kind string) map[string]func(t testing.TB, public, private crypto.Signer) []byte {
	forms := map[string]func(testing.TB, crypto.Signer, crypto.Signer) []byte{
		"PPK 2": func(t testing.TB, a, b crypto.Signer) []byte { return ppkFile(2, blobOf(t, a), privateNumbers(b)) },
		"PPK 3": func(t testing.TB, a, b crypto.Signer) []byte { return ppkFile(3, blobOf(t, a), privateNumbers(b)) },
		"OpenSSH": func(t testing.TB, a, b crypto.Signer) []byte {
			return opensshFile(blobOf(t, a), opensshPrivate(t, a, b))
		},
		"OpenSSH, outside alone": func(t testing.TB, a, b crypto.Signer) []byte {
			return opensshFile(blobOf(t, a), opensshPrivate(t, b, b))
		},
		"OpenSSH, inside alone": func(t testing.TB, a, b crypto.Signer) []byte {
			return opensshFile(blobOf(t, b), opensshPrivate(t, a, b))
		},
	}
	switch kind {
	case "ecdsa":
		maps.Copy(forms, map[string]func(testing.TB, crypto.Signer, crypto.Signer) []byte{
			"SEC1": func(t testing.TB, a, b crypto.Signer) []byte { return armour("EC PRIVATE KEY", sec1(t, a, b, true)) },
			"PKCS#8": func(t testing.TB, a, b crypto.Signer) []byte {
				return armour("PRIVATE KEY", pkcs8(t, sec1(t, a, b, false), "1.2.840.10045.2.1"))
			},
			"DER": func(t testing.TB, a, b crypto.Signer) []byte { return sec1(t, a, b, true) },
		})
	case "rsa":
		maps.Copy(forms, map[string]func(testing.TB, crypto.Signer, crypto.Signer) []byte{
			"PKCS#1": func(t testing.TB, a, b crypto.Signer) []byte { return armour("RSA PRIVATE KEY", pkcs1(t, a, b)) },
			"PKCS#8": func(t testing.TB, a, b crypto.Signer) []byte {
				return armour("PRIVATE KEY", pkcs8(t, pkcs1(t, a, b), "1.2.840.113549.1.1.1"))
			},
			"base64": func(t testing.TB, a, b crypto.Signer) []byte {
				return []byte(base64.StdEncoding.EncodeToString(pkcs1(t, a, b)))
			},
			"ssh.com": func(_ testing.TB, a, b crypto.Signer) []byte {
				return sshcomFile(a.(*rsa.PrivateKey), b.(*rsa.PrivateKey))
			},
		})
	case "ed25519":
		forms["PKCS#8"] = func(t testing.TB, _, b crypto.Signer) []byte {
			der, err := x509.MarshalPKCS8PrivateKey(b)
			if err != nil {
				t.Fatal(err)
			}
			return armour("PRIVATE KEY", der)
		}
	}
	return forms
}
