package keys

import (
	"archive/zip"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Sizes in bytes of the two parts of a one-time link's secret: the token finds the package, and
// the key opens it.
const (
	tokenSize = 16
	sealSize  = 32
)

// File is one file of a package.
type File struct {
	Name    string `json:"name"`
	Content []byte `json:"content"`
}

// Package is the content of a one-time link, encrypted with a key that only the link contains.
type Package struct {
	Secret string // last part of the link: base64url of token and key
	Token  []byte // SHA-256 of the token, by which the server finds the package
	Sealed []byte // AES-256-GCM under the key, which is used once
}

// Seal encrypts files for a one-time link.
func Seal(files []File) (Package, error) {
	const op = "keys.Seal"
	plain, err := json.Marshal(files)
	if err != nil {
		return Package{}, fault.Wrap(op, fault.Internal, err)
	}
	p, key := newPackage()
	aead, err := sealer(key)
	if err != nil {
		return Package{}, fault.Wrap(op, fault.Internal, err)
	}
	p.Sealed = aead.Seal(nil, nil, plain, nil)
	return p, nil
}

// Empty returns a one-time link without content.
func Empty() Package {
	p, _ := newPackage()
	return p
}

func newPackage() (p Package, key []byte) {
	secret := make([]byte, tokenSize+sealSize)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	token := sha256.Sum256(secret[:tokenSize])
	return Package{Secret: base64.RawURLEncoding.EncodeToString(secret), Token: token[:]}, secret[tokenSize:]
}

func sealer(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// SplitSecret decodes the last part of a link. It returns the hash that finds the package and
// the key that opens it. A malformed secret is NotFound.
func SplitSecret(secret string) (token, key []byte, err error) {
	b, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil || len(b) != tokenSize+sealSize {
		return nil, nil, fault.E("keys.SplitSecret", fault.NotFound, "This link does not work.")
	}
	sum := sha256.Sum256(b[:tokenSize])
	return sum[:], b[tokenSize:], nil
}

// Unseal decrypts a package. A wrong key is NotFound.
func Unseal(sealed, key []byte) (files []File, err error) {
	const op = "keys.Unseal"
	aead, err := sealer(key)
	if err != nil {
		return nil, fault.Wrap(op, fault.Internal, err)
	}
	plain, err := aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, fault.E(op, fault.NotFound, "This link does not work.")
	}
	if err := json.Unmarshal(plain, &files); err != nil {
		return nil, fault.Wrap(op, fault.Internal, err)
	}
	return files, nil
}

// Zip packs files into a ZIP archive.
func Zip(files []File) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.Name)
		if err != nil {
			return nil, fault.Wrap("keys.Zip", fault.Internal, err)
		}
		if _, err := w.Write(f.Content); err != nil {
			return nil, fault.Wrap("keys.Zip", fault.Internal, err)
		}
	}
	err := z.Close() // writes the central directory, without which the archive is incomplete
	return b.Bytes(), fault.Wrap("keys.Zip", fault.Internal, err)
}
