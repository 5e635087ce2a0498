package attacks

import (
	"crypto/rand"
	"crypto/rsa"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// made are the host keys that the first node made, by file name. The nodes
// after it get the same ones, since an RSA pair takes a second to find.
var made struct {
	sync.Mutex
	files map[string][]byte
}

// start is testkit.Start with host keys that exist already.
func start(t testing.TB, options ...testkit.Option) *testkit.Node {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	n := testkit.Start(t, append(options, func(c *config.Config) {
		dir := filepath.Join(c.Data, "hostkeys")
		for name, text := range made.files {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})...)
	if made.files == nil {
		made.files = map[string][]byte{}
		found, _ := filepath.Glob(filepath.Join(n.Data, "hostkeys", "*"))
		for _, path := range found {
			made.files[filepath.Base(path)] = testkit.MustRead(t, path)
		}
	}
	return n
}

// rsaKey makes an RSA key of the smallest size that is taken.
func rsaKey(t testing.TB) ssh.Signer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
