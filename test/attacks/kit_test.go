package attacks

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// start is testkit.Start.
func start(t testing.TB, options ...testkit.Option) *testkit.Node {
	t.Helper()
	return testkit.Start(t, options...)
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
