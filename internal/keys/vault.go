package keys

import (
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"
)

// VaultKeySize is how many bytes the key of a Vault has.
const VaultKeySize = 32

// vaultMark begins what a vault has sealed. No secret of ours begins like it.
const vaultMark = "sealed:"

// Vault seals secrets that a database keeps, under a key that is not in it.
type Vault struct{ aead cipher.AEAD }

// NewVault makes a vault of a key of VaultKeySize bytes.
func NewVault(key []byte) (*Vault, error) {
	if len(key) != VaultKeySize {
		return nil, errors.New("keys: a vault's key has 32 bytes")
	}
	aead, err := sealer(key)
	return &Vault{aead}, err
}

// Seal is a secret as it may be stored: AES-256-GCM, base64, bound to what it is
// about. Nothing stays nothing.
func (v *Vault) Seal(secret, about string) string {
	if secret == "" {
		return ""
	}
	return vaultMark + base64.StdEncoding.EncodeToString(v.aead.Seal(nil, nil, []byte(secret), []byte(about)))
}

// Open is the secret that was sealed. It fails for another vault's, for one that
// is about something else, and for what is not sealed.
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

// Sealed reports whether a stored secret was sealed, by whatever vault.
func (v *Vault) Sealed(stored string) bool { return strings.HasPrefix(stored, vaultMark) }
