package journeys

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// way is one way for a log-in to go, and what the operator is told of it.
type way struct {
	name   string
	does   func(p *caller) string // a real program's doing; returns what it printed
	code   string                 // of model/reason.go
	client string                 // in the version string on record
	says   string                 // words of the sentence, one a "|"
	tells  string                 // words of the advice
	// Where there is none: no username was said, or no reference was shown.
	nameless, unshown bool
}

// ways is the table. A way that shows nothing is gone again, since programs with one
// wrong key are shown the banner only at the second try.
var ways = []way{
	{name: "psftp, set up for a password", does: func(p *caller) string { return p.psftp("-pw", "secret") },
		code: model.ReasonNoKeyOffered, client: "PuTTY", says: "no key|set up for a password",
		tells: "Choose your private key file|no passwords"},
	{name: "curl, set up for a password",
		does: func(p *caller) string { return p.curl("-u", p.user+":secret", "sftp://"+p.host+":"+p.port+"/") },
		code: model.ReasonNoKeyOffered, client: "libssh2", says: "no key", tells: "private key file", unshown: true},
	{name: "paramiko, which sends a password unasked",
		does: func(p *caller) string { return p.python(paramikoScript, "password", "") }, code: model.ReasonPassword,
		client: "paramiko", says: "password|keys only",
		tells: "takes no passwords|unlocks your private key file"},
	{name: "paramiko, with a second key on one connection", does: func(p *caller) string {
		p.makeKey("other", "")
		return p.python(paramikoScript, "second", "other")
	}, code: model.ReasonSecondRequest, client: "paramiko", says: "begin the log-in again|one log-in|Expected: SHA256:",
		tells: "new connection for each key", unshown: true},
	{name: "a username with a domain before it", does: func(p *caller) string {
		out := p.sftp(`EXAMPLE\`+p.user, "id", "ls\n")
		p.user = `EXAMPLE\` + p.user
		return out
	}, code: model.ReasonUnknownUser, client: "OpenSSH", says: `no user "EXAMPLE|Did they mean "acme`,
		tells: "Your username is acme|nothing before or after"},
	{name: "lftp with a key that nobody sent us", does: func(p *caller) string {
		p.makeKey("new", "")
		return p.run("", "lftp", "-e", "set net:max-retries 1; set sftp:connect-program 'ssh -a -x "+
			strings.Join(p.options("new"), " ")+"'; ls; exit", "sftp://"+p.user+":@"+p.host+":"+p.port)
	}, code: model.ReasonUnknownKey, client: "OpenSSH", says: "which nobody has|Expected: SHA256:",
		tells: "a key that we don't have|choose its private key file", unshown: true},
	{name: "another user's key", does: func(p *caller) string {
		other := newCaller(p.t, p.n)
		p.write("other", string(testkit.MustRead(p.t, filepath.Join(other.dir, "id"))), 0o600)
		return p.sftp(p.user, "other", "ls\n")
	}, code: model.ReasonOtherUsersKey, client: "OpenSSH", says: "belongs to acme|Expected: SHA256:",
		tells: "a key that we don't have for you"},
	{name: "curl with a revoked key", does: func(p *caller) string {
		p.once("POST", "/keys/revoke", map[string]any{"fingerprint": p.fingerprint(), "reason": "the laptop was lost"})
		return p.curl("--key", "id", "--pubkey", "id.pub", "-u", p.user+":", "sftp://"+p.host+":"+p.port+"/")
	}, code: model.ReasonKeyRevoked, client: "libssh2", says: "revoked|the laptop was lost|no key on file that works",
		tells: "revoked|new pair", unshown: true},
	{name: "asyncssh with an expired key", does: func(p *caller) string {
		p.once("PATCH", "/users/"+p.user+"/keys",
			map[string]any{"fingerprint": p.fingerprint(), "expires_at": "2024-02-29T12:00:00Z"})
		return p.python(asyncsshScript, "id")
	}, code: model.ReasonKeyExpired, client: "AsyncSSH", says: "expired|2024-02-29", tells: "expired|new pair"},
	{name: "psftp with a burned key", does: func(p *caller) string {
		p.once("POST", "/keys/revoke",
			map[string]any{"fingerprint": p.fingerprint(), "reason": "it was in a ticket", "burn": true})
		return p.psftp("-i", p.ppk("id", ""))
	}, code: model.ReasonKeyBurned, client: "PuTTY", says: "blocked for ever|it was in a ticket",
		tells: "blocked|was exposed|new pair"},
	{name: "a key that waits for the operator", does: func(p *caller) string {
		if _, err := os.Stat(filepath.Join(p.dir, "new")); err != nil {
			p.makeKey("new", "")
			p.sftp(p.user, "new", "ls\n")
			testkit.Eventually(p.t, "the key waits", func() bool {
				return len(testkit.List[model.PendingKey](p.n, "/keys/pending?user="+p.user)) == 1
			})
		}
		return p.sftp(p.user, "new", "ls\n")
	}, code: model.ReasonKeyPending, client: "OpenSSH", says: "waits for your word|list-pending-keys",
		tells: "read its fingerprint out"},
	{name: "paramiko with a key that was replaced", does: func(p *caller) string {
		next := p.makeKey("next", "")
		p.once("POST", "/users/"+p.user+"/keys",
			map[string]any{"text": string(ssh.MarshalAuthorizedKey(next.PublicKey())), "replaces": p.fingerprint()})
		testkit.Eventually(p.t, "the overlap is over", func() bool { return p.state() == model.KeyRevoked })
		return p.python(paramikoScript, "key", "id")
	}, code: model.ReasonKeyReplaced, client: "paramiko", says: "replaced|by SHA256:|Expected: SHA256:",
		tells: "The one that we have is SHA256:", unshown: true},
	{name: "a key that a contact had frozen", does: func(p *caller) string {
		p.once("POST", "/contacts", map[string]any{"account": p.user, "name": "Ann", "email": "ann@acme.example"})
		p.once("POST", "/keys/freeze", map[string]any{"fingerprint": p.fingerprint(), "by": "ann@acme.example"})
		return p.sftp(p.user, "id", "ls\n")
	}, code: model.ReasonKeyFrozen, client: "OpenSSH", says: "frozen|ann@acme.example",
		tells: "stopped at the word of one of your contacts|second contact"},
	{name: "a key file whose passphrase nobody types",
		does: func(p *caller) string { return p.sftp(p.user, p.locked(), "ls\n") }, code: model.ReasonNotSigned,
		client: "OpenSSH", says: "right key|signed nothing",
		tells: "did not unlock it|passphrase"},
	{name: "psftp with a PPK whose passphrase nobody types", does: func(p *caller) string {
		return p.psftp("-i", p.ppk("id", "seven words"))
	}, code: model.ReasonNotSigned, client: "PuTTY", says: "right key|signed nothing", tells: "passphrase"},
	{name: "a program that signs nonsense",
		does: func(p *caller) string { return p.python(paramikoScript, "broken", "id") }, code: model.ReasonBadSignature,
		client: "paramiko", says: "what it signed was not right",
		tells: "update your SFTP program", unshown: true},
	{name: "a job that never gives up", does: func(p *caller) string {
		for range banAfter {
			p.sftp("nobody", "id", "ls\n")
		}
		return p.sftp(p.user, "id", "ls\n")
	}, code: model.ReasonBanned, says: "banned until|4 failed connections|there is no such user",
		tells: "has to wait|Stop the program or job", nameless: true},
	{name: "psftp as a disabled user", does: func(p *caller) string {
		p.once("PATCH", "/users/"+p.user, map[string]any{"enabled": false})
		return p.psftp("-i", p.ppk("id", ""))
	}, code: model.ReasonUserDisabled, client: "PuTTY", says: "user was disabled", tells: "switched off|ask us"},
	{name: "a suspended account", does: func(p *caller) string {
		p.once("PATCH", "/accounts/"+p.user, map[string]any{"state": model.AccountSuspended})
		return p.sftp(p.user, "id", "ls\n")
	}, code: model.ReasonSuspended, client: "OpenSSH", says: "account was suspended", tells: "suspended|ask us"},
	{name: "asyncssh on a closed account", does: func(p *caller) string {
		p.once("PATCH", "/accounts/"+p.user, map[string]any{"state": model.AccountClosed})
		return p.python(asyncsshScript, "id")
	}, code: model.ReasonClosed, client: "AsyncSSH", says: "account was closed", tells: "account is closed"},
	{name: "an address that is not on the user's list", does: func(p *caller) string {
		p.once("PATCH", "/users/"+p.user, map[string]any{"allow_ips": []string{"198.51.100.7"}})
		return p.sftp(p.user, "id", "ls\n")
	}, code: model.ReasonAddress, client: "OpenSSH", says: "203.0.113.|not on the list|user: 198.51.100.7",
		tells: "came from 203.0.113.|tell us the new one"},
	{name: "an address that is not on the account's list", does: func(p *caller) string {
		p.once("PATCH", "/accounts/"+p.user, map[string]any{"allow_ips": []string{"198.51.100.8"}})
		return p.sftp(p.user, "id", "ls\n")
	}, code: model.ReasonAddress, client: "OpenSSH", says: "203.0.113.|not on the list|account: 198.51.100.8",
		tells: "came from 203.0.113."},
	{name: "an address that is not on the server address's list", does: func(p *caller) string {
		p.once("PATCH", "/accounts/"+p.user, map[string]any{"region": "eu"})
		return p.sftp(p.user, "id", "ls\n")
	}, code: model.ReasonAddress, client: "OpenSSH", says: "203.0.113.|not on the list|server address: 198.51.100.0/24",
		tells: "came from 203.0.113."},
	{name: "a region's own listener", does: func(p *caller) string {
		p.host, p.port = relay(p.t, p.eu, p.from)
		return p.sftp(p.user, "id", "ls\n")
	}, code: model.ReasonAddress, says: "203.0.113.|not on the list", tells: "came from 203.0.113.", nameless: true,
		unshown: true},
	{name: "more sessions than are allowed", does: func(p *caller) string {
		p.hold(2)
		return p.sftp(p.user, "id", "ls\n")
	}, code: model.ReasonTooMany, client: "OpenSSH", says: "too many sessions",
		tells: "too many connections at once|Limit the number"},
	{name: "a program that signs with SHA-1", does: func(p *caller) string {
		if _, err := os.Stat(filepath.Join(p.dir, "rsa")); err != nil {
			p.n.Enrol(p.user, p.makeRSA("rsa"))
		}
		return p.python(paramikoScript, "sha1", "rsa")
	}, code: model.ReasonWeakAlgorithm, client: "paramiko", says: "SHA-1|ssh-rsa", tells: "too old|Update it",
		unshown: true},
	{name: "a program that knows only old encryption", does: func(p *caller) string {
		return p.sftp(p.user, "id", "ls\n", "-oKexAlgorithms=diffie-hellman-group1-sha1")
	}, code: model.ReasonNoAlgorithm, client: "OpenSSH", says: "no algorithm in common|diffie-hellman-group1-sha1",
		tells: "too old|update", nameless: true, unshown: true},
	{name: "an agent with 25 keys", does: func(p *caller) string {
		var keys []string
		for i := range 25 {
			p.makeKey("k"+strconv.Itoa(i), "")
			keys = append(keys, "-oIdentityFile=k"+strconv.Itoa(i))
		}
		return p.sftp(p.user, "", "ls\n", keys...)
	}, code: model.ReasonTooManyTries, client: "OpenSSH", says: "too many keys (20)|Expected: SHA256:",
		tells: "many keys|IdentitiesOnly"},
	{name: "a browser", does: func(p *caller) string { return p.curl("http://" + p.host + ":" + p.port + "/") },
		code: model.ReasonProtocol, client: "GET / HTTP", says: "Did not speak SSH|GET / HTTP", tells: "SFTP (not FTP",
		nameless: true, unshown: true},
	{name: "FTPS", does: func(p *caller) string { return p.curl("ftps://" + p.host + ":" + p.port + "/") },
		code: model.ReasonProtocol, says: "Did not speak SSH", tells: "SFTP (not FTP", nameless: true, unshown: true},
	{name: "a load balancer that nobody announced", does: func(p *caller) string {
		p.from = "127.0.0.7"
		return p.curl("--interface", p.from, "--haproxy-protocol", "http://"+p.n.Addr+"/")
	}, code: model.ReasonProtocol, client: "PROXY TCP4", says: "Did not speak SSH|PROXY TCP4",
		tells: "nothing between you and us", nameless: true, unshown: true},
	{name: "somebody who does not accept the host key", does: func(p *caller) string {
		return p.run("", "ssh", append([]string{"-oStrictHostKeyChecking=yes"}, p.options("id", p.user+"@"+p.host)...)...)
	}, code: model.ReasonProtocol, client: "OpenSSH", says: "fingerprint was not accepted",
		tells: "Compare the fingerprint|accept it if they agree", nameless: true, unshown: true},
	{name: "a look whether the port is open",
		does: func(p *caller) string { return p.run("", "bash", "-c", "exec 3<>/dev/tcp/"+p.host+"/"+p.port) },
		code: model.ReasonSilent, says: "without a word|port check", tells: "The way to us is open", nameless: true,
		unshown: true},
	{name: "a command instead of SFTP", does: func(p *caller) string { return p.ssh("id", "id") },
		code: model.ReasonNoSFTP, client: "OpenSSH", says: "other than SFTP|exec id", tells: "Choose SFTP|Shells",
		unshown: true},
	{name: "scp's old protocol", does: func(p *caller) string {
		return p.run("", "scp", append(p.options("id"), "-O", "id.pub", p.user+"@"+p.host+":/upload/")...)
	}, code: model.ReasonNoSFTP, client: "OpenSSH", says: "exec scp|refused", tells: "scp -O", unshown: true},
	{name: "an upload where only reading is allowed",
		does: func(p *caller) string { return p.sftp(p.user, "id", "put id.pub /download/x\n") }, code: model.ReasonDirectory,
		client: "OpenSSH",
		says:   "Logged in with SHA256:|refused in a directory|write /download/x",
		tells:  "write /download/x|Your files are below /", unshown: true},
	{name: "an upload that does not fit", does: func(p *caller) string {
		p.once("PATCH", "/users/"+p.user, map[string]any{"quota_bytes": 10})
		return p.sftp(p.user, "id", "put id.pub /upload/x\n")
	}, code: model.ReasonQuota, client: "OpenSSH", says: "did not fit", tells: "larger than all the space",
		unshown: true},
	{name: "a log-in that works", does: func(p *caller) string { return p.python(asyncsshScript, "id") },
		code: model.ReasonOK, client: "AsyncSSH", says: "Logged in with SHA256:", unshown: true},
}

// late is the way of who does not type a passphrase for as long as the server
// waits. It has a server of its own, which waits for two seconds.
var late = way{name: "a passphrase that is typed too late", does: func(p *caller) string {
	gone := filepath.Join(p.dir, "gone")
	cmd := p.command("ssh", append(append([]string{"-oBatchMode=no"}, p.options(p.locked())...), p.user+"@"+p.host)...)
	cmd.Env = append(cmd.Env, "SSH_ASKPASS_REQUIRE=force",
		"SSH_ASKPASS="+p.write("askpass", "#!/bin/sh\nwhile [ ! -e "+gone+" ]; do sleep 0.1; done\n", 0o700))
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	refusals := func() int { return strings.Count(p.n.Log.String(), "reason="+model.ReasonTimeout) }
	before := refusals()
	testkit.Eventually(p.t, "the server gives up", func() bool { return refusals() > before })
	p.write("gone", "", 0o600)
	_ = cmd.Wait() // it was cut off
	_ = os.Remove(gone)
	return out.String()
}, code: model.ReasonTimeout, client: "OpenSSH", says: "did not log in in time", tells: "type it sooner|agent"}
