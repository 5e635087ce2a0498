package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func load(t *testing.T, text string, environ ...string) (config.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(file, environ)
}

func TestFileThenEnvironment(t *testing.T) {
	c, err := load(t, `
listen: [":3333", "127.0.0.1:22"]
storage: {quota: 5GB, keep_partials: 2d}
limits:
  idle: 90s
templates:
  customer:
    start_dir: /reports
    dirs:
      - {path: /reports, rights: [read, list]}
      - {path: /cdr/in, rights: [all]}
`, "SALLYPORT_STORAGE_QUOTA=1GiB", "SALLYPORT_SUPPORT_EMAIL=help@example.net", "HOME=/root",
		"SALLYPORT_URL=https://elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Listen) != 2 || c.Storage.Quota != 1<<30 || time.Duration(c.Storage.KeepPartials) != 48*time.Hour ||
		time.Duration(c.Limits.Idle) != 90*time.Second || c.Support.Email != "help@example.net" {
		t.Fatalf("%+v", c)
	}
	if len(c.Templates[model.KindCustomer].Dirs) != 2 || len(c.Templates[model.KindVendor].Dirs) != 1 {
		t.Fatalf("templates: %+v", c.Templates)
	}
	if c.Limits.KeyOffers != config.Default().Limits.KeyOffers {
		t.Fatal("a default was lost")
	}
}

func TestMistakesNameFileLineAndTheNearestField(t *testing.T) {
	for _, c := range []struct{ text, env, message, hint string }{
		{"data: x\nlimits:\n  idel: 5m\n", "", `c.yaml:3: there is no setting "limits.idel".`, `did you mean "limits.idle"?`},
		{"limits:\n  idle: soon\n", "", `c.yaml:2: limits.idle: "soon" is not a length of time`, ""},
		{"storage:\n  quota: 5 apples\n", "", `c.yaml:2: storage.quota: "5 apples" is not a size`, ""},
		{"listen: [\n", "", "c.yaml:1:", ""},
		{"limits:\n  half_open: lots\n", "", "c.yaml:2:", ""},
		{"listen: [\"2022\"]\n", "", `"2022" is not an address`, `write ":2022"`},
		{"listen: []\n", "", "listen: name at least one", ""},
		{"limits: {key_offers: 0}\n", "", "limits.key_offers: must be more than zero", ""},
		{"templates: {customer: {dirs: [{path: upload, rights: [all]}]}}\n", "", "is not a clean absolute path", ""},
		{"templates: {customer: {dirs: [{path: /up, rights: [fly]}]}}\n", "", `"fly" is not a right`, ""},
		{"templates: {friend: {}}\n", "", `no kind of user "friend"`, ""},
		{"log: {level: loud}\n", "", `"loud" is not one of`, ""},
		{"limits: {rate_total: 1KiB}\n", "", "limits.rate_total: must be at least 16 KiB", ""},
		{"storage: {inline: 129KiB}\n", "", "storage.inline: must be at most 128 KiB", ""},
		{"storage: {inline: -1}\n", "", "storage.inline", ""},
		{"storage: {inline_for: 0s}\n", "", "storage.inline_for: must be more than zero", ""},
		{"storage: {inline_memory: 0}\n", "", "storage.inline_memory: must be more than zero", ""},
		{"storage: {inline: some}\n", "", "c.yaml:1:", ""},
		{"traces: {endpoint: otel}\n", "", `"otel" is not an address`, "such as https://"},
		{"traces: {percent: 101}\n", "", "traces.percent: from 0 to 100", ""},
		{"traces: {endpoint: \"http://otel:4318\", token: x}\n", "", "not sent without TLS", "write https://"},
		{"", "SALLYPORT_LIMITS_IDEL=5m", "SALLYPORT_LIMITS_IDEL", "did you mean SALLYPORT_LIMITS_IDLE?"},
		{"", "SALLYPORT_LIMITS_IDLE=soon", "soon", ""},
	} {
		_, err := load(t, c.text, c.env)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), c.message) ||
			!strings.Contains(fault.HintIn(err), c.hint) {
			t.Errorf("%q %s:\n  %q, hint %q\n  want %q, hint %q", c.text, c.env, fault.PublicText(err), fault.HintIn(err),
				c.message, c.hint)
		}
	}
}

func TestWhatIsPrintedReadsBack(t *testing.T) {
	want := config.Default()
	text, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got config.Config
	if err := config.Parse("printed", text, &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	again, err := yaml.Marshal(got)
	if err != nil || string(again) != string(text) {
		t.Fatalf("%v: printed\n%s\nread back\n%s", err, text, again)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("data: x\nlimits: {idle: 5m}\n"))
	f.Add([]byte("templates: {customer: {dirs: [{path: /a}]}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := config.Default()
		_ = config.Parse("f", text, &c) // must not panic
	})
}
