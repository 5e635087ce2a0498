package config_test

import (
	"bytes"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

func picture(t *testing.T, side int, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, image.NewPaletted(image.Rect(0, 0, side, side), nil)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(b *bytes.Buffer, m image.Image) error { return png.Encode(b, image.NewGray(m.Bounds())) }
func asJPEG(b *bytes.Buffer, m image.Image) error {
	return jpeg.Encode(b, image.NewGray(m.Bounds()), nil)
}
func asGIF(b *bytes.Buffer, m image.Image) error {
	return gif.Encode(b, image.NewGray(m.Bounds()), nil)
}

func TestALogoIsAPictureThatBrowsersShow(t *testing.T) {
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>`
	for _, c := range []struct {
		name     string
		content  []byte
		kind, no string
	}{
		{"svg", []byte(svg), "image/svg+xml", ""},
		{"svg with a head", []byte("<?xml version=\"1.0\"?>\n<!-- ours -->\n" + svg), "image/svg+xml", ""},
		{"png", picture(t, 8, asPNG), "image/png", ""},
		{"jpeg", picture(t, 8, asJPEG), "image/jpeg", ""},
		{"gif", picture(t, 8, asGIF), "", "neither SVG nor PNG nor JPEG"},
		{"empty", nil, "", "neither SVG nor PNG nor JPEG"},
		{"text", []byte("our logo"), "", "neither SVG nor PNG nor JPEG"},
		{"html", []byte("<html><body>hello</body></html>"), "", "neither SVG nor PNG nor JPEG"},
		{"svg without a namespace", []byte("<svg><circle/></svg>"), "", "lacks xmlns"},
		{"half an svg", []byte(svg[:30]), "", "neither SVG nor PNG nor JPEG"},
		{"too large", append([]byte(svg), bytes.Repeat([]byte(" "), 256<<10)...), "", "larger than 256 KiB"},
		{"too wide", picture(t, 5000, asPNG), "", "5000 × 5000 pixels"},
	} {
		file := filepath.Join(t.TempDir(), "logo")
		if err := os.WriteFile(file, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := load(t, "operator: {name: Example, logo: "+file+"}\n")
		if c.no != "" {
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), c.no) ||
				!strings.Contains(fault.PublicText(err), "operator.logo: "+file) || fault.HintIn(err) == "" {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if v, err := o.Operator.Read(); err != nil || !strings.HasPrefix(v.Logo, "data:"+c.kind+";base64,") {
			t.Errorf("%s: %.40s, %v", c.name, v.Logo, err)
		}
	}
	for text, no := range map[string]string{
		"operator: {logo: /nowhere/logo.svg}":          "operator.logo: /nowhere/logo.svg: no such file",
		"operator: {logo: /}":                          "operator.logo: /: is a directory",
		"operator: {url: example.com}":                 "operator.url:",
		"operator: {url: 'javascript:alert(1)'}":       "operator.url:",
		"operator: {name: \"two\\nlines\"}":            "operator.name",
		"operator: {name: ' '}":                        "operator.name",
		"operator: {url: \"https://example.com/\\n\"}": "operator.url:",
	} {
		if _, err := load(t, text+"\n"); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), no) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestEverySettingOfTheOperatorIsChecked: a wrong address hid a missing logo, each was named "operator: operator.url",
// and a wrong mail.tls passed as long as there was no mail.host.
func TestEverySettingOfTheOperatorIsChecked(t *testing.T) {
	_, err := load(t, "operator: {url: example.com, colour: green, logo: /nowhere/logo.svg}\nmail: {tls: maybe}\n")
	var list config.Mistakes
	if !errors.As(err, &list) || len(list) != 4 {
		t.Fatal(err)
	}
	text := ""
	for _, m := range list {
		text += m.String() + "\n"
	}
	for _, want := range []string{`operator.url: "example.com"`, `operator.colour: "green"`,
		"operator.logo: /nowhere/logo.svg: no such file",
		`mail.tls: "maybe" is not one of`} {
		if !strings.Contains(text, want) || strings.Contains(text, "operator: ") {
			t.Errorf("%q lacks %q", text, want)
		}
	}
}

func TestPoliciesOnPeople(t *testing.T) {
	for text, no := range map[string]string{
		"keys: {made_by: nobody}":                               "keys.made_by: \"nobody\" is not one of",
		"keys: {made_by: operator, pending: true}":              "keys.pending: unknown keys can't be approved",
		"users: {name_rule: any}":                               "users.name_rule: \"any\" is not one of",
		"users: {name_rule: pattern}":                           "users.name_pattern:",
		"users: {name_rule: pattern, name_pattern: '[a'}":       "users.name_pattern:",
		"users: {name_rule: pattern, name_pattern: '{vendor}'}": "{account} is all that may be in braces",
		"users: {name_rule: free, name_pattern: 'a*'}":          "users.name_pattern: it counts only",
		"expectations: {larger: ask}":                           "expectations.larger: \"ask\" is not one of flag,",
		"expectations: {later: ''}":                             "expectations.later: \"\" is not one of",
		"contacts: {needed: {boss: 1}}":                         "there is no setting \"contacts.needed.boss\"",
		"contacts: {needed: {technical: -1}}":                   "contacts.needed.technical: from 0 to 10",
		"contacts: {needed: {technical: 11}}":                   "contacts.needed.technical: from 0 to 10",
	} {
		if _, err := load(t, text+"\n"); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), no) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"keys: {made_by: operator}", "users: {name_rule: free}", "contacts: {}",
		"users: {name_rule: pattern, name_pattern: '{account}*'}", "contacts: {needed: {technical: 1, security: 2}}"} {
		if _, err := load(t, text+"\n"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	c, err := load(t, "{}\n", "SALLYPORT_CONTACTS_NEEDED_TECHNICAL=2",
		"SALLYPORT_CONTACTS_NEEDED_BILLING=1", "SALLYPORT_KEYS_MADE_BY=customer")
	if err != nil || c.Contacts.Needed != (config.Needed{Technical: 2, Billing: 1}) ||
		c.Keys.MadeBy != "customer" {
		t.Errorf("%+v %s, %v", c.Contacts, c.Keys.MadeBy, err)
	}
	if c := config.Default(); c.Keys.MadeBy != "both" || c.Users.NameRule != "account-id" ||
		c.Contacts.Needed != (config.Needed{}) {
		t.Errorf("%+v %+v %+v", c.Keys, c.Users, c.Contacts)
	}
}
