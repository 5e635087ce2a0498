package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// ppkLine is how many base64 letters PuTTY writes a line.
const ppkLine = 64

// MarshalPPK writes an Ed25519 key, unencrypted, as a PuTTY private key file
// of version 3 (PuTTY manual, appendix C). The MAC of an unencrypted file has
// an empty key.
func MarshalPPK(key ed25519.PrivateKey, comment string) []byte {
	public := key.Public().(ed25519.PublicKey)
	pub := wireString(nil, []byte(ssh.KeyAlgoED25519))
	pub = wireString(pub, public)
	priv := wireString(nil, key.Seed())

	mac := hmac.New(sha256.New, nil)
	for _, part := range [][]byte{[]byte(ssh.KeyAlgoED25519), []byte("none"), []byte(comment), pub, priv} {
		mac.Write(wireString(nil, part))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "PuTTY-User-Key-File-3: %s\nEncryption: none\nComment: %s\n", ssh.KeyAlgoED25519, comment)
	ppkBlock(&b, "Public", pub)
	ppkBlock(&b, "Private", priv)
	fmt.Fprintf(&b, "Private-MAC: %x\n", mac.Sum(nil))
	return b.Bytes()
}

func wireString(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func ppkBlock(b *bytes.Buffer, name string, data []byte) {
	text := base64.StdEncoding.EncodeToString(data)
	fmt.Fprintf(b, "%s-Lines: %d\n", name, (len(text)+ppkLine-1)/ppkLine)
	for len(text) > 0 {
		n := min(ppkLine, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
}
