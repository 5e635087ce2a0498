package identity

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// The key of the database's secrets is made once. A damaged one is refused, and not replaced.
func TestTheVaultsKey(t *testing.T) {
	data := t.TempDir()
	first, err := OpenVault(data)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(data, vaultFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	again, err := OpenVault(data)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(first.Seal("secret", "x"), "x"); err != nil || got != "secret" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, text := range []string{"", "nonsense", "c2hvcnQ="} {
		if err := os.WriteFile(filepath.Join(data, vaultFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenVault(data); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
		if b, _ := os.ReadFile(filepath.Join(data, vaultFile)); string(b) != text {
			t.Errorf("%q was replaced by %q", text, b)
		}
	}
}
