package guide_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/model"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v (hint: %s)", err, fault.HintIn(err))
	}
}

// card returns a card with all fields set.
func card() guide.Card {
	day := func(s string) time.Time { t, _ := time.Parse(time.DateOnly, s); return t }
	return guide.Card{Account: "Acme GmbH & Co. KG", User: "acme", Host: "sftp.example.com", Port: 3333,
		HostKeys: []model.HostKey{
			{Type: "ssh-rsa", Bits: 3072, Fingerprint: "SHA256:rsa/AAAA", Public: "ssh-rsa AAAAB3rsa"},
			{Type: "ssh-ed25519", Bits: 256, Fingerprint: "SHA256:ed+BBBB", Public: "ssh-ed25519 AAAAC3ed"}},
		StartDir: "/reports",
		Folders: []guide.Folder{{Path: "/upload", Send: true, Fetch: true},
			{Path: "/reports", Fetch: true}},
		AllowIPs: []string{"203.0.113.0/24", "2001:db8::/32"},
		Keys: []model.Key{
			{Type: "ssh-ed25519", Fingerprint: "SHA256:first", ExpiresAt: new(day("2027-03-04"))},
			{Type: "ecdsa-sha2-nistp256", Fingerprint: "SHA256:second", RetiresAt: new(day("2026-05-06")),
				ExpiresAt: new(day("2028-01-01"))},
			{Type: "ssh-ed25519", Fingerprint: "SHA256:third"}},
		Support: exchange.Support{Email: "help@example.com", URL: "https://help.example.com/sftp", Phone: "+61 2 5550 0000"},
		Feeds: []guide.Feed{{Name: "cdr", Dir: "/reports/cdr", Types: []string{"csv", "pdf"}, Retention: "12mo"},
			{Name: "rates", Title: "Rates of the month", MayRemove: true, Dir: "/reports/rates", Retention: "90d"}},
		Made: day("2026-01-05")}
}

// facts are what every format of the guide of that card must contain.
var facts = []string{"File access for Acme GmbH & Co. KG", "sftp.example.com", "3333", "SFTP", "acme",
	"SHA256:rsa/AAAA", "SHA256:ed+BBBB (Ed25519): this is the one that most programs show",
	"ssh-ed25519, SHA256:first, works until 2027-03-04", "ecdsa-sha2-nistp256, SHA256:second, works until 2026-05-06",
	"ssh-ed25519, SHA256:third",
	"/reports", "/upload: send files; see and fetch them", "/reports: fetch files",
	"cdr in /reports/cdr (csv, pdf), kept for 12 months",
	"Rates of the month in /reports/rates, kept for 90 days; you may remove what you have fetched",
	"only 203.0.113.0/24, 2001:db8::/32", "help@example.com, https://help.example.com/sftp, +61 2 5550 0000",
	"5 January 2026",
	"Server address", "Port", "Protocol", "Username", "Log-in", "Your key on file", "Server's fingerprint", "Starts in",
	"Folder", "You receive", "Log in from", "Help", "As of"}

// render returns the guide in each format.
func render(t testing.TB, c guide.Card) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, form := range []string{"text", "md", "html"} {
		text, err := c.Render(form)
		must(t, err)
		out[form] = text
	}
	return out
}

var (
	tag      = regexp.MustCompile(`(?s)<style>.*?</style>|<[^>]*>`)
	mdEscape = regexp.MustCompile("\\\\([\\\\*_\\[\\]#|~`<>&!()-])")
	spaces   = regexp.MustCompile(`\s+`)
)

// read removes a format's markup.
func read(form, text string) string {
	switch form {
	case "html":
		text = html.UnescapeString(tag.ReplaceAllString(text, ""))
	case "md":
		text = html.UnescapeString(mdEscape.ReplaceAllString(strings.NewReplacer("`", "", "**", "").Replace(text), "$1"))
	}
	return spaces.ReplaceAllString(text, " ")
}

// words joins the lines of a text into one.
func words(s string) string { return strings.TrimSpace(spaces.ReplaceAllString(s, " ")) }
