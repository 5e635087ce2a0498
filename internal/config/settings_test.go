package config_test

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

func TestEverySettingHasAMeaning(t *testing.T) {
	for _, s := range config.Settings() {
		if meaning := config.Meanings()[s.Name]; !strings.HasSuffix(meaning, ".") && !strings.Contains(meaning, ": ") {
			t.Errorf("%s has no sentence in meanings.go", s.Name)
		}
		for group := s.Name; strings.Contains(group, "."); {
			group = group[:strings.LastIndexByte(group, '.')]
			if config.Meanings()[group] == "" && !strings.HasSuffix(group, ".NAME") {
				t.Errorf("the group %s has no sentence in meanings.go", group)
			}
		}
	}
	for name := range config.Meanings() {
		used := false
		for _, s := range config.Settings() {
			used = used || s.Name == name || strings.HasPrefix(s.Name, name+".")
		}
		if !used {
			t.Errorf("meanings.go explains %s, which is no setting", name)
		}
	}
}

// The example sets every setting to its default.
func TestTheExampleReadsBackAsTheDefaults(t *testing.T) {
	got := config.Default()
	emptied := reflect.ValueOf(&got).Elem()
	emptied.SetZero() // so that a setting that is left out shows
	if err := config.Parse("example", config.Example(), &got); err != nil {
		t.Fatalf("%v\n%s", err, config.Example())
	}
	want, err := yaml.Marshal(config.Default())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := yaml.Marshal(got); err != nil || string(again) != string(want) {
		t.Fatalf("%v: it reads as\n%s\nwant\n%s", err, again, want)
	}
	for _, s := range config.Settings() {
		last := s.Name[strings.LastIndexByte(s.Name, '.')+1:]
		if !strings.Contains(string(config.Example()), last+":") {
			t.Errorf("%s is not in the example", s.Name)
		}
	}
	loaded, err := load(t, string(config.Example()))
	if err != nil {
		t.Fatal(err)
	}
	if is, _ := yaml.Marshal(loaded); string(is) != string(want) {
		t.Fatalf("it loads as\n%s", is)
	}
}

// All mistakes are told at once, each with its line.
func TestAllMistakesAtOnce(t *testing.T) {
	_, err := load(t, `listen: ["2022"]
limits:
  idel: 5m
  half_open: lots
  key_offers: 0
idle: 5m
keys: [ed25519]
storage:
  quota: 5 apples
  quota: 5GB
mail: {host: mail.example.com, tls: startls}
support:
  email:
    - help@example.com
log: {level: inof}
templates:
  customer:
    start_dir: /in
    dirs:
      - {path: in, rights: [fly]}
regions:
  au: {prot: 22}
`, "SALLYPORT_LIMITS_LOGIN=soon", "SALLYPORT_LIMITS_IDEL=5m", "SALLYPORT_RECORDS_FAILED=0")
	var list config.Mistakes
	if !fault.Is(err, fault.Invalid) || !errors.As(err, &list) {
		t.Fatal(err)
	}
	var got []string
	for _, m := range list {
		line := m.String()
		if m.File != "" {
			line = strings.ReplaceAll(line, m.File, "c.yaml")
		}
		if m.Hint != "" {
			line += " | " + m.Hint
		}
		got = append(got, line)
	}
	want := []string{
		`The environment has SALLYPORT_LIMITS_IDEL, which is no setting. | did you mean SALLYPORT_LIMITS_IDLE?`,
		`SALLYPORT_LIMITS_LOGIN: "soon" is not a length of time; write 90s, 15m, 24h or 7d.`,
		`SALLYPORT_RECORDS_FAILED: must be more than zero.`,
		`c.yaml:1: listen: "2022" is not an address. | write ":2022" or "192.0.2.1:2022"`,
		`c.yaml:3: there is no setting "limits.idel". | did you mean "limits.idle"?`,
		`c.yaml:4: limits.half_open: "lots" is not a whole number.`,
		`c.yaml:5: limits.key_offers: must be more than zero.`,
		`c.yaml:6: there is no setting "idle". | did you mean "limits.idle"?`,
		`c.yaml:7: keys is a group of settings, and needs its settings below it: name: value.`,
		`c.yaml:9: storage.quota: "5 apples" is not a size; write 50GB, 512MiB or a number of bytes.`,
		`c.yaml:10: storage.quota is set twice; the first time in line 9.`,
		`c.yaml:11: mail.from: name the address that mails come from.`,
		`c.yaml:11: mail.tls: "startls" is not one of starttls, tls, none. | did you mean "starttls"?`,
		`c.yaml:14: support.email is one value, not a list or a group.`,
		`c.yaml:15: log.level: "inof" is not one of debug, info, warn, error. | did you mean "info"?`,
		`c.yaml:20: templates.customer.dirs.0.path: "in" is not a clean absolute path, such as /reports.`,
		`c.yaml:20: templates.customer.dirs.0.rights: "fly" is not a right. | ` +
			`the rights are: all, read, write, list, delete, rename, mkdir`,
		`c.yaml:22: there is no setting "regions.au.prot". | did you mean "regions.au.port"?`,
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// What is not YAML is said in our words, with its line.
func TestWhatCannotBeReadIsSaidInWords(t *testing.T) {
	for text, want := range map[string]string{
		"listen: [\n":                         "c.yaml:1: a list is opened with [ and not closed with ].",
		"log: {level: info\n":                 "c.yaml:1: a group in { } is not closed, or lacks a comma.",
		"data: x\n\tlog: {}\n":                "c.yaml:2: a line begins with a tab; use spaces.",
		"data: \"x\nlog: {}\n":                "c.yaml:1: a text is opened with a quote and not closed with one.",
		"data: x\n  log: info\n":              "c.yaml:1: from here on",
		"just words\n":                        "c.yaml:1: the file has no settings",
		"- a\n- b\n":                          "c.yaml:1: the file has no settings",
		"data: x\n---\ndata: y\n":             "c.yaml:3: the file has a second document",
		"log: &l {<<: *l, level: info}\n":     "",
		"log:\nlimits:\n":                     "",
		"log: &l {level: warn}\n":             "",
		"limits: {idle: null}\n":              "c.yaml:1: limits.idle has no value.",
		"limits: {idle: {a: b}}\n":            "c.yaml:1: limits.idle is one value",
		"templates: {customer: [x]}\n":        "c.yaml:1: templates.customer is a group of settings",
		"keys: {types: ed25519}\n":            "c.yaml:1: keys.types is a list: [a, b].",
		"webhooks: {allow_http: perhaps}\n":   "c.yaml:1: webhooks.allow_http: \"perhaps\" is neither true nor false.",
		"storage: {quota_files: 1_000}\n":     "",
		"data: 42\nendpoint: {port: \"7\"}\n": "",
	} {
		_, err := load(t, text)
		got := ""
		if err != nil {
			got = fault.PublicText(err)
			got = got[strings.Index(got, "c.yaml"):]
		}
		if !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		for _, words := range []string{"sequence", "mapping", "token", "unexpected", "scalar"} {
			if strings.Contains(got, words) {
				t.Errorf("%q: a library's words reach people: %q", text, got)
			}
		}
	}
}

func TestAFileThatIsNotThere(t *testing.T) {
	_, err := config.Load("none.yaml", os.Environ()[:0])
	if got := fault.PublicText(err); got != "The configuration cannot be read: none.yaml does not exist." {
		t.Errorf("%q", got)
	}
}

// Odd documents are read or refused, and never end the program. FuzzParse tries more.
func TestOddDocuments(t *testing.T) {
	for _, text := range []string{
		"", "---", "...", "~", "null", "? a", "? [a, b]\n: c", "? {a: b}\n: c", "!!map {data: x}", "data: !!str 42",
		"data: !odd x", "data: &a x\nlog: {level: *a}", "data: *nobody", "*a", "&a", "&a *a", "<<: *a",
		"<<: {data: x}", "<<: [{data: x}]", "log: &l\n  <<: *l\n", "data: |\n  x\n", "data: >-\n  x\n  y\n",
		"data: 0x1F", "limits: {idle: .inf}", "limits: {half_open: .nan}", "limits: {half_open: 9223372036854775808}",
		"listen:", "listen: [~]", "listen:\n-\n- \":1\"", "listen: [[a]]", "listen: {a: b}", "regions: [a]",
		"regions: {? x : {host: y}}", "regions: {1: {port: 7}}", "regions: {~: {port: 7}}",
		"templates: {customer: {dirs: [~]}}", "templates: {customer: {dirs: [[]]}}", "templates:\n  customer:\n",
		"file_types: {pdf: ~}", "# only a comment\n", "data: x # comment\n# and more\nlog: # nothing\n",
		"data: \"\\u0000\"", "\xff\xfe", "\u2028: x", "{", "}", "[", "]", ":", "-", "- - -", "a:\n\t- b",
		"%YAML 1.2\n---\ndata: x", "data: 'x", "\"data\": x", "'data': x", "data: x\r\nlog: {}\r\n",
		strings.Repeat("[", 2000), strings.Repeat("{a: ", 500), strings.Repeat("a:\n ", 200),
	} {
		c := config.Default()
		if err := config.Parse("odd", []byte(text), &c); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}
