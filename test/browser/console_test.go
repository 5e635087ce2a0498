package browser

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// operator opens a browser in which an operator with a role has just joined.
func (s *site) operator(email string, role model.Role) *tab {
	s.t.Helper()
	o, err := s.API.AddOperator(s.t.Context(), model.NewOperator{Email: email, Name: "Kim Hill", Role: role})
	testkit.Must(s.t, err)
	p := s.open()
	p.visit(o.Link)
	p.fill("password", words, "code", p.code())
	p.press("Set it up, and sign in")
	p.wait("/console/requests")
	p.clicks = 0
	return p
}

// on runs a story on both databases, one after the other: a browser takes a processor.
func on(t *testing.T, story func(t *testing.T, database testkit.Option)) {
	testkit.Needs(t, "chromium")
	run := func(name, url string) {
		t.Run(name, func(t *testing.T) { story(t, func(c *config.Config) { c.Database.URL = url }) })
	}
	run("sqlite", "")
	run("postgres", testkit.Postgres(t).Database(t))
}

// TestAPuTTYgenKeyFromTheFormToTheFirstFile: somebody with PuTTYgen's RSA key of 2048 bits sends its public
// file, and logs in with psftp.
func TestAPuTTYgenKeyFromTheFormToTheFirstFile(t *testing.T) {
	s := newSite(t)
	s.feeds()
	testkit.Needs(t, "puttygen")
	testkit.Needs(t, "psftp")
	_, err := s.API.AddAccount(t.Context(), model.NewAccount{ID: "10423", Name: "Blue Ridge Dental"})
	testkit.Must(t, err)
	_, err = s.API.AddContact(t.Context(), model.NewContact{Account: "10423", Name: "Pat Lee",
		Email: "pat@blueridge.example"})
	testkit.Must(t, err)
	dir := t.TempDir()
	private, public := filepath.Join(dir, "key.ppk"), filepath.Join(dir, "public.txt")
	for _, args := range [][]string{{"-q", "-t", "rsa", "-b", "2048", "-o", private, "--new-passphrase", "/dev/null"},
		{private, "-p", "-o", public}} { // as the button Save public key does
		out, err := exec.Command("puttygen", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	k := s.operator("kim@example.net", model.RoleOnboarding)
	p := s.open()
	p.visit("/")
	p.choose("key_file", public)
	p.see("Good: an RSA key of 2048 bits.")
	p.see("RFC 4716")
	p.aboutMe()
	p.press("Send the request")
	p.see("Please look into your mail")
	p.visit(s.mail.wait("jo@blueridge.example", "confirm").link())
	p.press("Confirm")
	p.see("We look at your request.")
	if told := s.mail.wait("pat@blueridge.example", ""); !strings.Contains(told.text, "Jo Hill") {
		t.Errorf("the account's contact is told %s", told.text)
	}
	k.visit("/console/requests")
	k.clicks = 0
	k.press("Jo Hill, Blue Ridge Dental")
	k.see("Checks")
	k.press("Approve")
	k.see("What was made")
	if k.clicks != 2 {
		t.Errorf("an operator needs %d clicks", k.clicks)
	}
	s.mail.wait("jo@blueridge.example", "ready")
	host, port, _ := strings.Cut(s.Addr, ":")
	keys, err := s.API.ListHostkeys(t.Context(), model.EveryFilter{})
	testkit.Must(t, err)
	fingerprint := ""
	for _, h := range keys.Items {
		if h.Type == "ssh-ed25519" {
			fingerprint = h.Fingerprint
		}
	}
	c := exec.Command("psftp", "-batch", "-i", private, "-hostkey", fingerprint, "-P", port, "blueridge@"+host)
	c.Stdin = strings.NewReader("cd /upload\nput " + public + " from-putty.csv\nquit\n")
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "from-putty.csv") {
		t.Fatalf("psftp: %v: %s", err, out)
	}
	testkit.Eventually(t, "the operator sees the first file", func() bool {
		var text string
		k.do(chromedp.Reload(), chromedp.Text("body", &text, chromedp.ByQuery))
		return strings.Contains(text, "first file")
	})
	k.picture("request-done")
	p.clean()
	k.clean()
}

// TestAnOperatorGivesAccess is the first way in from end to end: an onboarding manager sets a vendor's log-in
// up for an account, makes the pair in its own browser, and two people open one half each.
func TestAnOperatorGivesAccess(t *testing.T) {
	on(t, func(t *testing.T, database testkit.Option) {
		s := newSite(t, database, func(c *config.Config) { c.Users.NameRule = "account-id" })
		_, err := s.API.AddVendor(t.Context(), model.NewVendor{Short: "carrier1", Name: "Carrier One"})
		testkit.Must(t, err)
		k := s.operator("kim@example.net", model.RoleOnboarding)
		k.visit("/console/give")
		k.see("Search for an account, vendor or user.")
		k.picture("give")
		k.fill("text", "carrier")
		k.press("Search")
		k.press("carrier1")
		k.see("For which account does Carrier One get access?")
		k.press("Add a new account")
		k.fill("id", "4471", "name", "Acme Telecom")
		k.press("Make the account")
		k.see("4471-carrier1")
		k.picture("give-user")
		k.press("Make the user")
		k.see("1. Who gets what")
		for i, person := range [][2]string{{"Ann Li", "ann@acme.example"}, {"Rob Fox", "rob@carrier.example"}} {
			if i > 0 { // without anybody, the form is open
				k.press("Add a contact")
			}
			k.fill("name", person[0], "email", person[1])
			k.press("Add the contact")
			k.see(person[1])
			k.verifies(person[1])
		}
		k.picture("give-people")
		k.selects("key_to", "rob@carrier.example")
		k.selects("passphrase_to", "ann@acme.example")
		k.press("Continue")
		k.see("2. Make the pair and hand it over")
		k.picture("give-ready")
		k.press("Make the pair")
		k.see("Done. The key works now.")
		k.picture("given")

		private := s.takes(s.mail.wait("rob@carrier.example", "key").link())
		z, err := zip.NewReader(bytes.NewReader(private), int64(len(private)))
		testkit.Must(t, err)
		secret := secretOf(string(s.takes(s.mail.wait("ann@acme.example", "passphrase").link())))
		pem := inZip(t, z, "4471-carrier1")
		signer, err := ssh.ParsePrivateKeyWithPassphrase(pem, []byte(secret))
		testkit.Must(t, err)
		s.upload("4471-carrier1", signer, "/upload/2026-11.csv", "a,b\n")

		k.visit("/console/users/4471-carrier1")
		k.see("opened")
		testkit.Eventually(t, "the operator sees the first file", func() bool {
			var text string
			k.do(chromedp.Reload(), chromedp.Text("body", &text, chromedp.ByQuery))
			return strings.Contains(text, "First file") && !strings.Contains(text, "none yet")
		})
		k.picture("user")
		for name, half := range map[string]string{"the passphrase": secret, "the private key": firstLine(pem)} {
			if strings.Contains(k.sent(), half) {
				t.Errorf("%s left the operator's browser in clear", name)
			}
		}
		k.press("Revoke key")
		k.picture("revoke")
		k.fill("reason", "lost laptop")
		k.press("Revoke the key")
		k.see("revoked")
		if _, err := ssh.Dial("tcp", s.Addr, testkit.ClientConfig("4471-carrier1", signer)); err == nil {
			t.Error("a key that was revoked on the page logs in")
		}
		t.Logf("an operator's clicks and fields: %d", k.clicks)
		k.clean()
	})
}

// verifies counts a contact's address as verified.
func (p *tab) verifies(email string) {
	p.t.Helper()
	p.press("Mark an address as verified")
	p.selects("contact", email)
	p.fill("how", "called back on the number in the contract")
	p.press("Mark as verified")
	p.see("The address is marked as verified.")
}

// selects chooses an option by a part of its text.
func (p *tab) selects(id, text string) {
	p.t.Helper()
	var ok bool
	p.do(chromedp.Evaluate(`(() => { const s = document.getElementById("`+id+`");
		const o = [...s.options].find((o) => o.text.includes("`+text+`"));
		if (!o) return false;
		s.value = o.value;
		s.dispatchEvent(new Event("change", {bubbles: true}));
		return true; })()`, &ok))
	if !ok {
		p.t.Fatalf("%s has no option with %s", id, text)
	}
	p.clicks++
}

// takes opens a one-time link and presses its button, as a person does, and returns what it hands over.
func (s *site) takes(link string) []byte {
	s.t.Helper()
	resp, err := http.PostForm(s.url+link, url.Values{})
	testkit.Must(s.t, err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	testkit.Must(s.t, err)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the link answers %d: %s", resp.StatusCode, content)
	}
	return content
}

// secretOf returns the words that a page shows.
func secretOf(page string) string {
	_, rest, _ := strings.Cut(page, `<p class="secret">`)
	secret, _, _ := strings.Cut(rest, "</p>")
	return secret
}

// inZip returns the OpenSSH private key in an archive for a user.
func inZip(t *testing.T, z *zip.Reader, user string) []byte {
	t.Helper()
	for _, f := range z.File {
		r, err := f.Open()
		testkit.Must(t, err)
		content, err := io.ReadAll(r)
		testkit.Must(t, err)
		if bytes.Contains(content, []byte("BEGIN OPENSSH PRIVATE KEY")) {
			return content
		}
	}
	t.Fatalf("the archive for %s has no private key", user)
	return nil
}

// upload uploads a file over SFTP.
func (s *site) upload(user string, key ssh.Signer, path, content string) {
	s.t.Helper()
	c := s.SFTP(user, key)
	defer c.Close()
	f, err := c.Create(path)
	testkit.Must(s.t, err)
	_, err = f.Write([]byte(content))
	testkit.Must(s.t, err)
	testkit.Must(s.t, f.Close())
}

// TestPagesForOperatorsCanBeUsedByEverybody: axe finds nothing on any of them, in light and dark, and they fit
// a phone.
func TestPagesForOperatorsCanBeUsedByEverybody(t *testing.T) {
	s := newSite(t)
	s.feeds()
	source := axe(t)
	o, err := s.API.AddOperator(t.Context(), model.NewOperator{Email: "jo@example.net", Role: model.RoleSupport})
	testkit.Must(t, err)
	p := s.open()
	look := func(name, path, text string) {
		t.Helper()
		p.visit(path)
		p.see(text)
		p.accessible(name, source)
	}
	look("a link to join", o.Link, "Set up your sign-in")
	p.press("Set it up, and sign in")
	p.see("things need another look")
	p.accessible("a link to join, with mistakes", source)
	look("sign in", "/sign-in", "Sign in")
	look("the reference", "/api", "The API")
	look("an operation", "/api/operations/approve-request", "Approve a request")
	_, err = s.API.AddVendor(t.Context(), model.NewVendor{Short: "carrier1", Name: "Carrier One"})
	testkit.Must(t, err)
	_, err = s.API.AddAccount(t.Context(), model.NewAccount{ID: "acme", Name: "Acme Telecom"})
	testkit.Must(t, err)
	for _, email := range []string{"ann@acme.example", "jo@acme.example"} {
		_, err = s.API.AddContact(t.Context(), model.NewContact{Account: "acme", Name: "Ann Li", Email: email})
		testkit.Must(t, err)
	}
	pair := testkit.NewPair(t)
	request, err := s.API.AddRequest(t.Context(), model.AddRequest{Channel: model.ChannelPhone,
		Verified: "called back", NewRequest: model.NewRequest{FirstName: "Jo", LastName: "Hill", Email: "jo@acme.example",
			Company: "Acme Telecom", AccountNumber: "acme", Key: pair.Line, Feeds: []string{"cdr"}}})
	testkit.Must(t, err)
	p = s.operator("kim@example.net", model.RoleAdmin)
	look("the queue", "/console/requests", "Jo Hill")
	look("a queue of nothing", "/console/requests?text=zzzz", "matches")
	look("a request", "/console/requests/"+request.Reference, "Checks")
	look("no request", "/console/requests/none", "none")
	look("record a request", "/console/requests/new", "Record a request")
	look("give access", "/console/give", "Search for an account, vendor or user.")
	look("give access to a vendor", "/console/give?account=acme&vendor=carrier1", "A new user")
	p.visit("/console/requests/" + request.Reference)
	p.press("Approve")
	p.see("What was made")
	p.accessible("a request that is ready", source)
	look("a user", "/console/users/acme", "One-time links")
	look("hand a key over", "/console/users/acme/give", "Who gets what")
	look("my sign-in", "/console/me", "How you sign in")
	look("a new password", "/console/me/password", "authenticator app")
	look("no page", "/console/nothing", "Nothing here")
	p.clean()
}
