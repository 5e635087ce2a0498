package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

func TestARegionFillsUpWithTheDefault(t *testing.T) {
	c, err := load(t, `
endpoint: {host: sftp.example.com, port: 3333, allow_ips: [203.0.113.0/24]}
support: {email: help@example.com, phone: "+1"}
regions:
  au: {host: sftp.example.com.au, support: {url: "https://help.example.com.au"}}
  nz: {port: 22, listen: [":22", "[::1]:2200"], allow_ips: []}
  jp: {allow_ips: [198.51.100.7, "2001:db8::/32"]}
`)
	if err != nil {
		t.Fatal(err)
	}
	def := []string{"203.0.113.0/24"}
	for _, w := range []struct {
		region, host string
		port         int
		ips          []string
		help         string
	}{
		{"", "sftp.example.com", 3333, def, "help@example.com, +1"},
		// its own URL, the rest as the default
		{"au", "sftp.example.com.au", 3333, def, "help@example.com, https://help.example.com.au, +1"},
		// an empty list allows all
		{"nz", "sftp.example.com", 22, []string{}, "help@example.com, +1"},
		{"jp", "sftp.example.com", 3333, []string{"198.51.100.7", "2001:db8::/32"}, "help@example.com, +1"},
		{"unknown", "sftp.example.com", 3333, def, "help@example.com, +1"},
	} {
		e, s := c.EndpointOf(w.region)
		if e.Host != w.host || e.Port != w.port || !slices.Equal(e.AllowIPs, w.ips) || s.Help() != w.help {
			t.Errorf("%q: %+v, %q; want %+v", w.region, e, s.Help(), w)
		}
	}
	c = config.Default()
	if e, s := c.EndpointOf("au"); e.Host != "" || e.Port != 0 || len(e.AllowIPs) > 0 || s.Help() != "" {
		t.Errorf("without a configuration: %+v, %+v", e, s)
	}
}

// A file with only comments once cleared every default.
func TestAFileOfCommentsSetsNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# data: /var/lib/sallyport\n", "---\n", "{}\n"} {
		c, err := load(t, text, "SALLYPORT_SUPPORT_PHONE=+1")
		if err != nil || c.Data != config.Default().Data || c.Limits != config.Default().Limits || c.Support.Phone != "+1" {
			t.Errorf("%q: %v, %+v", text, err, c.Limits)
		}
	}
}

func TestNetworksOfBothFamilies(t *testing.T) {
	c, err := load(t,
		`access: {never_ban: [192.0.2.1, "192.0.2.99/24", "2001:db8::9/32", "::1", "::ffff:198.51.100.7"],`+
			` proxies: [10.0.0.0/8]}`,
		"SALLYPORT_ENDPOINT_ALLOW_IPS=203.0.113.7,2001:db8::/48")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range config.Networks(c.Access.NeverBan) {
		got = append(got, p.String())
	}
	if want := []string{"192.0.2.1/32", "192.0.2.0/24", "2001:db8::/32", "::1/128", "198.51.100.7/32"}; !slices.Equal(got,
		want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !slices.Equal(c.Endpoint.AllowIPs, []string{"203.0.113.7", "2001:db8::/48"}) ||
		!slices.Equal(c.Access.Proxies, []string{"10.0.0.0/8"}) {
		t.Errorf("%v, %v", c.Endpoint.AllowIPs, c.Access.Proxies)
	}
	if got := config.Networks([]string{"nonsense"}); len(got) > 0 {
		t.Errorf("nonsense is %v", got)
	}
}

func TestListenersThatCannotWork(t *testing.T) {
	for _, c := range []struct{ text, env, message string }{
		{"endpoint: {allow_ips: [everywhere]}", "", `endpoint.allow_ips: "everywhere" is not an address`},
		{"endpoint: {allow_ips: [203.0.113.0/33]}", "", `"203.0.113.0/33" is not`},
		{"endpoint: {allow_ips: ['']}", "", `"" is not an address`},
		{"{}", "SALLYPORT_ENDPOINT_ALLOW_IPS=203.0.113.7;203.0.113.8", "is not an address"},
		{"access: {never_ban: [203.0.113]}", "", "access.never_ban:"},
		{"access: {proxies: [lb.example.com]}", "", "access.proxies:"},
		{"access: {proxies: ['2001:db8::/129']}", "", "access.proxies:"},
		{"regions: {au: {allow_ips: [x]}}", "", "regions.au.allow_ips:"},
		{"regions: {au: {listen: ['2022']}}", "", `regions.au.listen: "2022" is not an address`},
		{"regions: {au: {port: 65536}}", "", "regions.au.port: 65536 is not a port"},
		{"regions: {AU: {}}", "", `The region "AU" has a character that is not allowed`},
		{"regions: {'': {}}", "", "The region is empty"},
		{"regions: {all: {}}", "", "is reserved"},
		{"regions: {au: {hots: x}}", "", `there is no setting "hots"`},
		{"endpoint: {port: -1}", "", "endpoint.port: -1 is not a port"},
		{"endpoint: {port: 70000}", "", "endpoint.port: 70000 is not a port"},
		{"{}", "SALLYPORT_ENDPOINT_PORT=ssh", `"ssh"`},
		{"keys: {types: []}", "", "keys.types: name at least one"},
		{"keys: {types: [ed25519, dsa]}", "", `keys.types: "dsa" is not one of`},
		{"keys: {types: [ssh-rsa]}", "", `"ssh-rsa" is not one of`},
		{"keys: {rsa_min: 1024}", "", "keys.rsa_min, keys.rsa_max"},
		{"keys: {rsa_max: 16384}", "", "keys.rsa_min, keys.rsa_max"},
		{"keys: {rsa_min: 4096, rsa_max: 3072}", "", "keys.rsa_min, keys.rsa_max"},
		{"keys: {per_user: 0}", "", "keys.per_user: must be more than zero"},
		{"keys: {overlap: 0s}", "", "keys.overlap: must be more than zero"},
		{"keys: {expire_after: soon}", "", `"soon" is not a length of time`},
		{"access: {ban_within: 0s}", "", "access.ban_within:"},
		{"access: {ban_for: 0s}", "", "access.ban_for:"},
		{"records: {keep: 0d}", "", "records.keep:"},
		{"records: {failed: 0}", "", "records.failed:"},
		{"records: {activity: -1}", "", "records.activity:"},
	} {
		_, err := load(t, c.text, c.env)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), c.message) {
			t.Errorf("%s%s:\n  %v, want %q", c.text, c.env, err, c.message)
		}
	}
	for _, text := range []string{"access: {ban_after: 0}", "keys: {expire_after: 0s}",
		"keys: {rsa_min: 3072, rsa_max: 3072}", "keys: {types: [rsa]}", "endpoint: {port: 0}", "regions: {}"} {
		if _, err := load(t, text+"\n"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestKeyFilesDoNotTravelInClear(t *testing.T) {
	const cert = ", tls_cert: c.pem, tls_key: k.pem"
	for _, c := range []struct{ web, message string }{
		{"listen: '127.0.0.1:8022'", ""}, {"listen: '[::1]:8022'", ""}, {"listen: 'localhost:8022'", ""},
		{"listen: '127.9.9.9:0'", ""},
		{"listen: ''", ""}, {"url: 'https://files.example.com'", ""}, {"listen: ':8443'" + cert, ""},
		{"listen: '192.0.2.1:443'" + cert, ""},
		{"listen: ':8022'", "is open to others"}, {"listen: '0.0.0.0:8022'", "is open to others"},
		{"listen: '[::]:8022'", "is open to others"},
		{"listen: '192.0.2.1:8022'", "is open to others"}, {"listen: '10.0.0.1:8022'", "is open to others"},
		{"listen: 'files.example.com:80'", "is open to others"},
		{"listen: 'localhost.example.com:80'", "is open to others"},
		{"listen: '8022'", "is not an address"}, {"listen: '127.0.0.1'", "is not an address"},
		{"listen: ':443', tls_cert: c.pem", "give both or none"}, {"listen: ':443', tls_key: k.pem", "give both or none"},
		{"url: files.example.com", "is not an address such as"},
		{"url: 'ftp://files.example.com'", "is not an address such as"},
		{"url: 'https://'", "is not an address such as"}, {"url: '::'", "is not an address such as"},
	} {
		_, err := load(t, "web: {"+c.web+"}\n")
		if c.message == "" && err != nil || c.message != "" &&
			(!fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), c.message)) {
			t.Errorf("%s: %v, want %q", c.web, err, c.message)
		}
	}
}
