// Package proof makes documents that others can verify without us: receipts, removal reports and
// the checkpoints of the audit log.
//
// Each is a signed note (golang.org/x/mod/sumdb/note): lines that people can read, an empty line,
// and an Ed25519 signature of the deployment's key. Anybody with the public key can verify it
// offline. document.go has the form of documents, tree.go the hashes of the log.
package proof

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Key is a deployment's signing key.
type Key struct {
	signer note.Signer
	public string
	known  string
}

// NewKey makes a deployment's signing key. The private text must be kept secret. name is the
// signer's name, without spaces or "+".
func NewKey(rand io.Reader, name string) (private, public string, err error) {
	if name == "" || strings.ContainsAny(name, " +\t\n") || valid.Printable(name) != name {
		return "", "", fault.E("proof.NewKey", fault.Invalid, "%q cannot be a signer's name.", valid.Printable(name))
	}
	private, public, err = note.GenerateKey(rand, name)
	return private, public, fault.Wrap("proof.NewKey", fault.Internal, err)
}

// ReadKey reads a private key. The first line of public is the public key that belongs to it;
// further lines are public keys of earlier signing keys.
func ReadKey(private, public string) (*Key, error) {
	const op = "proof.ReadKey"
	s, err := note.NewSigner(strings.TrimSpace(private))
	if err != nil {
		return nil, fault.E(op, fault.Invalid, "The signing key cannot be read.")
	}
	known := strings.TrimSpace(public)
	public, _, _ = strings.Cut(known, "\n")
	public = strings.TrimSpace(public)
	v, err := note.NewVerifier(public)
	if err != nil || v.Name() != s.Name() || v.KeyHash() != s.KeyHash() {
		return nil, fault.E(op, fault.Invalid, "The public half of the signing key is missing or belongs to another.")
	}
	return &Key{s, public, known}, nil
}

// Public returns what others need to verify: one line, <name>+<hash>+<key>.
func (k *Key) Public() string { return k.public }

// Known returns Public and, in further lines, the public keys of earlier signing keys.
func (k *Key) Known() string { return k.known }

// SignedBy returns the signer that a text claims, unverified: <name>+<hash>.
func SignedBy(signed string) string {
	_, err := note.Open([]byte(signed), note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) || len(unverified.Note.UnverifiedSigs) == 0 {
		return "unknown"
	}
	s := unverified.Note.UnverifiedSigs[0]
	return valid.Printable(fmt.Sprintf("%s+%08x", s.Name, s.Hash))
}

// Name returns the signer's name.
func (k *Key) Name() string { return k.signer.Name() }

// sign makes a signed note. text must end with a newline.
func (k *Key) sign(text string) (string, error) {
	b, err := note.Sign(&note.Note{Text: text}, k.signer)
	return string(b), fault.Wrap("proof.sign", fault.Internal, err)
}

// open verifies a note and returns its text. public has one key per line; a signature by any of
// them is enough.
func open(signed, public string) (string, error) {
	const op = "proof.open"
	var verifiers []note.Verifier
	var err error
	for line := range strings.Lines(strings.TrimSpace(public)) {
		v, bad := note.NewVerifier(strings.TrimSpace(line))
		if err = bad; err != nil {
			break
		}
		verifiers = append(verifiers, v)
	}
	if err != nil || len(verifiers) == 0 {
		return "", fault.E(op, fault.Invalid, "The public key cannot be read.").
			WithHint("it is one line: <name>+<hash>+<key>").WithAction("show-signing-key")
	}
	// Mail programs turn line ends into CRLF. A signed text never contains CRLF.
	signed = strings.ReplaceAll(signed, "\r\n", "\n")
	n, err := note.Open([]byte(signed), note.VerifierList(verifiers...))
	var unverified *note.UnverifiedNoteError
	var bad *note.InvalidSignatureError
	switch {
	case err == nil:
		return n.Text, nil
	case errors.As(err, &bad):
		return "", fault.E(op, fault.Denied, "The signature is false: the text was changed, or was never signed by %s.",
			bad.Name)
	case errors.As(err, &unverified):
		return "", fault.E(op, fault.Denied, "It is signed, but not with the key of %s that was given.",
			fmt.Sprintf("%s (%08x)", verifiers[0].Name(), verifiers[0].KeyHash()))
	}
	return "", fault.E(op, fault.Invalid, "This is not a signed document, or it is damaged.")
}
