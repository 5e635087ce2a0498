package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// SigningDir is where the key lies that signs receipts, removal reports and
// the audit log's checkpoints; its public half is key.pub, in the first line,
// with those of earlier keys below it.
func SigningDir(data string) string { return filepath.Join(data, "signing") }

// signingSetting remembers, in the database, which key signs.
const signingSetting = "signing.key"

// signingKey reads the deployment's signing key. A database that knows of none
// gets one, once; from then on it is only read, and must be the one that the
// database knows: with another, nobody could verify what was signed before, and
// nobody would notice. Options.NewSigningKey begins a new one all the same.
func (n *Node) signingKey(ctx context.Context) (*proof.Key, error) {
	const op = "node.signingKey"
	dir, q := SigningDir(n.cfg.Data), n.store.Read(ctx)
	known, err := q.Setting(signingSetting)
	if err != nil {
		return nil, err
	}
	newest, err := q.LastCheckpoint() // from before the database knew the key
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if known != "" {
		newest.Note = ""
	}
	there, err := exists(dir)
	if err != nil {
		return nil, err
	}
	if !there && (known != "" || newest.Note != "") && n.o.NewSigningKey == "" {
		return nil, fault.E(op, fault.Conflict,
			"The signing key is missing: there is no %s, but the database knows a key (%s).", dir, knownAs(known, newest.Note)).
			WithHint("restore signing/ from the backup; if it is lost for good, begin a new key: sallyport serve " +
				"--new-signing-key REASON")
	}
	if !there {
		if err := makeSigningKey(dir, n.cfg.Endpoint.Host); err != nil {
			return nil, fault.Wrap(op, fault.Invalid, err)
		}
	}
	key, err := readSigningKey(dir)
	if err != nil {
		return nil, err
	}
	same := known == "" && newest.Note == "" || known != "" && firstLine(known) == key.Public()
	if newest.Note != "" {
		_, err := proof.OpenCheckpoint(newest.Note, key.Known())
		same = err == nil
	}
	switch reason := n.o.NewSigningKey; {
	case same && there && reason != "":
		return nil, fault.E(op, fault.Conflict, "The signing key is there, and the database knows it.").
			WithHint("start without --new-signing-key")
	case same && known != "":
		return key, nil
	case same:
		return key, n.store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(signingSetting, key.Known()) })
	case reason == "":
		return nil, fault.E(op, fault.Conflict, "The signing key in %s is not the one that the database knows (%s).", dir,
			knownAs(known, newest.Note)).
			WithHint("restore signing/ from the backup; if the right one is lost for good, go on with this one: sallyport " +
				"serve --new-signing-key REASON")
	}
	return n.replaceSigningKey(ctx, key, known, newest.Note)
}

// replaceSigningKey goes on with another key. The public halves of earlier ones
// stay beside it, so that what they signed can still be verified.
func (n *Node) replaceSigningKey(ctx context.Context, key *proof.Key, known, note string) (*proof.Key, error) {
	dir := SigningDir(n.cfg.Data)
	public := strings.TrimSpace(key.Public() + "\n" + known)
	if err := replaceSynced(filepath.Join(dir, "key.pub"), public+"\n", 0o644); err != nil {
		return nil, err
	}
	err := n.recordReplaced(ctx, "signing.key", signingSetting, public,
		map[string]string{"reason": n.o.NewSigningKey, "before": knownAs(known, note), "key": key.Public()})
	if err != nil {
		return nil, err
	}
	n.log.Warn("a new signing key was begun; publish its public half", "key", key.Public(), "before", knownAs(known, note),
		"reason", n.o.NewSigningKey)
	return readSigningKey(dir)
}

// recordReplaced remembers what the deployment is known by from now on, with the
// audit row that says so.
func (n *Node) recordReplaced(ctx context.Context, action, setting, value string, detail map[string]string) error {
	return n.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetSetting(setting, value); err != nil {
			return err
		}
		return tx.Audit(model.AuditRow{ID: n.ids.New(), At: n.clock().UTC(), Actor: "system:node", Action: action,
			Subject: n.name, Detail: detail})
	})
}

// knownAs is how a key is named that the database knows: by its public half, or
// by who signed a checkpoint.
func knownAs(known, note string) string {
	if known != "" {
		return firstLine(known)
	}
	return proof.SignedBy(note)
}

// logHead keeps the newest checkpoint of the audit log beside the signing key.
type logHead struct{ path string }

func headOf(data string) logHead { return logHead{filepath.Join(SigningDir(data), "log")} }

// Load reads it; "" before the first.
func (h logHead) Load() (string, error) {
	b, err := os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// Save replaces it.
func (h logHead) Save(note string) error { return replaceSynced(h.path, note, 0o600) }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func readSigningKey(dir string) (*proof.Key, error) {
	const op = "node.signingKey"
	private, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return nil, fault.E(op, fault.Invalid, "There is no signing key in %s.", dir).
			WithHint("restore it from the backup: receipts are verified with its public half")
	}
	public, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		return nil, fault.E(op, fault.Invalid, "There is no public half of the signing key in %s.", dir).
			WithHint("restore key.pub from the backup")
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
	}, valid.Printable(host))
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
	if err := errors.Join(writeSynced(filepath.Join(tmp, "key"), private+"\n", 0o600),
		writeSynced(filepath.Join(tmp, "key.pub"), public+"\n", 0o644)); err != nil {
		return err
	}
	return errors.Join(syncDir(tmp), os.Rename(tmp, dir), syncDir(filepath.Dir(dir)))
}

func writeSynced(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// replaceSynced puts a file in place, durably, and whole or not at all.
func replaceSynced(path, text string, mode fs.FileMode) error {
	fresh := path + ".new"
	if err := writeSynced(fresh, text, mode); err != nil {
		return err
	}
	return errors.Join(os.Rename(fresh, path), syncDir(filepath.Dir(path)))
}
