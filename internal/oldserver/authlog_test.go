package oldserver_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/oldserver"
	"github.com/sallyport-sftp/sallyport/internal/sshd"
)

// log has a line of each kind: syslog, the journal's short and ISO forms, and sshd -e.
const log = `Nov 29 03:00:01 old sshd[100]: Connection from 192.0.2.1 port 4000 on 10.0.0.1 port 22 rdomain ""
Nov 29 03:00:01 old sshd[100]: debug1: Remote protocol version 2.0, remote software version WinSCP_release_5.9
Nov 29 03:00:01 old sshd[100]: debug1: kex: algorithm: diffie-hellman-group14-sha1 [preauth]
Nov 29 03:00:01 old sshd[100]: debug1: kex: client->server cipher: aes256-cbc MAC: hmac-sha1 compression: none [preauth]
Nov 29 03:00:02 old sshd[100]: Accepted publickey for alice from 192.0.2.1 port 4000 ssh2: RSA SHA256:abc
2026-11-29T03:00:02.123456+01:00 old sshd[101]: Accepted password for bob from 192.0.2.2 port 4001 ssh2
2026-11-29T03:00:02+0100 old sshd-session[102]: userauth_pubkey: signature algorithm ssh-rsa ` +
	`not in PubkeyAcceptedAlgorithms [preauth]
2026-11-29T03:00:02+0100 old sshd-session[102]: Accepted publickey for carol ` +
	`from 192.0.2.3 port 4002 ssh2: RSA SHA256:def
Nov 29 03:00:03 old sshd[103]: Unable to negotiate with 192.0.2.4 port 4003: ` +
	`no matching key exchange method found. Their offer: diffie-hellman-group1-sha1 [preauth]
Starting session: command for dave from 192.0.2.5 port 4004 id 0
Nov 29 03:00:04 old sshd[104]: Starting session: subsystem 'sftp' for erin from 192.0.2.6 port 4005 id 0
Nov 29 03:00:04 old sshd[104]: Accepted publickey for erin from 192.0.2.6 port 4005 ssh2: ED25519 SHA256:ghi
Nov 29 03:00:04 old sshd[105]: Failed password for invalid user guess from 198.51.100.9 port 1 ssh2
Nov 29 03:00:04 old sshd[106]: subsystem request for netconf by user frank
Nov 29 03:00:05 old CRON[107]: Accepted password for nobody
`

func TestALogSaysWhoCouldNotLogIn(t *testing.T) {
	l := oldserver.NewLog()
	if err := l.Read(strings.NewReader(log + strings.Repeat("x", 100_000) + "\n")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range l.Partners() {
		for _, x := range p.Problems {
			got = append(got, p.User+strings.Join(p.Clients, "")+": "+x.What)
		}
		if len(p.Problems) == 0 {
			got = append(got, p.User+": well")
		}
	}
	want := `aliceWinSCP_release_5.9: It chose the MAC hmac-sha1, which is not taken here.
aliceWinSCP_release_5.9: It chose the cipher aes256-cbc, which is not taken here.
aliceWinSCP_release_5.9: It chose the key exchange diffie-hellman-group14-sha1, which is not taken here.
bob: It logs in with password, and only keys are taken here.
carol: It signs with ssh-rsa, which is not taken.
dave: It runs commands (scp -O, rsync or others), which are not served here.
frank: It asks for the subsystem netconf, which is not served here.
: The old server refused it already: no common key exchange method; it offers diffie-hellman-group1-sha1.
erin: well`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("%s\nwant\n%s", s, want)
	}
}

// What is said to be taken is what the server offers.
func TestTheAlgorithmsAreThoseOfTheServer(t *testing.T) {
	for kind, list := range sshd.Accepted() {
		for _, name := range list {
			if !oldserver.Taken(kind, name) {
				t.Errorf("%s %s is taken by the server", kind, name)
			}
		}
	}
	for _, name := range []string{"ssh-rsa", "aes128-cbc", "hmac-sha1", "diffie-hellman-group14-sha1"} {
		for kind := range sshd.Accepted() {
			if oldserver.Taken(kind, name) || !oldserver.Legacy(name) {
				t.Errorf("%s is said to be taken", name)
			}
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add(log)
	f.Fuzz(func(t *testing.T, text string) {
		l := oldserver.NewLog()
		if err := l.Read(strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		for _, p := range l.Partners() {
			if s := fmt.Sprint(p); strings.ContainsAny(s, "\x00\x1b\x07") {
				t.Errorf("it has control characters: %q", s)
			}
		}
	})
}
