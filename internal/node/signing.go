package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// SigningDir is where the key lies that signs receipts, removal reports and
// the audit log's checkpoints; its public half is key.pub.
func SigningDir(data string) string { return filepath.Join(data, "signing") }

// signingSetting is where the database keeps the public half of the key that its
// receipts, reports and checkpoints are signed with.
const signingSetting = "signing.key"

// openSigningKey reads the signing key, and makes sure that it is the one that the
// database knows: a data folder that lost its key, or has another deployment's,
// must not go on under a new one in silence. because is why an operator begins a
// new key all the same; "" for everybody else.
func (n *Node) openSigningKey(ctx context.Context, because string) (*proof.Key, error) {
	const op = "node.signingKey"
	q := n.store.Read(ctx)
	known, err := q.Setting(signingSetting)
	if err != nil {
		return nil, err
	}
	_, err = q.LastCheckpoint()
	if err != nil && !exchange.Is(err, exchange.NotFound) {
		return nil, err
	}
	signed := known != "" || err == nil
	dir := SigningDir(n.cfg.Data)
	const hint = "restore signing/ from the backup; if it is lost for good, begin a new key: sallyport serve --new-signing-key REASON"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && signed && because == "" {
		return nil, exchange.E(op, exchange.Conflict, "The signing key is missing from %s, and the database has receipts and checkpoints that it signed.", dir).WithHint(hint)
	}
	key, err := signingKey(n.cfg.Data, n.cfg.Endpoint.Host)
	if err != nil || key.Public() == known && because == "" {
		return key, err
	}
	switch {
	case key.Public() == known:
		return nil, exchange.E(op, exchange.Conflict, "The signing key is there, and the database knows it.").WithHint("start without --new-signing-key")
	case known != "" && because == "":
		return nil, exchange.E(op, exchange.Conflict, "The signing key in %s is not the one that the database knows (%s).", dir, known).WithHint(hint)
	case because != "":
		if err := exchange.CheckLabel("reason", because); err != nil {
			return nil, err
		}
		n.log.Warn("a new signing key begins; keep the public half of the one before", "key", key.Public(), "before", known, "reason", because)
	}
	return key, n.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetSetting(signingSetting, key.Public()); err != nil || because == "" {
			return err
		}
		return tx.Audit(exchange.AuditRow{ID: n.ids.New(), At: n.clock(), Actor: "system:node", Action: "signing.key", Subject: key.Name(),
			Detail: map[string]string{"key": key.Public(), "before": known, "reason": because}})
	})
}

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
