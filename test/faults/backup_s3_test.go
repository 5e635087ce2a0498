package faults

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// s3Server runs versitygw, an S3 server over a folder, until the test ends. It returns its address and the folder of a
// bucket.
func s3Server(t *testing.T, more ...string) (address, bucket string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	testkit.Must(t, err)
	found, _ := filepath.Glob(filepath.Join(cache, "sallyport-tests", "versitygw-*", "versitygw"))
	if len(found) == 0 {
		t.Fatal("there is no versitygw; scripts/install-test-packages builds it")
	}
	root := t.TempDir()
	bucket = filepath.Join(root, "bucket")
	testkit.Must(t, os.Mkdir(bucket, 0o700))
	address = "127.0.0.1:" + testkit.FreePort(t)
	args := append([]string{"--access", "operator", "--secret", "correct horse", "--port", address}, more...)
	cmd := exec.Command(found[len(found)-1], append(args, "posix", root)...)
	log := &testkit.Log{}
	cmd.Stdout, cmd.Stderr = log, log
	testkit.Must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("versitygw:\n%s", log)
		}
	})
	testkit.Eventually(t, "the S3 server listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return address, bucket
}

// TestABackupInABucket: over TLS with an authority of one's own; it is incremental, encrypted, pruned, proven and
// restored like one in a folder. A wrong key to the bucket and a bucket that is not there are said.
func TestABackupInABucket(t *testing.T) {
	authority := testkit.NewAuthority(t)
	cert, key := authority.Files(t, "127.0.0.1")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	testkit.Must(t, os.WriteFile(ca, authority.PEM, 0o600))
	address, bucket := s3Server(t, "--cert", cert, "--key", key)
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, "storage: {inline: 0}\n")
	user := s.user("acme")
	w := &writers{s: s, key: user, sent: map[string][]byte{}}
	w.upload(t, "f", 30)
	large := make([]byte, 40<<20) // more than two parts
	for i := range large {
		large[i] = byte(i >> 10)
	}
	testkit.Must(t, put(s.mustSFTP("acme", user), "/upload/large", large))
	flags := []string{"--s3-endpoint", "https://" + address, "--s3-ca", ca, "--s3-region", "us-east-1"}
	in := func(key string, args ...string) (string, error) {
		t.Helper()
		t.Setenv("AWS_ACCESS_KEY_ID", "operator")
		t.Setenv("AWS_SECRET_ACCESS_KEY", key)
		return product(t, append(args, flags...)...)
	}
	must := func(want string, args ...string) {
		t.Helper()
		if out, err := in("correct horse", args...); err != nil || !strings.Contains(out, want) {
			t.Fatalf("sallyport %s: %v: %s, want %q", strings.Join(args, " "), err, out, want)
		}
	}
	if out, err := in("wrong", "backup", "s3://bucket/a", "--data", data); err == nil {
		t.Fatalf("with a wrong key: %s", out)
	}
	if out, err := in("correct horse", "backup", "s3://nothing/a", "--data", data); err == nil {
		t.Fatalf("into no bucket: %s", out)
	}
	must("31 of them new", "backup", "s3://bucket/a", "--data", data, "--rate", "0")
	must("0 of them new", "backup", "s3://bucket/a", "--data", data, "--keep", "1")
	must("Stored files:  31", "restore", "s3://bucket/a", "--verify")
	if left, _ := filepath.Glob(filepath.Join(bucket, "a", "snapshots", "*", "manifest")); len(left) != 1 {
		t.Errorf("left are %v", left)
	}
	blobs, _ := filepath.Glob(filepath.Join(bucket, "a", "blobs", "*", "*"))
	was := testkit.MustRead(t, blobs[0])
	was[0] ^= 1
	testkit.Must(t, os.WriteFile(blobs[0], was, 0o600))
	if out, err := in("correct horse", "restore", "s3://bucket/a", "--verify"); err == nil ||
		!strings.Contains(out, "FAULT") {
		t.Errorf("a flipped bit: %v, %s", err, out)
	}
	testkit.Must(t, os.Remove(blobs[0]))
	must("1 of them new", "backup", "s3://bucket/a", "--data", data)
	again := filepath.Join(t.TempDir(), "again")
	must("is restored into", "restore", "s3://bucket/a", "--to", again)
	must("is open", "restore", "--open", "--to", again)
	s.term()
	s = start(t, again, "")
	if got, err := get(s.mustSFTP("acme", user), "/upload/large"); err != nil || string(got) != string(large) {
		t.Errorf("the large file: %d bytes, %v", len(got), err)
	}
	s.term()
}
