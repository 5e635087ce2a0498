package api_test

import "golang.org/x/crypto/ssh"

func publicLine(s ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(s.PublicKey())) }

func fingerprint(s ssh.Signer) string { return ssh.FingerprintSHA256(s.PublicKey()) }
