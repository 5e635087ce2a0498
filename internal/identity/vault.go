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

// vaultFile has the key that encrypts the database's secrets: 32 bytes in base64.
const vaultFile = "secrets.key"

// OpenVault reads the key of the database's secrets, or makes one if there is none. The server can
// start without the old key: secrets encrypted with it are reported, and can be replaced.
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
