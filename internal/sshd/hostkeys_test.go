package sshd

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

// prover is a connection that was told three keys.
func prover(t testing.TB) (p *proofs, told *[]string) {
	t.Helper()
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	told = &[]string{}
	p = &proofs{session: []byte("the session"), left: mostProofs, learnt: func(l []string) { *told = append(*told, l...) }}
	for _, key := range []any{ed, ec, r} {
		s, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		p.keys = append(p.keys, s)
	}
	return p, told
}

// asked is the payload of a request for proof.
func asked(keys ...ssh.PublicKey) (out []byte) {
	for _, k := range keys {
		out = append(out, ssh.Marshal(struct{ Key []byte }{k.Marshal()})...)
	}
	return out
}

func TestHostKeysAreProven(t *testing.T) {
	p, told := prover(t)
	p.rsa = ssh.KeyAlgoRSASHA256
	answer := p.answer(asked(p.keys[0].PublicKey(), p.keys[1].PublicKey(), p.keys[2].PublicKey()))
	for _, k := range p.keys {
		var next struct {
			Signature []byte
			Rest      []byte `ssh:"rest"`
		}
		var sig ssh.Signature
		if err := ssh.Unmarshal(answer, &next); err != nil {
			t.Fatal(err)
		}
		if err := ssh.Unmarshal(next.Signature, &sig); err != nil {
			t.Fatal(err)
		}
		answer = next.Rest
		data := ssh.Marshal(struct {
			Name         string
			Session, Key []byte
		}{"hostkeys-prove-00@openssh.com", []byte("the session"), k.PublicKey().Marshal()})
		if err := k.PublicKey().Verify(data, &sig); err != nil || k.PublicKey().Type() == ssh.KeyAlgoRSA &&
			sig.Format != ssh.KeyAlgoRSASHA256 {
			t.Errorf("%s: %v with %s", k.PublicKey().Type(), err, sig.Format)
		}
	}
	if len(answer) > 0 || len(*told) != 3 {
		t.Errorf("%d bytes follow, %v were learnt", len(answer), *told)
	}
}

func TestOnlyOurHostKeysAreProvenAndNotForEver(t *testing.T) {
	p, told := prover(t)
	stranger, _ := prover(t)
	ours, theirs := p.keys[0].PublicKey(), stranger.keys[0].PublicKey()
	if p.answer(asked(ours, theirs)) != nil || p.answer(asked(ours, ours, ours, ours)) != nil || len(*told) > 0 {
		t.Error("a request for more than our keys was answered")
	}
	for asks, answered := range []bool{true, true, false} { // two were refused before
		if (p.answer(asked(ours)) != nil) != answered {
			t.Errorf("request %d: answered is not %v", asks+3, answered)
		}
	}
}

func TestWhoIsToldTheHostKeys(t *testing.T) {
	for version, want := range map[string]bool{"SSH-2.0-OpenSSH_9.2p1 Debian-2": true, "SSH-2.0-OpenSSH_6.8": true,
		"SSH-2.0-OpenSSH_10.0": true, "SSH-2.0-OpenSSH_6.7p1": false, "SSH-2.0-OpenSSH_5.3": false, "SSH-2.0-OpenSSH_": false,
		"SSH-2.0-PuTTY_Release_0.78": false, "SSH-2.0-paramiko_2.12.0": false, "": false} {
		if got := understands(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func FuzzProof(f *testing.F) {
	p, told := prover(f)
	f.Add(asked(p.keys[0].PublicKey()))
	f.Add(asked(p.keys[1].PublicKey(), p.keys[2].PublicKey())[:40])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		p.left = 1
		*told = nil
		out := p.answer(payload)
		if len(*told) > len(p.keys) || len(out) > 4096 || slices.Contains(*told, "") {
			t.Fatalf("%d bytes, %v", len(out), *told)
		}
	})
}
