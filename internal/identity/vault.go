package identity

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
)

// vaultFile is what the database's secrets are sealed under: base64 of 32 bytes.
const vaultFile = "secrets.key"

// OpenVault reads the key of the database's secrets, and makes one if there is
// none. Secrets that were sealed under one that is lost are reported, and can be
// made anew: the server need not wait for that.
func OpenVault(data string) (*keys.Vault, error) {
	path := filepath.Join(data, vaultFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeVaultKey(path)
	}
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keys.VaultKeySize {
		return nil, fault.E("identity.OpenVault", fault.Invalid, "%s is damaged.", path).
			WithHint("restore it from the backup; if it is lost, remove it: the secrets of webhooks must be made anew then")
	}
	return keys.NewVault(key)
}

// makeVaultKey writes a new key.
func makeVaultKey(path string) ([]byte, error) {
	key := make([]byte, keys.VaultKeySize)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	text := base64.StdEncoding.EncodeToString(key) + "\n"
	if err := datadir.Replace(path, []byte(text), 0o600); err != nil {
		return nil, fault.Wrap("identity.makeVaultKey", fault.Internal, err)
	}
	return []byte(text), nil
}
