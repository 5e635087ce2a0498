package node

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
)

// SigningDir is where the key lies that signs receipts, removal reports and
// the audit log's checkpoints; its public half is key.pub.
func SigningDir(data string) string { return filepath.Join(data, "signing") }

// signingKey reads the deployment's signing key. A data folder that never had
// one gets it, once; from then on it is only read.
func signingKey(data, host string) (*proof.Key, error) {
	const op = "node.signingKey"
	dir := SigningDir(data)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := makeSigningKey(dir, host); err != nil {
			return nil, exchange.Wrap(op, exchange.Invalid, err)
		}
	}
	private, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return nil, exchange.E(op, exchange.Invalid, "There is no signing key in %s.", dir).WithHint("restore it from the backup: receipts are verified with its public half")
	}
	public, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		return nil, exchange.E(op, exchange.Invalid, "There is no public half of the signing key in %s.", dir).WithHint("restore key.pub from the backup")
	}
	return proof.ReadKey(string(private), string(public))
}

// makeSigningKey writes both halves into a folder that appears whole or not at all.
func makeSigningKey(dir, host string) error {
	name := strings.Map(func(r rune) rune {
		if r == ' ' || r == '+' {
			return '-'
		}
		return r
	}, exchange.Printable(host))
	if name == "" {
		name = "sallyport"
	}
	private, public, err := proof.NewKey(rand.Reader, name)
	if err != nil {
		return err
	}
	tmp := dir + ".new"
	if err := errors.Join(os.RemoveAll(tmp), os.Mkdir(tmp, 0o700)); err != nil {
		return err
	}
	if err := errors.Join(writeSynced(filepath.Join(tmp, "key"), private+"\n", 0o600), writeSynced(filepath.Join(tmp, "key.pub"), public+"\n", 0o644)); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

func writeSynced(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}
