package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// signingSetting is the database setting with the public half of the signing key.
const signingSetting = "signing.key"

// SigningKey returns the deployment's signing key. If neither the database nor the folder has one,
// it makes one. Later it only reads the key, and fails if that is missing or is not the one that
// the database knows: with another key, earlier signatures could not be verified, and nobody would
// notice. With Keeper.NewSigningKey it goes on with another key all the same.
func (k Keeper) SigningKey(ctx context.Context) (*proof.Key, error) {
	const op = "identity.SigningKey"
	dir, q := proof.SigningDir(k.Data), k.Store.Read(ctx)
	known, err := q.Setting(signingSetting)
	if err != nil {
		return nil, err
	}
	newest, err := q.LastCheckpoint() // for databases of earlier releases, which did not store the key
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if known != "" {
		newest.Note = ""
	}
	there, err := datadir.Exists(dir)
	if err != nil {
		return nil, err
	}
	if !there && (known != "" || newest.Note != "") && k.NewSigningKey == "" {
		return nil, fault.E(op, fault.Conflict,
			"The signing key is missing: there is no %s, but the database knows a key (%s).", dir, knownAs(known, newest.Note)).
			WithHint("restore signing/ from the backup; if it is lost for good, begin a new key: sallyport serve " +
				"--new-signing-key REASON")
	}
	if !there {
		if err := makeSigningKey(dir, k.Host); err != nil {
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
	switch reason := k.NewSigningKey; {
	case same && there && reason != "":
		return nil, fault.E(op, fault.Conflict, "The signing key is there, and the database knows it.").
			WithHint("start without --new-signing-key")
	case same && known != "":
		return key, nil
	case same:
		return key, k.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(signingSetting, key.Known()) })
	case reason == "":
		return nil, fault.E(op, fault.Conflict, "The signing key in %s is not the one that the database knows (%s).", dir,
			knownAs(known, newest.Note)).
			WithHint("restore signing/ from the backup; if the right one is lost for good, go on with this one: sallyport " +
				"serve --new-signing-key REASON")
	}
	return k.replaceSigningKey(ctx, key, known, newest.Note)
}

// replaceSigningKey makes key the deployment's signing key. The public halves of earlier keys are
// kept, so that their signatures can still be verified.
func (k Keeper) replaceSigningKey(ctx context.Context, key *proof.Key, known, note string) (*proof.Key, error) {
	dir := proof.SigningDir(k.Data)
	public := strings.TrimSpace(key.Public() + "\n" + known)
	if err := datadir.Replace(filepath.Join(dir, "key.pub"), []byte(public+"\n"), 0o644); err != nil {
		return nil, err
	}
	err := k.recordReplaced(ctx, "signing.key", signingSetting, public,
		map[string]string{"reason": k.NewSigningKey, "before": knownAs(known, note), "key": key.Public()})
	if err != nil {
		return nil, err
	}
	k.Log.Warn("a new signing key was begun; publish its public half", "key", key.Public(), "before", knownAs(known, note),
		"reason", k.NewSigningKey)
	return readSigningKey(dir)
}

// KnownSigningKey returns the public half of the deployment's signing key, and of earlier ones, one a line; "" if the
// database knows none.
func KnownSigningKey(q *store.Q) (string, error) { return q.Setting(signingSetting) }

// knownAs names the key that the database knows: by its public half, or by the signer of a
// checkpoint.
func knownAs(known, note string) string {
	if known != "" {
		return firstLine(known)
	}
	return proof.SignedBy(note)
}

// LogHead keeps the newest checkpoint of the audit log beside the signing key.
type LogHead struct{ path string }

// HeadOf returns the LogHead of a data folder.
func HeadOf(data string) LogHead { return LogHead{filepath.Join(proof.SigningDir(data), "log")} }

// Load returns the saved checkpoint; "" if none was saved.
func (h LogHead) Load() (string, error) {
	b, err := os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// Save replaces the saved checkpoint.
func (h LogHead) Save(note string) error { return datadir.Replace(h.path, []byte(note), 0o600) }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func readSigningKey(dir string) (*proof.Key, error) {
	const op = "identity.SigningKey"
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

// makeSigningKey writes both halves of a new key into a new folder, which appears whole or not at
// all.
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
	return datadir.NewDir(dir, func(tmp string) error {
		return errors.Join(datadir.WriteNew(filepath.Join(tmp, "key"), []byte(private+"\n"), 0o600),
			datadir.WriteNew(filepath.Join(tmp, "key.pub"), []byte(public+"\n"), 0o644))
	})
}
