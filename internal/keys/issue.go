package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"strings"

	"github.com/sethvargo/go-diceware/diceware"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// PassphraseWords is the number of words in the passphrase of an issued key: 90 bits.
const PassphraseWords = 7

// IssuedTypes lists the key types that are offered. Issue also accepts "rsa-3072", which is
// "rsa".
var IssuedTypes = []string{"ed25519", "rsa", "rsa-4096", "ecdsa"}

// Pair is an issued key pair. Its private forms are encrypted.
type Pair struct {
	Public  Public
	OpenSSH []byte // private, for OpenSSH, rclone, curl…
	PPK     []byte // private, for PuTTY, WinSCP, and FileZilla, which cannot read encrypted OpenSSH files
	PubFile []byte // the public half as a .pub file
}

// Issue generates a key pair: "ed25519", "rsa" (3072 bits), "rsa-4096" or "ecdsa" (P-256). ppk
// is the version of the PuTTY file, 3 or 2. An empty passphrase is Invalid.
func Issue(kind, comment, passphrase string, ppk int) (Pair, error) {
	const op = "keys.Issue"
	if ppk != 2 && ppk != 3 {
		return Pair{}, fault.E(op, fault.Invalid, "PuTTY files have version 2 or 3, not %d.", ppk)
	}
	if passphrase == "" {
		return Pair{}, fault.E(op, fault.Invalid, "An issued key needs a passphrase.")
	}
	key, err := generate(kind)
	if err != nil {
		return Pair{}, err
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return Pair{}, fault.Wrap(op, fault.Internal, err)
	}
	p := Pair{}
	if p.Public, err = accept(public, comment, "OpenSSH"); err != nil {
		return Pair{}, err
	}
	comment = p.Public.Comment // cleaned up, since it is one line of each file
	p.PubFile = []byte(strings.TrimSpace(p.Public.Line+" "+comment) + "\n")
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, comment, []byte(passphrase))
	if err != nil {
		return Pair{}, fault.Wrap(op, fault.Internal, err)
	}
	p.OpenSSH = pem.EncodeToMemory(block)
	if p.PPK, err = MarshalPPK(key, comment, passphrase, ppk); err != nil {
		return Pair{}, fault.Wrap(op, fault.Internal, err)
	}
	return p, nil
}

// Files returns the files that a user gets, with the names that guides use. sheet is the text beside them.
func (p Pair) Files(user, sheet string) []File {
	name := valid.FileFor(user)
	return []File{{Name: name, Content: p.OpenSSH}, {Name: name + ".ppk", Content: p.PPK},
		{Name: name + ".pub", Content: p.PubFile}, {Name: name + ".readme.txt", Content: []byte(sheet)}}
}

// PassphraseFiles returns what hands a passphrase over.
func PassphraseFiles(passphrase string) []File {
	return []File{{Name: "passphrase.txt", Content: []byte(passphrase + "\n")}}
}

func generate(kind string) (key crypto.Signer, err error) {
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa", "rsa-3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	default:
		return nil, fault.E("keys.Issue", fault.Invalid, "There is no type %q of key.", valid.Printable(kind)).
			WithHint("choose one of %s", strings.Join(IssuedTypes, ", "))
	}
	return key, fault.Wrap("keys.Issue", fault.Internal, err)
}

// Passphrase returns PassphraseWords random words of the EFF's long list.
func Passphrase() (string, error) {
	words, err := diceware.Generate(PassphraseWords)
	if err != nil {
		return "", fault.Wrap("keys.Passphrase", fault.Internal, err)
	}
	return strings.Join(words, " "), nil
}
