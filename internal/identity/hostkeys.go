package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// hostKeyFiles are the file names in <data>/hostkeys, in the order in which the keys are offered.
var hostKeyFiles = []struct{ name, kind string }{
	{"ssh_host_ed25519_key", ssh.KeyAlgoED25519},
	{"ssh_host_ecdsa_key", ssh.KeyAlgoECDSA256},
	{"ssh_host_rsa_key", ssh.KeyAlgoRSA},
}

const hostRSABits = 3072

func hostKeyDir(data string) string { return filepath.Join(data, "hostkeys") }

// hostKeysSetting is the database setting with the fingerprints of the host keys.
const hostKeysSetting = "host.keys"

// HostKeys returns the server's host keys. It makes missing keys only if the database knows of none
// and has no users, or if Keeper.NewHostKeys is set: a new key makes clients warn, and breaks
// unattended jobs. Keys that differ from those of the last start are accepted, and recorded in the
// audit log.
func (k Keeper) HostKeys(ctx context.Context) ([]ssh.Signer, error) {
	const op = "identity.HostKeys"
	q, dir, reason := k.Store.Read(ctx), hostKeyDir(k.Data), k.NewHostKeys
	known, err := q.Setting(hostKeysSetting)
	if err != nil {
		return nil, err
	}
	there, err := datadir.Exists(dir)
	if err != nil {
		return nil, err
	}
	if there && reason != "" {
		return nil, fault.E(op, fault.Conflict, "There are host keys in %s; nothing was replaced.", dir).
			WithHint("start without --new-host-keys")
	}
	if !there && reason == "" {
		users, err := q.Users(model.UserFilter{Paging: model.Paging{Limit: 1}})
		if err != nil {
			return nil, err
		}
		if known != "" || len(users) > 0 {
			return nil, fault.E(op, fault.Conflict,
				"The host keys are missing: there is no %s, but partners know this server by its keys.", dir).
				WithHint("restore hostkeys/ from the backup, or import the keys: sallyport hostkey import FILE...; if they are " +
					"lost: sallyport serve --new-host-keys REASON")
		}
	}
	signers, err := hostKeys(k.Data)
	if err != nil {
		return nil, err
	}
	now := joined(signers)
	switch {
	case now == known:
		return signers, nil
	case known == "" && reason == "":
		return signers, k.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(hostKeysSetting, now) })
	}
	detail := map[string]string{"was": known, "now": now}
	if reason != "" {
		detail["reason"] = reason
	}
	k.Log.Warn("the host keys are others than at the last start; partners who know the old ones are warned", "was", known,
		"now", now)
	return signers, k.recordReplaced(ctx, "hostkeys.change", hostKeysSetting, now, detail)
}

// hostKeys reads the host keys. If there is no folder for them, it makes one with a key of each
// type.
func hostKeys(data string) ([]ssh.Signer, error) {
	dir := hostKeyDir(data)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := makeHostKeys(dir, []string{"ed25519", "ecdsa", "rsa"}); err != nil {
			return nil, fmt.Errorf("host keys could not be made: %w", err)
		}
	}
	signers, err := readHostKeys(dir)
	if err == nil && len(signers) == 0 {
		return nil, fault.E("identity.hostKeys", fault.Invalid, "There is no host key in %s.", dir).
			WithHint("restore it from the backup, or import the old server's: sallyport hostkey import FILE...")
	}
	return signers, err
}

// InspectHostKeys describes the host keys of a data folder; none if it has none. It makes none.
func InspectHostKeys(data string) (out []model.HostKey, err error) {
	signers, err := readHostKeys(hostKeyDir(data))
	for _, s := range signers {
		out = append(out, DescribeHostKey(s.PublicKey()))
	}
	return out, err
}

// KnownHostKeys returns the fingerprints of the host keys of the last start, with spaces between; "" if there was none.
func KnownHostKeys(q *store.Q) (string, error) { return q.Setting(hostKeysSetting) }

// readHostKeys reads the host keys in a folder, in the order in which they are offered.
func readHostKeys(dir string) ([]ssh.Signer, error) {
	var signers []ssh.Signer
	for _, f := range hostKeyFiles {
		text, err := os.ReadFile(filepath.Join(dir, f.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		s, err := ssh.ParsePrivateKey(text)
		if err != nil {
			return nil, fmt.Errorf("host key %s: %w", f.name, err)
		}
		signers = append(signers, s)
	}
	return signers, nil
}

// makeHostKeys makes a folder with new keys of some types (shortType). It gets its name when all keys are written.
func makeHostKeys(dir string, kinds []string) error {
	return datadir.NewDir(dir, func(tmp string) error {
		for _, f := range hostKeyFiles {
			kind := shortType(f.kind)
			if !slices.Contains(kinds, kind) {
				continue
			}
			key, err := newHostKey(kind)
			if err != nil {
				return err
			}
			block, err := ssh.MarshalPrivateKey(key, "sallyport host key")
			if err != nil {
				return err
			}
			if err := datadir.WriteNew(filepath.Join(tmp, f.name), pem.EncodeToMemory(block), 0o600); err != nil {
				return err
			}
		}
		return nil
	})
}

// newHostKey makes a private key.
func newHostKey(kind string) (key any, err error) {
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, hostRSABits)
	}
	return key, err
}

// hostKeyFile returns the name of the file of a host key; "" if its type is not taken.
func hostKeyFile(algorithm string) string {
	for _, f := range hostKeyFiles {
		if f.kind == algorithm || strings.HasPrefix(algorithm, "ecdsa-") && strings.HasPrefix(f.kind, "ecdsa-") {
			return f.name
		}
	}
	return ""
}

// ImportHostKeys installs private host keys that partners know already, so that no client warns.
// From then on only the imported types are offered. Existing keys are replaced only if replace is
// set.
func ImportHostKeys(data string, files []string, replace bool) ([]model.HostKey, error) {
	const op = "identity.ImportHostKeys"
	dir := hostKeyDir(data)
	if _, err := os.Stat(dir); err == nil && !replace {
		return nil, fault.E(op, fault.Exists, "This server has host keys already; partners would be warned if they changed.").
			WithHint("add --replace if the imported keys are the ones that partners know")
	}
	var out []model.HostKey
	err := datadir.NewDir(dir, func(tmp string) error {
		for _, file := range files {
			hk, err := importHostKey(tmp, file)
			if err != nil {
				return err
			}
			out = append(out, hk)
		}
		return nil
	})
	return out, err
}

// importHostKey writes one imported key into the new folder.
func importHostKey(tmp, file string) (hk model.HostKey, err error) {
	const op = "identity.ImportHostKeys"
	text, err := os.ReadFile(file)
	if err != nil {
		return hk, fault.E(op, fault.NotFound, "The key cannot be read: %v.", fault.InWords(err))
	}
	s, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return hk, fault.E(op, fault.Invalid, "%s has a passphrase; host keys have none.", file).
			WithHint("remove it with: ssh-keygen -p -N '' -f COPY")
	} else if err != nil {
		return hk, fault.E(op, fault.Invalid, "%s is not a private host key.", file)
	}
	name := hostKeyFile(s.PublicKey().Type())
	hk = DescribeHostKey(s.PublicKey())
	if name == "" || hk.Type == ssh.KeyAlgoRSA && hk.Bits < 2048 {
		return hk, fault.E(op, fault.Invalid, "%s: host keys of type %s with %d bits are not taken.", file, hk.Type, hk.Bits)
	}
	if err := datadir.WriteNew(filepath.Join(tmp, name), text, 0o600); errors.Is(err, fs.ErrExist) {
		return hk, fault.E(op, fault.Invalid, "There are two keys of type %s; give one of each.", hk.Type)
	} else if err != nil {
		return hk, err
	}
	return hk, nil
}

// DescribeHostKey describes a host key that is in use, for people and programs.
func DescribeHostKey(k ssh.PublicKey) model.HostKey {
	hk := model.HostKey{State: model.HostKeyActive,
		Type: k.Type(), Fingerprint: ssh.FingerprintSHA256(k), MD5: ssh.FingerprintLegacyMD5(k),
		Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))}
	if c, ok := k.(ssh.CryptoPublicKey); ok {
		switch p := c.CryptoPublicKey().(type) {
		case ed25519.PublicKey:
			hk.Bits = 256
		case *ecdsa.PublicKey:
			hk.Bits = p.Curve.Params().BitSize
		case *rsa.PublicKey:
			hk.Bits = p.N.BitLen()
		}
	}
	return hk
}
