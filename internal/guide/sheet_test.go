package guide_test

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// logo is a picture as config.Operator.Read gives it: an SVG with a script in it.
const logo = "data:image/svg+xml;base64," +
	"PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciPjxzY3JpcHQ+eDwvc2NyaXB0Pjwvc3ZnPg=="

// vendorCard is the card of a vendor that only sends.
func vendorCard() guide.Card {
	c := card()
	c.Vendor, c.Kind, c.User, c.Feeds, c.Keys = "Carrier One", model.KindVendor, "acme-carrier1", nil, nil
	c.StartDir, c.Folders = "/upload", []guide.Folder{{Path: "/upload", Send: true, Fetch: true, Retention: "12mo"}}
	return c
}

// serviceCard is the card of a program of the platform's own.
func serviceCard() guide.Card {
	c := card()
	c.Kind, c.User, c.Feeds, c.Folders, c.StartDir, c.Inbox = model.KindService, "billing", nil, nil, "/", true
	c.Outbound = []guide.Outbound{{Name: "cdr", Title: "Call detail records"}, {Name: "invoice"}}
	return c
}

// wants fails unless every form says some texts, and none says others.
func wants(t *testing.T, c guide.Card, says, silent []string) {
	t.Helper()
	for form, text := range render(t, c) {
		got := read(form, text)
		for _, s := range says {
			if !strings.Contains(got, s) {
				t.Errorf("%s does not say %q:\n%s", form, s, got)
			}
		}
		for _, s := range silent {
			if strings.Contains(got, s) {
				t.Errorf("%s says %q", form, s)
			}
		}
	}
}

func TestAVendorThatOnlySendsSeesNoStepsForFetching(t *testing.T) {
	wants(t, vendorCard(),
		[]string{"File access for Carrier One", "for Acme GmbH & Co. KG.", "Send files", "Put your files into /upload.",
			"Open /upload, and drag your files into it.", "send files; you see what you sent",
			"copy FILE acme-carrier1-sftp:/upload", "-T FILE sftp://sftp.example.com:3333/upload/", "/upload/refused"},
		[]string{"Fetch files", "To fetch", "You receive", "fetch them", "/reports", "--include"})
}

func TestWhoOnlyFetchesSeesNoStepsForSending(t *testing.T) {
	c := card()
	c.Folders = c.Folders[1:]
	wants(t, c, []string{"Fetch files", "Open /reports/cdr, and drag files to your computer."},
		[]string{"Send files", "To send", "/upload", "-T FILE"})
}

func TestAProducerSeesWhereItPublishes(t *testing.T) {
	wants(t, serviceCard(),
		[]string{"Call detail records in /outbound/cdr/…", "invoice in /outbound/invoice/…", "in /inbox/…", "Publish files",
			"/outbound/cdr/<account>", "/outbound/cdr/all", "Removing a file that you have read to its end accepts it"},
		[]string{"Send files", "Fetch files", "Starts in", "/upload"})
	c := card()
	c.Outbound = []guide.Outbound{{Name: "cdr"}}
	wants(t, c, []string{"cdr in /outbound/cdr/…", "Publish files", "Send files", "Fetch files"}, []string{"/inbox"})
	c = serviceCard()
	for i := range 20 {
		c.Outbound = append(c.Outbound, guide.Outbound{Name: fmt.Sprint("feed", i)})
	}
	wants(t, c, []string{"in 22 feeds, in /outbound/…"}, []string{"feed3"})
}

func TestTheOperatorIsNamedInEveryForm(t *testing.T) {
	c := card()
	c.Operator = exchange.Operator{Name: "Example Networks & Sons", URL: "https://www.example.net", Logo: logo}
	wants(t, c, []string{"Example Networks & Sons", "https://www.example.net",
		"how to exchange files with Example Networks & Sons over SFTP", "acme-example-networks-sons.winscp.ini"}, nil)
	page := render(t, c)["html"]
	if !strings.Contains(html.UnescapeString(page), `<img src="`+logo+`" alt="Example Networks & Sons">`) ||
		strings.Contains(page, "<script") {
		t.Errorf("the page does not show the logo as a picture:\n%.3000s", page)
	}
	if page := render(t, card())["html"]; strings.Contains(page, "<img") || strings.Contains(page, "<header") {
		t.Error("a page without an operator has a head")
	}
	for name, want := range map[string]string{"": "acme-sftp", "Müller & Co": "acme-m-ller-co", "李": "acme-sftp",
		"A company with a very long name indeed": "acme-a-company-with-a-very"} {
		c.Operator.Name = name
		if c.Alias() != want {
			t.Errorf("%q makes the name %q, want %q", name, c.Alias(), want)
		}
	}
}

func TestYourProgramComesFirstAndTheOthersAreFolded(t *testing.T) {
	for _, program := range guide.Guided() {
		c := card()
		must(t, c.PutFirst(program))
		all := render(t, c)
		if n := strings.Count(all["html"], "<details>"); n != len(guide.Guided())-1 {
			t.Errorf("%s: %d programs are folded", program, n)
		}
		for _, form := range []string{"text", "md"} {
			if got := read(form, all[form]); !strings.Contains(got, "Steps for other programs are on request: ") ||
				strings.Contains(got, "rclone.conf") != (program == "rclone") {
				t.Errorf("%s for %s:\n%s", form, program, got)
			}
		}
	}
	c := card()
	if strings.Contains(render(t, c)["html"], "<details>") {
		t.Error("something is folded, though no program was chosen")
	}
	if err := c.PutFirst("total\x1bcommander"); !fault.Is(err, fault.Invalid) ||
		!strings.Contains(fault.HintIn(err), "winscp, filezilla") || strings.ContainsRune(err.Error(), '\x1b') {
		t.Errorf("%v", err)
	}
}

func TestEachProgramHasTheFingerprintThatItShows(t *testing.T) {
	hosts := []model.HostKey{{Type: "ssh-rsa", Fingerprint: "SHA256:rsa", MD5: "aa:rsa"},
		{Type: "ecdsa-sha2-nistp256", Fingerprint: "SHA256:ecdsa", MD5: "aa:ecdsa"},
		{Type: "ssh-ed25519", Fingerprint: "SHA256:ed", MD5: "aa:ed"}}
	for program, says := range map[string]string{
		"winscp":    "WinSCP shows the server's fingerprint. This is the one that it shows: SHA256:ed (Ed25519)",
		"filezilla": "FileZilla shows the server's fingerprint. This is the one that it shows: SHA256:ed (Ed25519)",
		"cyberduck": "Cyberduck shows the server's fingerprint. This is the one that it shows: aa:ed (Ed25519)",
		"putty":     "this is the one that it shows: SHA256:ed (Ed25519)",
		"openssh":   "this is the one: SHA256:ed (Ed25519)",
		"curl":      "--hostpubsha256 ecdsa"} {
		c := card()
		c.HostKeys = hosts
		must(t, c.PutFirst(program))
		wants(t, c, []string{says}, nil)
	}
	c := card()
	c.HostKeys = hosts
	wants(t, c, []string{"SHA256:ed: this is the one that WinSCP, FileZilla, PuTTY and OpenSSH show",
		"In the older form (MD5): aa:ed: this is the one that Cyberduck shows",
		"SHA256:ecdsa; shown by OpenSSH before version 8.5"}, nil)
	must(t, c.PutFirst("winscp"))
	wants(t, c, []string{"Before version 5.12, WinSCP shows aa:ed."}, nil)
	c.HostKeys = hosts[:1]
	wants(t, c, []string{"SHA256:rsa (RSA): this is the one that WinSCP shows"}, []string{"Ed25519)"})
}

func TestWhoMayMakeKeysIsTold(t *testing.T) {
	c := card()
	c.Keys = nil
	wants(t, c, []string{"Make a key pair", "Start PuTTYgen"}, []string{"we never make a private key for you"})
	c.KeysBy = model.KeysByCustomer
	wants(t, c, []string{"Make a key pair", "we never make a private key for you"}, nil)
	c.KeysBy = model.KeysByOperator
	wants(t, c, []string{"We make the pair here, and give you acme"}, []string{"Make a key pair", "Start PuTTYgen"})
}

func TestWhatIsExpectedIsSaid(t *testing.T) {
	c := vendorCard()
	c.Expected = []guide.Expected{{Glob: "cdr-*.csv", Days: "daily", Clock: "06:00", Zone: "Australia/Sydney"},
		{Days: "weekdays", Clock: "18:00", Zone: "UTC", MostBytes: 1000, Later: true},
		{Days: "3", Clock: "12:00", Zone: "UTC", MostBytes: 10, Larger: true},
		{Days: "monday,friday", Clock: "12:00", Zone: "UTC"}}
	wants(t, c, []string{"We expect a file called cdr-*.csv every day by 06:00 (Australia/Sydney).",
		"We expect a file from Monday to Friday by 18:00 (UTC); what comes later is refused. It has 1000 bytes at most.",
		"on day 3 of each month by 12:00 (UTC). It has 10 bytes at most; what is larger is refused.",
		"on monday,friday by 12:00 (UTC)."}, nil)
}

func TestListsThatContradictEachOtherAreSaid(t *testing.T) {
	c := card()
	c.AllowIPs, c.Shut = nil, true
	wants(t, c, []string{"nowhere: please tell us"}, []string{"You can log in from"})
}

// TestAGuidePrintsOnFourPages prints the longest guides with a browser.
func TestAGuidePrintsOnFourPages(t *testing.T) {
	testkit.Needs(t, "chromium")
	named := func(c guide.Card) guide.Card {
		c.Operator = exchange.Operator{Name: "Example Networks", URL: "https://www.example.net", Logo: logo}
		for i := range c.HostKeys {
			c.HostKeys[i].Fingerprint = "SHA256:" + strings.Repeat("W", 43)
			c.HostKeys[i].MD5 = strings.TrimSuffix(strings.Repeat("dd:", 16), ":")
		}
		c.HostKeys = append(c.HostKeys, model.HostKey{Type: "ecdsa-sha2-nistp256", Fingerprint: c.HostKeys[0].Fingerprint,
			MD5: c.HostKeys[0].MD5})
		return c
	}
	for name, c := range map[string]guide.Card{"customer": card(), "vendor": vendorCard(), "producer": serviceCard(),
		"issued": card(), "one": card(), "keyless": card()} {
		c := named(c)
		switch name {
		case "issued":
			c.Issued = true
		case "keyless":
			c.Keys = nil
		case "one":
			must(t, c.PutFirst("filezilla"))
		}
		if n := pages(t, render(t, c)["html"]); n < 1 || n > 4 || name == "one" && n > 3 {
			t.Errorf("the guide of %s prints on %d pages", name, n)
		}
	}
}

// pageObject is a page in a PDF (ISO 32000-1 §7.7.3.3).
var pageObject = regexp.MustCompile(`/Type\s*/Page\b`)

// pages prints a page on A4 and counts the sheets.
func pages(t *testing.T, page string) int {
	t.Helper()
	dir := t.TempDir()
	file, pdf := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.pdf")
	must(t, os.WriteFile(file, []byte(page), 0o600))
	out, err := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+dir,
		"--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+file).CombinedOutput()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, out)
	}
	content, err := os.ReadFile(pdf)
	must(t, err)
	return len(pageObject.FindAll(content, -1))
}
