package journeys

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// caller is a partner who calls for help: one account with its user of the same name, its key files, and a
// way to the server on which it has an address of its own.
type caller struct {
	t          *testing.T
	n          *testkit.Node
	user, from string
	dir        string
	host, port string
	key        ssh.Signer // of dir/id
	eu         string     // the region's listener
	done       map[string]bool
	held       []*ssh.Client
}

// callers counts those that were made, for their names and addresses.
var callers atomic.Int32

// newCaller makes an account and enrols the key in dir/id.
func newCaller(t *testing.T, n *testkit.Node) *caller {
	t.Helper()
	i := callers.Add(1)
	p := &caller{t: t, n: n, user: fmt.Sprintf("acme%d", i), from: fmt.Sprintf("203.0.113.%d", i), dir: t.TempDir(),
		done: map[string]bool{}}
	p.host, p.port = relay(t, n.Addr, p.from)
	testkit.Call[model.Account](n, "POST", "/accounts", map[string]string{"id": p.user, "name": p.user})
	testkit.Call[model.User](n, "POST", "/users", map[string]string{"account": p.user})
	p.key = p.makeKey("id", "")
	n.Enrol(p.user, p.key)
	return p
}

// relay is a load balancer for one client: it names the client to the server
// in a PROXY header, and passes on what both say.
func relay(t *testing.T, server, client string) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(balancer)}}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := from.Dial("tcp", server)
			if err != nil {
				_ = in.Close()
				continue
			}
			_, _ = fmt.Fprintf(out, "PROXY TCP4 %s 192.0.2.22 40000 22\r\n", client)
			pass := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_ = to.(*net.TCPConn).CloseWrite()
			}
			go pass(out, in)
			go pass(in, out)
		}
	}()
	host, port, _ = net.SplitHostPort(l.Addr().String())
	return host, port
}

func (p *caller) fingerprint() string { return ssh.FingerprintSHA256(p.key.PublicKey()) }

// state is what the key of dir/id is good for now.
func (p *caller) state() model.KeyState {
	p.t.Helper()
	for _, k := range testkit.List[model.Key](p.n, "/users/"+p.user+"/keys") {
		if k.Fingerprint == p.fingerprint() {
			return k.State
		}
	}
	return ""
}

// hold keeps sessions open until the test ends, at a way's first try alone.
func (p *caller) hold(sessions int) {
	p.t.Helper()
	for i := len(p.held); i < sessions; i++ {
		c, err := ssh.Dial("tcp", p.n.Addr, testkit.ClientConfig(p.user, p.key))
		if err != nil {
			p.t.Fatal(err)
		}
		p.held = append(p.held, c)
		p.t.Cleanup(func() { _ = c.Close() })
	}
}

// locked is a copy of the key file, under a passphrase.
func (p *caller) locked() string {
	p.t.Helper()
	for _, end := range []string{"", ".pub"} {
		p.write("locked"+end, string(testkit.MustRead(p.t, filepath.Join(p.dir, "id"+end))), 0o600)
	}
	p.run("", "ssh-keygen", "-q", "-p", "-P", "", "-N", "seven words", "-f", "locked")
	return "locked"
}

// makeKey writes an Ed25519 pair as ssh-keygen does.
func (p *caller) makeKey(name, passphrase string) ssh.Signer {
	p.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.writeKey(name, passphrase, private)
}

func (p *caller) makeRSA(name string) ssh.Signer {
	p.t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.writeKey(name, "", private)
}

func (p *caller) writeKey(name, passphrase string, private any) ssh.Signer {
	p.t.Helper()
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		p.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(name, string(pem.EncodeToMemory(block)), 0o600)
	p.write(name+".pub", string(ssh.MarshalAuthorizedKey(signer.PublicKey())), 0o600)
	return signer
}

func (p *caller) write(name, text string, mode os.FileMode) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// run runs a program in the partner's folder and returns what it printed,
// whether it worked or not.
func (p *caller) run(input, name string, args ...string) string {
	p.t.Helper()
	cmd := p.command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		p.t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

func (p *caller) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "SSH_AUTH_SOCK=", "DISPLAY=", "SSH_ASKPASS=", "PYTHONWARNINGS=ignore")
	return cmd
}

// options are OpenSSH's, for one key file.
func (p *caller) options(key string, more ...string) []string {
	o := []string{"-F", "/dev/null", "-oPort=" + p.port, "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null",
		"-oIdentitiesOnly=yes", "-oBatchMode=yes"}
	if key != "" {
		o = append(o, "-i", key)
	}
	return append(o, more...)
}

// sftp runs OpenSSH's sftp with a batch of commands.
func (p *caller) sftp(user, key, batch string, more ...string) string {
	p.t.Helper()
	return p.run(batch, "sftp", append(append(p.options(key, more...), "-b", "-"), user+"@"+p.host)...)
}

// ssh runs OpenSSH's ssh with a command.
func (p *caller) ssh(key string, more ...string) string {
	p.t.Helper()
	return p.run("", "ssh", append(p.options(key), append([]string{p.user + "@" + p.host}, more...)...)...)
}

// psftp runs PuTTY's psftp, which knows the server by its fingerprints.
func (p *caller) psftp(args ...string) string {
	p.t.Helper()
	all := []string{"-batch", "-P", p.port, "-l", p.user}
	for _, k := range testkit.List[model.HostKey](p.n, "/hostkeys") {
		all = append(all, "-hostkey", k.Fingerprint)
	}
	return p.run("ls\n", "psftp", append(append(all, args...), p.host)...)
}

// ppk makes PuTTY's form of a key file.
func (p *caller) ppk(key, passphrase string) string {
	p.t.Helper()
	out := p.run("", "puttygen", key, "-O", "private", "-o", key+".ppk", "--new-passphrase",
		p.write("phrase", passphrase+"\n", 0o600))
	if _, err := os.Stat(filepath.Join(p.dir, key+".ppk")); err != nil {
		p.t.Fatalf("puttygen: %s", out)
	}
	return key + ".ppk"
}

// curl runs curl, with libssh2 below it.
func (p *caller) curl(args ...string) string {
	p.t.Helper()
	return p.run("", "curl", append([]string{"-sS", "--max-time", "20", "--insecure"}, args...)...)
}

// python runs one of the scripts below with Debian's Python, which has
// paramiko and asyncssh.
func (p *caller) python(script string, args ...string) string {
	p.t.Helper()
	return p.run("", "/usr/bin/python3",
		append([]string{p.write("script.py", script, 0o600), p.host, p.port, p.user}, args...)...)
}

// paramikoScript logs in with a password, a key, another key and then id on the same
// connection, a key that signs nonsense, or one that signs with SHA-1 alone.
const paramikoScript = `
import sys, paramiko
host, port, user, mode, file = sys.argv[1:]
weak = {"pubkeys": ["rsa-sha2-256", "rsa-sha2-512"]} if mode == "sha1" else None
class Old(paramiko.Transport): # knows nothing of what servers say they take (RFC 8308)
    server_extensions = property(lambda self: {}, lambda self, value: None)
t = (Old if mode == "sha1" else paramiko.Transport)((host, int(port)), disabled_algorithms=weak)
class Broken(paramiko.Ed25519Key):
    def sign_ssh_data(self, data, algorithm=None):
        return super().sign_ssh_data(data + b"not what was asked for", algorithm)
try:
    t.start_client(timeout=20)
    if mode == "password":
        t.auth_password(user, "secret")
    elif mode == "second":
        for f in (file, "id"):
            try:
                t.auth_publickey(user, paramiko.Ed25519Key.from_private_key_file(f))
            except paramiko.AuthenticationException as e:
                print(e)
    else:
        kind = {"broken": Broken, "sha1": paramiko.RSAKey}.get(mode, paramiko.Ed25519Key)
        t.auth_publickey(user, kind.from_private_key_file(file))
except Exception as e:
    print(e)
print((t.get_banner() or b"").decode())
t.close()
`

// asyncsshScript lists the starting directory.
const asyncsshScript = `
import asyncio, sys, asyncssh
host, port, user, file = sys.argv[1:]
class Client(asyncssh.SSHClient):
    def auth_banner_received(self, msg, lang):
        print(msg)
async def main():
    async with asyncssh.connect(host, int(port), username=user, client_keys=[file], known_hosts=None,
            config=None, agent_path=None, client_factory=Client) as c:
        async with c.start_sftp_client() as s:
            print(await s.listdir("."))
try:
    asyncio.run(main())
except Exception as e:
    print(e)
`

// banner finds the reference that a program showed.
var banner = regexp.MustCompile(`reference ([2-9a-z]{4}-[2-9a-z]{4})`)
