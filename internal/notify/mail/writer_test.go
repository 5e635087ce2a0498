package mail_test

import (
	"html"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// folder writes templates into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		testkit.Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		testkit.Must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

// poison replaces every text in a struct by a hostile one.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type() != reflect.TypeFor[time.Time]() {
				poison(v.Field(i))
			}
		}
	case reflect.Slice:
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		for i := range own.Len() {
			poison(own.Index(i))
		}
		v.Set(own)
	case reflect.String:
		v.SetString(hostile)
	}
}

// hostileFacts returns a kind's sample with hostile texts.
func hostileFacts(k notify.Kind) any {
	f := reflect.New(reflect.TypeOf(k.Sample)).Elem()
	f.Set(reflect.ValueOf(k.Sample))
	poison(f)
	return f.Interface()
}

// TestNoNameBecomesMarkup: whatever a name is, it is a name in subject, text and HTML, in every kind of
// letter and every field.
func TestNoNameBecomesMarkup(t *testing.T) {
	w := writer(t)
	for _, k := range notify.Kinds {
		l := notify.Sample(k)
		l.Account, l.AccountName, l.User, l.Help, l.Name = hostile, hostile, hostile, hostile, hostile
		l.Facts = hostileFacts(k)
		out, err := w.Write(l)
		testkit.Must(t, err)
		if strings.Contains(out.HTML, "<script") || strings.Contains(out.HTML, `alert("x")`) ||
			strings.Contains(out.HTML, `href="https://evil`) || !strings.Contains(out.HTML, "&lt;script&gt;") {
			t.Errorf("%s: %s", k.Name, out.HTML)
		}
		if strings.ContainsAny(out.Subject, "\r\n") || strings.Contains(out.Text, "\n# .csv") && k.Name != "removed" &&
			k.Name != "checkpoint" {
			t.Errorf("%s: subject %q, text %q", k.Name, out.Subject, out.Text)
		}
		if strings.ContainsAny(out.Subject+out.Text+out.HTML, "\ue000\ue001\ue002\ue003\ue004") {
			t.Errorf("%s has marks left", k.Name)
		}
	}
}

// TestNoSubjectIsAPartners: a subject begins with our words or with what an operator wrote, so that a file called
// "Your account is closed.csv" is not one. Of some kinds, the facts are an operator's.
func TestNoSubjectIsAPartners(t *testing.T) {
	w := writer(t)
	begins := hostile[:5]
	for _, k := range notify.Kinds {
		if slices.Contains([]string{"announcement", "notice", "welcome-copy", "met", "missed"}, k.Name) {
			continue
		}
		for _, account := range []string{"ACME Telecom", ""} {
			l := notify.Sample(k)
			l.AccountName, l.Facts = account, hostileFacts(k)
			out, err := w.Write(l)
			testkit.Must(t, err)
			if s := strings.TrimLeft(out.Subject, ": "); strings.HasPrefix(s, begins) {
				t.Errorf("%s: %q", k.Name, out.Subject)
			}
		}
	}
}

// TestNoFactHidesAnother: templates get the facts of a kind beside those of every letter.
func TestNoFactHidesAnother(t *testing.T) {
	for _, k := range notify.Kinds {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(k.Sample)) {
			if !f.Anonymous && slices.Contains(mail.Common, f.Name) {
				t.Errorf("%s has a fact %s, which is every letter's", k.Name, f.Name)
			}
		}
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// TestTextAndHTMLSayTheSame: every word of a letter's text is in its HTML.
func TestTextAndHTMLSayTheSame(t *testing.T) {
	w := writer(t)
	for _, k := range notify.Kinds {
		out, err := w.Write(notify.Sample(k))
		testkit.Must(t, err)
		shown := html.UnescapeString(tags.ReplaceAllString(out.HTML, ""))
		for word := range strings.FieldsSeq(out.Text) {
			if word = strings.TrimSuffix(word, ":"); word != "--" && !strings.Contains(shown, word) {
				t.Errorf("%s: the HTML has no %q:\n%s", k.Name, word, out.Text)
			}
		}
	}
}

// TestAnOwnTemplateReplacesTheBuiltIn: an own template is used. One that cannot be used is refused at
// the start, with its file and line.
func TestAnOwnTemplateReplacesTheBuiltIn(t *testing.T) {
	for _, c := range []struct{ name, text, fault string }{
		{"en/test.txt", "Subject: Ours\n\nHello {{.To}}\n", ""},
		{"layout.html", "<b>{{.Subject}}</b>", ""},
		{"README.txt", "what we changed", ""},
		{"en/test.txt", "Subject: x\n\n{{.To}\n", "en/test.txt:3"},
		{"en/test.txt", "Subject: x\n\n{{.Nothing}}\n", "en/test.txt:3"},
		{"en/received.txt", "Subject: x\n\n{{range .Files}}{{.Nothing}}{{end}}\n", "en/received.txt:3"},
		{"en/received.txt", "Subject: x\n\n{{(index .Files 0).Name}}\n", "en/received.txt:3"},
		{"en/test.txt", "Hello\n", "en/test.txt:1: it does not begin with a line"},
		{"en/banner.txt", "1\n2\n3\n4\n5\n6\n", "a banner has at most 5 lines"},
		{"layout.html", "<p>\n{{range .Blocks}}", "layout.html:2"},
		{"en/nothing.txt", "Subject: x\n", "there is no template"},
		{"test.txt", "Subject: x\n", "not in the folder of a language"},
		{"english/test.txt", "Subject: x\n", "there is no template"},
	} {
		dir := folder(t, map[string]string{c.name: c.text})
		w, err := mail.NewWriter(mail.WriterConfig{Templates: dir})
		if c.fault != "" {
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s %q: %v", c.name, c.text, err)
			}
			continue
		}
		testkit.Must(t, err)
		out, err := w.Write(notify.Letter{Kind: "test", To: "a@example.com", Facts: notify.TextFacts{}})
		testkit.Must(t, err)
		if c.name == "en/test.txt" && (out.Subject != "Ours" || !strings.HasPrefix(out.Text, "Hello a@example.com\n")) ||
			c.name == "layout.html" && !strings.HasPrefix(out.HTML, "<b>A test") {
			t.Errorf("%s: %+v", c.name, out)
		}
	}
}

// TestALetterIsInTheLanguageOfItsReader: or in the nearest that there is.
func TestALetterIsInTheLanguageOfItsReader(t *testing.T) {
	dir := folder(t, map[string]string{"de/test.txt": "Subject: Ein Test\n\nMail geht.\n",
		"de-AT/key-old.txt": "Subject: Heuer {{.Since.Format \"02.01.2006\"}}\n\nJa.\n",
		"fr/test.txt":       "Subject: Essai\n\nOui.\n"})
	w := writer(t, func(c *mail.WriterConfig) { c.Templates, c.Language = dir, "fr" })
	key, _ := notify.KindNamed("key-old")
	for _, c := range []struct{ kind, language, want string }{
		{"test", "de", "Ein Test"}, {"test", "de-AT", "Ein Test"}, {"test", "", "Essai"}, {"test", "pt", "Essai"},
		{"test", "en", "A test from"}, {"key-old", "de-AT", "Heuer 02.11.2024"}, {"key-old", "de", "A key of acme"},
	} {
		out, err := w.Write(notify.Letter{Kind: c.kind, User: "acme", Language: c.language, Facts: key.Sample})
		testkit.Must(t, err)
		if !strings.HasPrefix(out.Subject, c.want) {
			t.Errorf("%s in %q: %q, want %q", c.kind, c.language, out.Subject, c.want)
		}
	}
	if _, err := mail.NewWriter(mail.WriterConfig{Language: "de"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a language without templates is no default: %v", err)
	}
}

// TestAnOwnTemplateThatFailsLaterStopsNoMail: the built-in template is used if an own one fails on a real
// letter, and the log says so.
func TestAnOwnTemplateThatFailsLaterStopsNoMail(t *testing.T) {
	dir := folder(t, map[string]string{
		"en/fresh.txt": "Subject: Ours\n\n{{if gt (len .Files) 2}}{{index .Files 9}}{{end}}\n"})
	var log testkit.Log
	w := writer(t, func(c *mail.WriterConfig) { c.Templates, c.Log = dir, slog.New(slog.NewTextHandler(&log, nil)) })
	out, err := w.Write(notify.Letter{Kind: "fresh", User: "acme", Facts: notify.FilesFacts{Total: 3,
		Files: make([]notify.FileFacts, 3)}})
	testkit.Must(t, err)
	if out.Subject != "3 new files for acme" || !strings.Contains(log.String(), "en/fresh.txt") {
		t.Errorf("%+v, and the log %q", out, log.String())
	}
}

// TestTimesNameTheirZone: those of the operator.
func TestTimesNameTheirZone(t *testing.T) {
	zone, err := time.LoadLocation("Australia/Sydney")
	testkit.Must(t, err)
	out, err := writer(t, func(c *mail.WriterConfig) { c.Zone = zone }).Write(letter)
	testkit.Must(t, err)
	if !strings.Contains(out.Text, "2 Nov 2026, 17:00 AEDT") {
		t.Error(out.Text)
	}
}

// TestABannerIsShortAndNamesTheOperator: it has the operator's name if there is one, whom to ask, and at
// most five lines; an operator's own words are used.
func TestABannerIsShortAndNamesTheOperator(t *testing.T) {
	until := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		config     mail.WriterConfig
		login, ban string
	}{
		"nobody is named": {mail.WriterConfig{}, "This server takes SSH keys only, no passwords.", "Too many log-ins"},
		"a name": {mail.WriterConfig{Operator: "Southern Exchange"},
			"Southern Exchange: this server takes SSH keys only, no passwords.", "Southern Exchange: too many log-ins"},
		"own words": {mail.WriterConfig{Language: "de", Templates: folder(t, map[string]string{
			"de/banner.txt": "Nur Schlüssel.\n\nHilfe: {{.Help}} ({{.Reference}})\n",
			"de/banned.txt": "Zu oft. Ab {{.Until.Format \"15:04\"}} wieder.\n"})},
			"Nur Schlüssel.\r\nHilfe: help@example.com (c-1)\r\n", "Zu oft. Ab 06:00 wieder."},
	} {
		w, err := mail.NewWriter(c.config)
		testkit.Must(t, err)
		login, ban := w.Banner("help@example.com", "c-1"), w.Banned("help@example.com", "", until)
		if !strings.HasPrefix(login, c.login) || !strings.Contains(login, "c-1") || strings.Count(login, "\r\n") > 5 ||
			!strings.HasPrefix(ban, c.ban) || !strings.Contains(ban, "06:00") {
			t.Errorf("%s: %q, %q", name, login, ban)
		}
	}
	if text := writer(t).Banner("", "c-1"); !strings.Contains(text, "the people who gave you your username") {
		t.Error(text)
	}
}

// FuzzNoNameBecomesMarkup: a letter with any name has as many tags, lines and cells as one with a plain
// name.
func FuzzNoNameBecomesMarkup(f *testing.F) {
	for _, name := range []string{hostile,
		"a|b", "```", "[a](https://b)", "|---|", "<br>", "a\n\nb", "\ue000\ue001", "`x`",
		"\xff", "Subject: x", " ", "{{.Name}}"} {
		f.Add(name)
	}
	w, err := mail.NewWriter(mail.WriterConfig{})
	testkit.Must(f, err)
	shape := func(t testing.TB, name string) (tags, lines int) {
		out, err := w.Write(notify.Letter{Kind: "fresh", User: name, AccountName: name, Help: name,
			Facts: notify.FilesFacts{Files: []notify.FileFacts{{Name: name, Feed: name}}, Total: 1}})
		testkit.Must(t, err)
		return strings.Count(out.HTML, "<"), strings.Count(out.Text, "\n")
	}
	tags, lines := shape(f, "plain")
	f.Fuzz(func(t *testing.T, name string) {
		if strings.TrimSpace(name) == "" {
			return
		}
		if gotTags, gotLines := shape(t, name); gotTags != tags || gotLines != lines && len(name) < 20 {
			t.Errorf("%q: %d tags and %d lines, want %d and %d", name, gotTags, gotLines, tags, lines)
		}
	})
}
