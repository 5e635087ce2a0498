package backup

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"filippo.io/age"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// sealedEnd is the ending of an encrypted file.
const sealedEnd = ".age"

// Sizes of age's form (age-encryption.org/v1): the payload is a nonce, then chunks, each with a tag.
const (
	ageNonce = 16
	ageChunk = 64 << 10
	ageTag   = 16
)

// Recipients reads whom a backup is encrypted to: keys, and files with one a line.
func Recipients(keys, files []string) (out []age.Recipient, err error) {
	const op = "backup.Recipients"
	for _, k := range keys {
		r, err := age.ParseRecipients(strings.NewReader(k))
		if err != nil {
			return nil, fault.E(op, fault.Invalid, "%q is no recipient.", k).WithField("--recipient").
				WithHint("it is the public key that age-keygen prints: age1…")
		}
		out = append(out, r...)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.E(op, fault.Invalid, "The recipients cannot be read: %v.", fault.InWords(err)).
				WithField("--recipients-file")
		}
		r, err := age.ParseRecipients(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fault.E(op, fault.Invalid, "%s has no recipients, one a line.", file).
				WithField("--recipients-file")
		}
		out = append(out, r...)
	}
	return out, nil
}

// Identities reads the private keys with which a backup is decrypted.
func Identities(files []string) (out []age.Identity, err error) {
	const op = "backup.Identities"
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.E(op, fault.Invalid, "The identity cannot be read: %v.", fault.InWords(err)).
				WithField("--identity")
		}
		i, err := age.ParseIdentities(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fault.E(op, fault.Invalid, "%s has no private key of age.", file).WithField("--identity").
				WithHint("it is the file that age-keygen wrote: AGE-SECRET-KEY-1…")
		}
		out = append(out, i...)
	}
	return out, nil
}

// sealed is a place whose files are encrypted, each on its own.
type sealed struct {
	place
	to   []age.Recipient
	from []age.Identity
}

// counter counts what is written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// sealedSize returns the size of size bytes once they are encrypted.
func (s sealed) sealedSize(size int64) (int64, error) {
	var head counter // with the nonce: Encrypt writes both at once
	if _, err := age.Encrypt(&head, s.to...); err != nil {
		return 0, err
	}
	chunks := max(1, (size+ageChunk-1)/ageChunk)
	return int64(head) + size + chunks*ageTag, nil
}

func (s sealed) put(ctx context.Context, name string, size int64, r io.Reader) error {
	whole, err := s.sealedSize(size)
	if err != nil {
		return err
	}
	secret, err := age.EncryptReader(r, s.to...)
	if err != nil {
		return err
	}
	return s.place.put(ctx, name+sealedEnd, whole, secret)
}

func (s sealed) get(ctx context.Context, name string) (io.ReadCloser, error) {
	in, err := s.place.get(ctx, name+sealedEnd)
	if err != nil {
		return nil, err
	}
	clear, err := open(in, s.from)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return readCloser{clear, in}, nil
}

func (s sealed) remove(ctx context.Context, name string) error {
	return s.place.remove(ctx, name+sealedEnd)
}

// readCloser reads from one and closes the other.
type readCloser struct {
	io.Reader
	io.Closer
}

// open decrypts a stream.
func open(in io.Reader, from []age.Identity) (io.Reader, error) {
	const op = "backup.open"
	if len(from) == 0 {
		return nil, fault.E(op, fault.Denied, "The backup is encrypted.").WithField("--identity").
			WithHint("give the file with the private key: --identity FILE")
	}
	clear, err := age.Decrypt(in, from...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, fault.E(op, fault.Denied, "The backup is encrypted to another key than the one that was given.").
			WithField("--identity")
	case err != nil:
		return nil, fault.E(op, fault.Invalid, "An encrypted file of the backup is damaged.")
	}
	return clear, nil
}
