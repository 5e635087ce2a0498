package keys

import (
	"bytes"
	"strings"
)

// privateMarks are what private-key files have in them, lower-case, with the
// tool that writes each.
var privateMarks = []string{
	"private key-----",              // OpenSSH, PKCS#1, PKCS#8, SEC1: "-----BEGIN … PRIVATE KEY-----"
	"private key ----",              // ssh.com: "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----"
	"putty-user-key-file-",          // PuTTYgen, every version
	"private-lines:",                // PuTTYgen, header lost
	"b3blbnnzac1rzxktdj",            // base64 of "openssh-key-v1", header lost
	"ssh private key file format 1", // SSH-1
}

// looksPrivate reports whether private-key material is anywhere in the input,
// also behind a public key, in a web page, or as UTF-16 text.
func looksPrivate(data []byte) bool {
	text := strings.ToLower(string(bytes.ReplaceAll(data, []byte{0}, nil)))
	for _, mark := range privateMarks {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}
