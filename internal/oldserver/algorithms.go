package oldserver

import (
	"slices"
	"strings"
)

// modern are the algorithms that this server takes, besides its key exchanges and host keys. A test compares them with
// those that package sshd offers.
var modern = map[string][]string{
	"kex": {"mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256",
		"ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512"},
	"cipher": {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr",
		"aes192-ctr",
		"aes256-ctr"},
	"mac": {"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"},
	"key": {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-256",
		"rsa-sha2-512"},
}

// Taken reports whether this server takes an algorithm of a kind: kex, cipher, mac or key.
func Taken(kind, name string) bool { return slices.Contains(modern[kind], name) }

// Legacy reports whether an algorithm is an old one that this server does not take.
func Legacy(name string) bool {
	switch {
	case name == "ssh-rsa", name == "ssh-dss", strings.HasSuffix(name, "-cbc"), strings.HasPrefix(name, "arcfour"),
		strings.HasPrefix(name, "hmac-sha1"), strings.HasPrefix(name, "hmac-md5"), strings.HasPrefix(name, "hmac-ripemd"),
		strings.HasSuffix(name, "-sha1"):
		return true
	}
	return false
}
