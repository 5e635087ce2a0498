package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// clock starts on a Monday at six, and runs in real time. Minutes are not recorded.
type clock struct {
	started time.Time
	ahead   atomic.Int64 // nanoseconds added by "travel"
}

func (c *clock) now() time.Time {
	return time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC).Add(time.Since(c.started) + time.Duration(c.ahead.Load()))
}

// nodeUnderTest is a world's server.
type nodeUnderTest struct {
	*node.Node
	config config.Config
	addr   string
	log    testkit.Log
	open   []*ssh.Client
}

func (w *world) start() {
	w.Helper()
	log := slog.New(slog.NewTextHandler(&w.node.log, nil))
	n, err := node.Start(node.Options{Config: w.node.config, Clock: w.clock.now, Log: log})
	testkit.Must(w, err)
	w.node.Node, w.node.addr = n, n.Addresses()[0]
}

func (w *world) stop() {
	w.disconnect()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	w.node.Close(ctx)
}

// newWorld starts a node in an empty folder, with the files and keys that scripts use.
func newWorld(t *testing.T) *world {
	t.Helper()
	t.Chdir(t.TempDir())
	w := &world{T: t, env: []string{"SALLYPORT_DATA=data"}}
	w.clock.started = time.Now()
	w.files()
	_, err := identity.ImportHostKeys("data", []string{"host"}, false) // making an RSA key takes a second
	testkit.Must(t, err)
	mail := mailServer(t)
	cfg := config.Default()
	cfg.Data, cfg.Listen = "data", []string{"127.0.0.1:0"}
	cfg.Storage.FreeFloor, cfg.Users.NameRule = 0, "free"
	cfg.Endpoint = config.Endpoint{Host: "files.example.com", Port: 22}
	cfg.Support = exchange.Support{Email: "help@example.com", Phone: "+61 2 5550 0100"}
	cfg.Web = config.Web{Listen: "127.0.0.1:0", URL: "https://files.example.com"}
	cfg.Keys.Pending = strings.HasSuffix(t.Name(), "/key_pending")
	cfg.Access.NeverBan, cfg.Access.BanAfter = nil, 3
	cfg.Webhooks.Allow = []string{"127.0.0.0/8"}
	cfg.Mail.Operators = []string{"ops@example.com"}
	cfg.Mail.Host, cfg.Mail.Port, cfg.Mail.TLS, cfg.Mail.From = "127.0.0.1", mail, "none", "files@example.com"
	if strings.HasSuffix(t.Name(), "/zone") {
		cfg.TimeZone = "Australia/Sydney"
	}
	if strings.HasSuffix(t.Name(), "/notice") { // without mail, notices must be recorded by hand
		cfg.Mail = config.Default().Mail
	}
	switch name := t.Name(); {
	case strings.HasSuffix(name, "/guide_test"):
		cfg.Endpoint = config.Endpoint{Host: "127.0.0.1"}
	case strings.HasSuffix(name, "/guide_nameless"):
		cfg.Endpoint = config.Endpoint{}
	case strings.HasSuffix(name, "/policy"):
		cfg.Keys.MadeBy, cfg.Users.NameRule = model.KeysByOperator, "account-id"
		cfg.Contacts.Needed = config.Needed{Technical: 1, Security: 1}
	case strings.HasSuffix(name, "/policy_customer"):
		cfg.Keys.MadeBy = model.KeysByCustomer
		cfg.Users = config.Users{NameRule: "pattern", NamePattern: "{account}-*"}
	}
	w.node.config = cfg
	w.start()
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			t.Logf("server log:\n%s", &w.node.log)
		}
	})
	return w
}

// files writes the files that scripts send, and the keys of three people.
func (w *world) files() {
	w.Helper()
	for name, content := range map[string]string{
		"calls.csv": "from,to,seconds\n+61255501001,+61400000001,62\n+61255501002,+61400000002,7\n",
		"more.csv":  "from,to,seconds\n+61255501003,+61400000003,12\n",
		"bill.pdf":  "%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n",
		"words.txt": "not a key at all\n",
		"bad.yaml":  "listen: [\"2022\"]\nlimits:\n  idel: 5m\nstorage:\n  quota: 5 apples\nlog: {level: inof}\n",
		"accounts":  "acme\nglobex # paid\n",
		"yes":       "y\n",
		"no":        "\n",
		"mistakes.yaml": "accounts:\n  - id: north/wind\n    name: North\n  - id: acme\n    name: Acme\n" +
			"    parent: nobody\n  - id: globex\n    name: Globex\n    contacts:\n      - {name: Jo, email: no-address}\n" +
			"    users:\n      - keys: [jo, none.pub]\n        feeds: [{feed: cdr}]\n        tags: [Gold]\n" +
			"      - {vendor: nobody}\n      - {name: globex}\n" +
			"  - {id: a, name: A, parent: b}\n  - {id: b, name: B, parent: a}\n",
		"mistakes.csv": "account;name;user;key\nacme;Acme;acme;jo\n;;x;\nACME;Other;;\n",
		"strange.yaml": "vendors:\n  - id: carrier1\n    name: Carrier One\n    tags: voice\n" +
			"accounts:\n  - id: acme\n    titel: Acme\n    users: [acme]\n" +
			"    contacts:\n      - {name: Jo, emial: jo@acme.example}\n" +
			"  - just a word\n  - id: [globex]\n    name: Globex\n    users:\n      - keys: [none.pub]\nacounts: []\n",
		"strange.csv": "account,title,names\nacme,Acme\nglobex,\"Glo\"bex,\ninitech,,,,\n",
		"broken.yaml": "accounts:\n  - id: acme\n   name: Acme\n",
	} {
		testkit.Must(w, os.WriteFile(name, []byte(content), 0o600))
	}
	for name, content := range keyFiles() {
		testkit.Must(w, os.WriteFile(name, content, 0o600))
	}
}

// keyFiles returns the key files of three people and the server: public, private, and private
// with a passphrase. They are made once, because a passphrase costs time on purpose.
var keyFiles = sync.OnceValue(func() map[string][]byte {
	files := map[string][]byte{}
	for _, who := range []string{"jo", "ann", "sam", "host"} {
		key := privateKey(who)
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			panic(err)
		}
		open, err := ssh.MarshalPrivateKey(key, who+"@laptop")
		if err != nil {
			panic(err)
		}
		locked, err := ssh.MarshalPrivateKeyWithPassphrase(key, who+"@laptop", []byte("seven words"))
		if err != nil {
			panic(err)
		}
		line := bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey()))
		files[who+".pub"] = append(line, " "+who+"@laptop\n"...)
		files[who], files[who+".locked"] = pem.EncodeToMemory(open), pem.EncodeToMemory(locked)
	}
	return files
})

// partners are the commands that make the partners of most scripts.
var partners = []string{
	"sallyport account add acme --name 'Acme Ltd'",
	"sallyport vendor add carrier1 --name 'Carrier One'",
	"sallyport user add --account acme",
	"sallyport user add --account acme --vendor carrier1",
	"sallyport contact add acme --name 'Jo Hill' --email jo@acme.example",
	"sallyport contact add acme --name 'Ann Li' --email ann@acme.example --role security",
	"sallyport key add acme jo.pub --holder jo@acme.example",
}

// privateKey returns a person's key. It is the same in every run.
func privateKey(who string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, who)
	return ed25519.NewKeyFromSeed(seed)
}

// prepare runs a step that is not recorded.
func (w *world) prepare(words []string) {
	w.Helper()
	switch words[0] {
	case "sallyport":
		if out, stderr, code := w.run(words); code != 0 {
			w.Fatalf("%q ended with %d:\n%s%s", words, code, out, stderr)
		}
	case "partners": // a customer with a key, its vendor, and two contacts
		for _, line := range partners {
			w.prepare(split(line))
		}
	case "upload": // upload jo acme calls.csv /upload/calls.csv
		c := w.sftp(words[1], words[2])
		f, err := c.Create(words[4])
		testkit.Must(w, err)
		_, err = f.Write(testkit.MustRead(w, words[3]))
		testkit.Must(w, err)
		testkit.Must(w, f.Close())
		w.disconnect()
	case "refuse-upload": // refuse-upload jo acme calls.csv /upload/calls.csv: an upload that fails
		c := w.sftp(words[1], words[2])
		f, err := c.Create(words[4])
		testkit.Must(w, err)
		if _, err = f.Write(testkit.MustRead(w, words[3])); err == nil {
			err = f.Close()
		}
		if err == nil {
			w.Fatalf("%q was stored", words)
		}
		w.disconnect()
	case "begin": // begin jo acme calls.csv /upload/calls.csv: an upload that goes on
		f, err := w.sftp(words[1], words[2]).Create(words[4])
		testkit.Must(w, err)
		_, err = f.Write(testkit.MustRead(w, words[3]))
		testkit.Must(w, err)
	case "download": // download jo acme /download/cdr/calls.csv
		c := w.sftp(words[1], words[2])
		f, err := c.Open(words[3])
		testkit.Must(w, err)
		_, err = io.Copy(io.Discard, f)
		testkit.Must(w, err)
		testkit.Must(w, f.Close())
		w.disconnect()
	case "connect": // connect jo acme: log in, and stay connected
		w.sftp(words[1], words[2])
		w.recordedAll()
	case "columns": // columns 60: the width of the terminal
		w.env = append(w.env, "COLUMNS="+words[1])
	case "disconnect":
		w.disconnect()
	case "refused": // refused sam acme: a log-in that fails
		if c, err := w.dial(words[1], words[2]); err == nil {
			_ = c.Close()
			w.Fatalf("%q was let in", words)
		}
		w.recordedAll()
	case "travel": // travel 40d
		d, err := parseLength(words[1])
		testkit.Must(w, err)
		w.clock.ahead.Add(int64(d))
	case "restart": // periodic tasks also run at the start
		w.stop()
		w.start()
	case "until", "while": // until TEXT sallyport …: wait until its output has that, or while it has
		w.wait(words[1], words[0] == "until", words[2:])
	default:
		w.Fatalf("nobody knows how to do %q", words)
	}
}

// wait repeats a command until its output has a text or, if has is false, no longer has it.
func (w *world) wait(text string, has bool, words []string) {
	w.Helper()
	out, stderr := "", ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if out, stderr, _ = w.run(words); strings.Contains(out, text) == has {
			return
		}
	}
	w.Fatalf("it did not happen in time that %q says %q (%v); it says:\n%s%s", words, text, has, out, stderr)
}

// disconnect ends the sessions, and waits until the server has recorded them.
func (w *world) disconnect() {
	if w.node.open == nil {
		return
	}
	for _, c := range w.node.open {
		_ = c.Close() // the server may have closed it
	}
	w.node.open = nil
	w.wait("Golden", false, []string{"sallyport", "session", "list"})
	w.recordedAll()
}

// recordedAll makes the server write the log-ins and refusals that it has queued: a report on a key
// begins with that.
func (w *world) recordedAll() {
	w.Helper()
	jo, err := ssh.NewSignerFromKey(privateKey("jo"))
	testkit.Must(w, err)
	w.run([]string{"sallyport", "key", "activity", ssh.FingerprintSHA256(jo.PublicKey())})
}

func (w *world) dial(who, user string) (*ssh.Client, error) {
	signer, err := ssh.NewSignerFromKey(privateKey(who))
	testkit.Must(w, err)
	cfg := testkit.ClientConfig(user, signer)
	cfg.ClientVersion = "SSH-2.0-Golden_1.0"
	return ssh.Dial("tcp", w.node.addr, cfg)
}

func (w *world) sftp(who, user string) *sftp.Client {
	w.Helper()
	conn, err := w.dial(who, user)
	testkit.Must(w, err)
	w.node.open = append(w.node.open, conn)
	c, err := sftp.NewClient(conn)
	testkit.Must(w, err)
	return c
}

// mailServer accepts mail and discards it. It refuses addresses that begin with "refused".
func mailServer(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Must(t, err)
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return letters{}, nil }))
	s.Domain, s.AllowInsecureAuth = "localhost", true
	go func() { _ = s.Serve(l) }() // it ends with the test
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

type letters struct{}

func (letters) Reset()                               {}
func (letters) Logout() error                        { return nil }
func (letters) Mail(string, *smtp.MailOptions) error { return nil }

func (letters) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "refused") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	return nil
}

func (letters) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
