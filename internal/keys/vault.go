package keys

import (
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"
)

// VaultKeySize is the key size of a Vault in bytes.
const VaultKeySize = 32

// vaultMark is the prefix of sealed secrets. No plain secret of this server begins with it.
const vaultMark = "sealed:"

// Vault encrypts secrets that are stored in the database, under a key that is not stored there.
type Vault struct{ aead cipher.AEAD }

// NewVault returns a vault. The key must have VaultKeySize bytes.
func NewVault(key []byte) (*Vault, error) {
	if len(key) != VaultKeySize {
		return nil, errors.New("keys: a vault's key has 32 bytes")
	}
	aead, err := sealer(key)
	return &Vault{aead}, err
}

// Seal encrypts a secret with AES-256-GCM and returns it in base64. about is authenticated:
// Open needs the same value. An empty secret stays empty.
func (v *Vault) Seal(secret, about string) string {
	if secret == "" {
		return ""
	}
	return vaultMark + base64.StdEncoding.EncodeToString(v.aead.Seal(nil, nil, []byte(secret), []byte(about)))
}

// Open decrypts a sealed secret. It returns an error if the secret was sealed by another vault
// or for another value of about, or is not sealed. An empty one is "".
func (v *Vault) Open(sealed, about string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	text, ok := strings.CutPrefix(sealed, vaultMark)
	if !ok {
		return "", errors.New("keys: the secret is not sealed")
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", errors.New("keys: the sealed secret is damaged")
	}
	plain, err := v.aead.Open(nil, nil, b, []byte(about))
	if err != nil {
		return "", errors.New("keys: the secret was sealed with another key, or is another's")
	}
	return string(plain), nil
}

// Sealed reports whether a stored secret is sealed, by any vault.
func (v *Vault) Sealed(stored string) bool { return strings.HasPrefix(stored, vaultMark) }
