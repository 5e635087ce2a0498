package acme

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/acme/autocert"
)

// TestWhatIsKept: certificates and the account's key are files that only the server reads. A name that a client made up
// reaches no other file.
func TestWhatIsKept(t *testing.T) {
	ctx, top := context.Background(), t.TempDir()
	folder, err := folderOf(filepath.Join(top, "acme"), "https://ca.example.com:14000/a/../dir?x=y")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info, err)
	}
	secret := filepath.Join(top, "acme", "secret.pem")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cache{folder: folder, log: slog.New(slog.DiscardHandler)}
	keep := []string{"files.example.com", "xn--mnchen-3ya.example", "acme_account+key", "files.example.com+rsa", "a.new"}
	for _, key := range keep {
		for _, text := range []string{"one", "two"} {
			if err := c.Put(ctx, key, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := c.Get(ctx, key); err != nil || string(text) != "two" {
			t.Errorf("%s: %q, %v", key, text, err)
		}
	}
	for _, key := range []string{"", ".", "..", "../secret", "..+key", "/etc/passwd", "a/b", `a\b`, "a\x00b", "a b", "é",
		"files.example.com+token", "challenge+http-01", "../secret.pem+http-01"} {
		if err := c.Put(ctx, key, []byte("x")); err != nil {
			t.Errorf("putting %q: %v", key, err)
		}
		if text, err := c.Get(ctx, key); !errors.Is(err, autocert.ErrCacheMiss) {
			t.Errorf("%q has %q, %v", key, text, err)
		}
		if err := c.Delete(ctx, key); err != nil {
			t.Errorf("deleting %q: %v", key, err)
		}
	}
	var names []string
	files, err := os.ReadDir(folder)
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".pem"))
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	slices.Sort(keep)
	slices.Sort(names)
	if err != nil || !slices.Equal(names, keep) {
		t.Errorf("kept are %q, %v", names, err)
	}
	for range 2 {
		if err := c.Delete(ctx, keep[0]); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Get(ctx, keep[0]); !errors.Is(err, autocert.ErrCacheMiss) {
		t.Errorf("what was deleted: %v", err)
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "secret" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestEachAuthorityHasAFolder: a certificate of a test authority is not served once the directory is another.
func TestEachAuthorityHasAFolder(t *testing.T) {
	top, seen := t.TempDir(), map[string]bool{}
	for _, directory := range []string{"https://acme-v02.api.letsencrypt.org/directory",
		"https://acme-staging-v02.api.letsencrypt.org/directory", "https://ca.example.com/a", "https://ca.example.com/b",
		"https://../..", "https://[2001:db8::1]:443/"} {
		folder, err := folderOf(top, directory)
		if err != nil || filepath.Dir(folder) != top || seen[folder] {
			t.Errorf("%s: %s, %v", directory, folder, err)
		}
		seen[folder] = true
	}
}
