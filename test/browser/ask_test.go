package browser

import (
	"archive/zip"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// feeds makes what may be asked for.
func (s *site) feeds() {
	s.t.Helper()
	for name, title := range map[string]string{"cdr": "Call detail records", "data": "Data records",
		"invoice": "Invoice data records"} {
		_, err := s.API.AddFeed(context.Background(), model.NewFeed{Name: name, Title: title, Kind: name,
			Types: []string{"csv", "pdf"}})
		testkit.Must(s.t, err)
	}
}

// aboutMe fills in who asks, and what for.
func (p *tab) aboutMe() {
	p.t.Helper()
	p.fill("first_name", "Jo", "last_name", "Hill", "email", "jo@blueridge.example", "phone", "+1 540 555 0100",
		"company", "Blue Ridge Dental", "account_number", "10423", "username", "blueridge")
	p.click(`input[name=feeds][value=invoice]`)
	p.click(`input[name=types][value=pdf]`)
	p.click(`input[name=types][value=csv]`)
}

// TestFromTheFormToTheFirstFile: somebody with nothing but a browser makes a key, asks for access, confirms the
// address, is approved, logs in with what was saved, and fetches the first file.
func TestFromTheFormToTheFirstFile(t *testing.T) { on(t, fromTheFormToTheFirstFile) }

func fromTheFormToTheFirstFile(t *testing.T, database testkit.Option) {
	s := newSite(t, database)
	s.feeds()
	p := s.open()
	p.visit("/")
	p.see("Ask for file access")
	p.picture("ask")

	p.press("I have no key yet")
	p.press("Make a key pair")
	p.see("Your pair is ready.")
	p.see("Good: an Ed25519 key.")
	p.picture("keygen")
	var words string
	p.do(chromedp.Text(".secret", &words, chromedp.ByQuery))
	p.press("Save the key files")
	private := unpack(t, p.downloaded("*.zip"))
	if n := len(strings.Fields(words)); n != 7 {
		t.Errorf("the passphrase has %d words: %q", n, words)
	}
	p.aboutMe()
	p.press("Send the request")
	p.see("Please look into your mail")
	p.picture("sent")

	p.visit(s.mail.wait("jo@blueridge.example", "confirm").link())
	p.see("Is this your address?")
	p.picture("confirm")
	p.press("Confirm")
	p.see("We look at your request.")
	p.picture("status-new")
	status := s.mail.wait("jo@blueridge.example", "received").link()

	k := s.operator("kim@example.net", model.RoleOnboarding)
	k.picture("queue")
	k.press("Jo Hill, Blue Ridge Dental")
	k.see("Checks")
	k.picture("request")
	k.press("Ask Jo a question")
	k.fill("text", "Is this for the Roanoke office?")
	k.press("Send the question")
	k.see("Questions and answers")
	p.visit(status)
	p.see("Is this for the Roanoke office?")
	p.picture("status-question")
	p.fill("text", "Yes, it is.")
	p.press("Send the answer")
	p.see("We look at your request.")

	k.do(chromedp.Reload())
	k.see("Yes, it is.")
	k.see("Ready to approve.")
	k.press("Make the account and approve")
	k.see("What was made")
	s.mail.wait("jo@blueridge.example", "ready")
	p.visit(status)
	p.see("Your access is ready")
	p.picture("status-ready")
	p.press(".ssh_config")
	site := string(testkit.MustRead(t, p.downloaded("*.ssh_config")))
	if !strings.Contains(site, "User blueridge") || !strings.Contains(site, "HostName files.example.com") {
		t.Errorf("the site file is %s", site)
	}
	p.press("The whole guide")
	p.see("File access for Blue Ridge Dental")
	p.picture("guide")
	p.press(".filezilla.xml")
	if site := string(testkit.MustRead(t, p.downloaded("*.filezilla.xml"))); !strings.Contains(site, ">sftp-key.ppk<") {
		t.Errorf("the site file is %s", site)
	}

	content := filepath.Join(t.TempDir(), "2026-11.csv")
	testkit.Must(t, os.WriteFile(content, []byte("a,b\n1,2\n"), 0o600))
	s.publish("invoice", "10423", content)
	p.visit(status)
	p.press(".known_hosts")
	got := s.openSSH(p.downloaded("*.ssh_config"), p.downloaded("*.known_hosts"), private["sftp-key"], words,
		"/download/invoice/2026-11.csv")
	if got != "a,b\n1,2\n" {
		t.Errorf("the first file has %q", got)
	}
	testkit.Eventually(t, "the request says so", func() bool {
		var text string
		p.visit(status)
		_ = chromedp.Run(p.Context, chromedp.Text("body", &text, chromedp.ByQuery)) // it may be loading
		return strings.Contains(text, "the first file has gone through")
	})
	p.picture("status-done")

	if !strings.Contains(p.sent(), "Blue Ridge Dental") {
		t.Error("what was sent was not seen, so this shows nothing")
	}
	for name, secret := range map[string]string{"the passphrase": words, "the private key": firstLine(private["sftp-key"]),
		"the passphrase in a form": strings.ReplaceAll(words, " ", "+"), "the PPK file": "Private-Lines"} {
		if strings.Contains(p.sent(), secret) {
			t.Errorf("%s left the browser", name)
		}
	}
	p.clean()
	t.Logf("a person's clicks and fields: %d", p.clicks)
}

// firstLine returns the first line of the base64 in a private key that is not the same in every key.
func firstLine(pem []byte) string { return strings.Split(string(pem), "\n")[3] }

// unpack returns the files of an archive.
func unpack(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	testkit.Must(t, err)
	defer z.Close()
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		testkit.Must(t, err)
		out[f.Name], err = io.ReadAll(r)
		testkit.Must(t, err)
	}
	return out
}

// publish publishes a file to an account.
func (s *site) publish(feed, account, file string) {
	s.t.Helper()
	c := exec.Command(os.Args[0], "--data", s.Data, "publish", feed, "--account", account, file)
	c.Env = append(os.Environ(), asProgram+"=1")
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// openSSH downloads a file with OpenSSH's sftp, as its user does: with the site files of the page and the key that the
// browser has made. Only where the server really listens is added, since its name is known to nobody here.
func (s *site) openSSH(config, hosts string, key []byte, passphrase, path string) string {
	s.t.Helper()
	testkit.Needs(s.t, "sftp")
	dir := s.t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		at := filepath.Join(dir, name)
		testkit.Must(s.t, os.WriteFile(at, []byte(content), mode))
		return at
	}
	host, port, err := net.SplitHostPort(s.Addr)
	testkit.Must(s.t, err)
	alias := regexp.MustCompile(`(?m)^Host (\S+)`).FindSubmatch(testkit.MustRead(s.t, config))
	if alias == nil {
		s.t.Fatalf("%s names no host", config)
	}
	out := filepath.Join(dir, "fetched")
	known := strings.ReplaceAll(string(testkit.MustRead(s.t, hosts)), "[files.example.com]:"+port, "files.example.com")
	c := exec.Command("sftp", "-F", config, "-o", "HostName="+host, "-o", "Port="+port,
		"-o", "HostKeyAlias=files.example.com", "-o", "UserKnownHostsFile="+file("known", known, 0o600),
		"-o", "StrictHostKeyChecking=yes",
		"-o", "IdentityFile="+file("sftp-key", string(key), 0o600), string(alias[1])+":"+path, out)
	c.Env = append(os.Environ(), "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS="+
		file("askpass", "#!/bin/sh\necho '"+passphrase+"'\n", 0o700))
	if said, err := c.CombinedOutput(); err != nil {
		s.t.Fatalf("sftp: %v: %s", err, said)
	}
	return string(testkit.MustRead(s.t, out))
}

// TestAPrivateKeyIsRefusedBeforeItIsSent: pasted, chosen or typed, nothing of it leaves the browser.
func TestAPrivateKeyIsRefusedBeforeItIsSent(t *testing.T) {
	s := newSite(t)
	s.feeds()
	dir := t.TempDir()
	made := map[string]string{"openssh": "-t ed25519", "pkcs1": "-t rsa -b 2048 -m PEM",
		"pkcs8": "-t rsa -b 2048 -m PKCS8"}
	for name, args := range made {
		testkit.Must(t, exec.Command("ssh-keygen", append(strings.Fields(args), "-q", "-N", "", "-f",
			filepath.Join(dir, name))...).Run())
	}
	testkit.Must(t, exec.Command("puttygen", "-q", "-t", "ed25519", "-o", filepath.Join(dir, "ppk"),
		"--new-passphrase", "/dev/null").Run())
	testkit.Must(t, exec.Command("sh", "-c",
		"openssl pkcs8 -topk8 -nocrypt -outform DER -in "+dir+"/pkcs8 -out "+dir+"/der").Run())
	p := s.open()
	p.visit("/")
	before := len(p.sent())
	for _, name := range []string{"openssh", "pkcs1", "pkcs8", "ppk", "der"} {
		p.do(chromedp.Evaluate(`document.getElementById("key-answer").replaceChildren()`, nil))
		p.choose("key_file", filepath.Join(dir, name))
		p.see("It has not been sent and is still safe.")
		if name != "der" {
			p.do(chromedp.Evaluate(`document.getElementById("key-answer").replaceChildren()`, nil))
			p.paste("key", string(testkit.MustRead(t, filepath.Join(dir, name))))
			p.see("It has not been sent and is still safe.")
		}
		if v := p.value("key"); v != "" {
			t.Errorf("%s stays in the field: %s", name, v)
		}
	}
	p.picture("private")
	p.paste("message", string(testkit.MustRead(t, filepath.Join(dir, "openssh"))))
	p.press("Send the request")
	p.see("It has not been sent and is still safe.")
	if more := p.sent()[before:]; more != "" {
		t.Errorf("something was sent: %s", more)
	}
	p.clean()
}
