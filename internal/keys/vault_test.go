package keys_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/keys"
)

// A sealed secret opens only with a vault of the same key, and only for the same value of
// about.
func TestVault(t *testing.T) {
	vault := func(fill string) *keys.Vault {
		t.Helper()
		v, err := keys.NewVault([]byte(strings.Repeat(fill, keys.VaultKeySize)))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v, other := vault("a"), vault("b")
	for _, secret := range []string{"whsec_MTIz", "x", "sealed:", strings.Repeat("long", 1000), "\x00\xff"} {
		sealed := v.Seal(secret, "billing")
		if sealed == v.Seal(secret, "billing") || strings.Contains(sealed, secret) && len(secret) > 1 &&
			secret != "sealed:" || !v.Sealed(sealed) {
			t.Errorf("%.20q is sealed as %.60q", secret, sealed)
		}
		if got, err := v.Open(sealed, "billing"); err != nil || got != secret {
			t.Errorf("%.20q opens as %.20q, %v", secret, got, err)
		}
		flipped := []byte(sealed)
		flipped[len(flipped)-5] ^= 1
		for how, open := range map[string]func() (string, error){
			"another vault":    func() (string, error) { return other.Open(sealed, "billing") },
			"another's":        func() (string, error) { return v.Open(sealed, "erp") },
			"damaged":          func() (string, error) { return v.Open(string(flipped), "billing") },
			"cut short":        func() (string, error) { return v.Open(sealed[:len(sealed)/2], "billing") },
			"nothing but mark": func() (string, error) { return v.Open("sealed:", "billing") },
			"never sealed":     func() (string, error) { return v.Open("whsec_MTIz", "billing") },
		} {
			if got, err := open(); err == nil || got != "" || strings.Contains(err.Error(), secret) && len(secret) > 1 &&
				secret != "sealed:" {
				t.Errorf("%s: %q, %v", how, got, err)
			}
		}
	}
	if got, err := v.Open(v.Seal("", "billing"), "billing"); got != "" || err != nil {
		t.Errorf("nothing is %q, %v", got, err)
	}
	if _, err := keys.NewVault([]byte("short")); err == nil {
		t.Error("a short key was taken")
	}
}
