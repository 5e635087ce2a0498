package cli

import (
	"bytes"
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// machine is another machine: it has the server's address and a token in a file, and no data folder.
type machine struct {
	*world
	env []string
}

func (w *world) machine(role string) *machine {
	secret, _, code := w.run([]string{"sallyport", "token", "add", role, "--role", role})
	lines := strings.Split(secret, "\n")
	if code != 0 || len(lines) < 2 {
		w.Fatalf("token add: %d\n%s", code, secret)
	}
	file := filepath.Join(w.TempDir(), "token")
	testkit.Must(w, os.WriteFile(file, []byte(lines[1]+"\n"), 0o600))
	return &machine{w, []string{"SALLYPORT_URL=http://" + w.node.WebAddress(), "SALLYPORT_TOKEN_FILE=" + file}}
}

func (m *machine) run(args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = Run(IO{In: strings.NewReader(""), Out: &out, Err: &errs, Env: m.env, Clock: m.clock.now}, args)
	return out.String(), errs.String(), code
}

// does runs a command that must succeed, and returns what it prints.
func (m *machine) does(args ...string) string {
	m.Helper()
	out, errs, code := m.run(args...)
	if code != 0 {
		m.Fatalf("sallyport %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// refused runs a command that must be refused as a kind, in a sentence with words.
func (m *machine) refused(kind fault.Kind, words string, args ...string) {
	m.Helper()
	out, errs, code := m.run(args...)
	if code != kind.ExitCode() || !strings.Contains(errs, words) {
		m.Errorf("sallyport %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), code, kind.ExitCode(), words, out,
			errs)
	}
}

// A program on another machine publishes files and works off the inbox with a token, and can do
// nothing else.
func TestPublishAndPullFromElsewhere(t *testing.T) {
	w := newWorld(t)
	w.prepare([]string{"partners"})
	for _, c := range [][]string{{"feed", "add", "cdr", "--kind", "cdr"}, {"feed", "subscribe", "cdr", "acme"}} {
		w.prepare(append([]string{"sallyport"}, c...))
	}
	m := w.machine("publisher")
	m.does("publish", "cdr", "--account", "acme", "calls.csv")
	if list := m.does("delivery", "list"); !strings.Contains(list, "calls.csv") {
		t.Errorf("it sees no delivery:\n%s", list)
	}
	w.prepare([]string{"upload", "jo", "acme", "more.csv", "/upload/more.csv"})
	testkit.Eventually(t, "the file is pulled", func() bool {
		m.does("inbox", "pull", "--to", "landed", "--layout", "{name}-{id}")
		found, _ := filepath.Glob("landed/more.csv-*")
		return len(found) > 0
	})
	log, _, _ := w.run([]string{"sallyport", "audit", "list", "--json"})
	for _, action := range []string{`"publish`, `"drop.ack"`} {
		if !strings.Contains(log, `"actor": "token:publisher"`) || !strings.Contains(log, action) {
			t.Errorf("the audit log has no %s of token:publisher:\n%s", action, log)
		}
	}
	m.refused(fault.Denied, "The role publisher may not do this; admin and onboarding may.", "account", "add", "x",
		"--name", "X")
	m.refused(fault.Denied, "The role publisher may not do this", "files", "get", "acme", "/upload/more.csv", "-o", "-")

	w.prepare([]string{"sallyport", "token", "revoke", "publisher"})
	m.refused(fault.Unauthenticated, "This token does not work here.", "feed", "list")
}

// Support fetches contents with a reason alone, and the reason is recorded.
func TestSupportSaysWhyItFetchesContents(t *testing.T) {
	w := newWorld(t)
	w.prepare([]string{"partners"})
	w.prepare([]string{"upload", "jo", "acme", "calls.csv", "/upload/calls.csv"})
	m := w.machine("support")
	get := []string{"files", "get", "acme", "/upload/calls.csv", "-o", "-"}
	m.refused(fault.Denied, "only with a reason, which is recorded", get...)
	if out := m.does(append(get, "--reason", "ticket 4711")...); !strings.HasPrefix(out, "from,to,seconds") {
		t.Errorf("it fetched %q", out)
	}
	log, _, _ := w.run([]string{"sallyport", "audit", "list", "--action", "file.view"})
	if !strings.Contains(log, "reason=ticket 4711") || !strings.Contains(log, "token:support") {
		t.Errorf("the audit log has\n%s", log)
	}
}

// What is wrong with the address, the token or the authorities is said before anything is sent.
func TestWhatIsNeededElsewhere(t *testing.T) {
	w := newWorld(t)
	m := w.machine("auditor")
	if who := m.does("account", "list"); !strings.Contains(who, "There are no accounts") {
		t.Errorf("it says %q", who)
	}
	url := strings.TrimPrefix(m.env[0], "SALLYPORT_URL=")
	for _, c := range []struct {
		env   []string
		args  []string
		kind  fault.Kind
		words string
	}{
		{nil, []string{"account", "list", "--url", url}, fault.Unauthenticated, "An API token is needed"},
		{nil, []string{"account", "list", "--url", url, "--token-file", "none"}, fault.NotFound, "cannot be read"},
		{nil, []string{"account", "list", "--url", url, "--token-file", "calls.csv"}, fault.Invalid, "has no token"},
		{nil, []string{"account", "list", "--url", url, "--data", "data"}, fault.Invalid, "data"},
		{[]string{"SALLYPORT_TOKEN=sp_x"}, []string{"account", "list", "--url", "http://files.example.com"}, fault.Denied,
			"is without TLS"},
		{[]string{"SALLYPORT_TOKEN=sp_x"}, []string{"account", "list", "--url", "files.example.com"}, fault.Invalid,
			"is not the address of a server"},
		{[]string{"SALLYPORT_TOKEN=sp_x"}, []string{"account", "list", "--url", url}, fault.Unauthenticated,
			"This token does not work here."},
		{[]string{"SALLYPORT_TOKEN=sp_x", "SALLYPORT_CA=calls.csv"}, []string{"account", "list", "--url", url}, fault.Invalid,
			"has no certificate"},
		{[]string{"SALLYPORT_TOKEN=sp_x", "SALLYPORT_CA=none"}, []string{"account", "list", "--url", url}, fault.NotFound,
			"SALLYPORT_CA cannot be read"},
	} {
		(&machine{w, c.env}).refused(c.kind, c.words, c.args...)
	}
}

// TestAServerWithAnAuthorityOfItsOwn: its certificate is trusted by whoever names the authority, and by nobody else.
func TestAServerWithAnAuthorityOfItsOwn(t *testing.T) {
	authority, another := testkit.NewAuthority(t), testkit.NewAuthority(t)
	cert, key := authority.Files(t, "127.0.0.1")
	n := testkit.Start(t, testkit.WithWeb, func(c *config.Config) { c.Web.TLSCert, c.Web.TLSKey = cert, key })
	token := testkit.Call[model.Token](n, "POST", "/tokens", model.NewToken{Name: "far", Role: model.RoleAuditor}).Secret
	url := strings.Replace(n.WebURL(), "http:", "https:", 1)
	file := func(name string, text []byte) string {
		path := filepath.Join(t.TempDir(), name)
		testkit.Must(t, os.WriteFile(path, text, 0o600))
		return path
	}
	for _, c := range []struct {
		who     string
		ca      string
		pool    *x509.CertPool
		trusted bool
	}{
		{"one who names the authority", file("ours.pem", authority.PEM), authority.Pool(), true},
		{"one who names another", file("other.pem", another.PEM), another.Pool(), false},
		{"one who names none", "", nil, false},
	} {
		env := []string{"SALLYPORT_URL=" + url, "SALLYPORT_TOKEN=" + token}
		if c.ca != "" {
			env = append(env, "SALLYPORT_CA="+c.ca)
		}
		var out, errs bytes.Buffer
		code := Run(IO{In: strings.NewReader(""), Out: &out, Err: &errs, Env: env, Clock: time.Now},
			[]string{"account", "list"})
		if said := strings.Contains(errs.String(), "certificate"); (code == 0) != c.trusted || said == c.trusted {
			t.Errorf("%s: exit %d\n%s%s", c.who, code, &out, &errs)
		}
		var options []client.Option
		if c.pool != nil {
			options = append(options, client.Trusting(c.pool))
		}
		_, err := client.Remote(url, token, options...).ListAccounts(context.Background(), model.AccountFilter{})
		if (err == nil) != c.trusted {
			t.Errorf("%s, in a program: %v", c.who, err)
		}
	}
}
