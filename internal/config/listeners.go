package config

import (
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// EndpointOf returns the endpoint and support of a region. Each field that the region leaves out is
// the default endpoint's. An unknown region has the default endpoint.
func (c *Config) EndpointOf(region string) (Endpoint, exchange.Support) {
	e, s := c.Endpoint, c.Support
	r, ok := c.Regions[region]
	if !ok {
		return e, s
	}
	if r.Host != "" {
		e.Host = r.Host
	}
	if r.Port != 0 {
		e.Port = r.Port
	}
	if r.AllowIPs != nil {
		e.AllowIPs = r.AllowIPs
	}
	return e, r.Support.Over(s)
}

// Zones returns in which zone the people of the regions, and the operator's, read times.
func (c *Config) Zones() exchange.Zones {
	z := exchange.Zones{Regions: map[string]*time.Location{}}
	z.Own, _ = valid.ParseZone(c.TimeZone) // check has accepted them
	for name, r := range c.Regions {
		if r.TimeZone != "" {
			z.Regions[name], _ = valid.ParseZone(r.TimeZone)
		}
	}
	return z
}

// Networks parses addresses and networks, which check has accepted. It skips what it cannot parse.
func Networks(list []string) (out []netip.Prefix) {
	for _, s := range list {
		if p, ok := valid.ParseNetwork(s); ok {
			out = append(out, p)
		}
	}
	return out
}

// checkListeners notes invalid endpoints, lists of addresses and key policies.
func (c *Config) checkListeners(f *findings) {
	lists := map[string][]string{"endpoint.allow_ips": c.Endpoint.AllowIPs, "access.never_ban": c.Access.NeverBan,
		"access.proxies": c.Access.Proxies, "web.proxies": c.Web.Proxies}
	ports := map[string]int{"endpoint.port": c.Endpoint.Port}
	for name, r := range c.Regions {
		at := "regions." + name
		f.refused(at, valid.CheckID("region", name))
		if _, err := valid.ParseZone(r.TimeZone); err != nil {
			f.bad(at+".time_zone", "there is no time zone %q, such as Australia/Sydney or UTC.", r.TimeZone)
		}
		lists[at+".allow_ips"] = r.AllowIPs
		ports[at+".port"] = r.Port
		for _, l := range r.Listen {
			if _, _, err := net.SplitHostPort(l); err != nil {
				f.bad(at+".listen", "%q is not an address.", l)
			}
		}
	}
	for name, list := range lists {
		for _, s := range list {
			if _, ok := valid.ParseNetwork(s); !ok {
				f.bad(name, "%q is not an address or network.", s)
			}
		}
	}
	for name, p := range ports {
		if p < 0 || p > 65535 {
			f.bad(name, "%d is not a port.", p)
		}
	}
	for _, t := range c.Keys.Types {
		f.oneOf("keys.types", t, "ed25519", "ecdsa", "rsa")
	}
	if len(c.Keys.Types) == 0 {
		f.bad("keys.types", "name at least one of ed25519, ecdsa, rsa.")
	}
	if c.Keys.RSAMin < 2048 || c.Keys.RSAMin > 8192 {
		f.bad("keys.rsa_min", "from 2048 to 8192 bits.")
	}
	if c.Keys.RSAMax > 8192 || c.Keys.RSAMin > c.Keys.RSAMax {
		f.bad("keys.rsa_max", "from keys.rsa_min to 8192 bits.")
	}
	c.checkWeb(f)
	c.checkSignIn(f)
}

func (c *Config) checkWeb(f *findings) {
	if u, err := url.Parse(c.Web.URL); c.Web.URL != "" &&
		(err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		f.bad("web.url", "%q is not an address such as https://files.example.com.", c.Web.URL)
	}
	c.Web.ACME.check(f, &c.Web)
	if c.Web.Listen == "" {
		return
	}
	host, _, err := net.SplitHostPort(c.Web.Listen)
	if err != nil {
		f.bad("web.listen", "%q is not an address.", c.Web.Listen)
		return
	}
	if (c.Web.TLSCert == "") != (c.Web.TLSKey == "") {
		f.bad("web.tls_cert", "give both or none of web.tls_cert and web.tls_key.")
	}
	if addr, err := netip.ParseAddr(host); c.Web.TLSCert == "" && c.Web.TLSKey == "" && !c.Web.ACME.On() &&
		host != "localhost" && (err != nil || !addr.IsLoopback()) && len(c.Web.Proxies) == 0 {
		f.bad("web.listen", "%q is open to others, and keys and tokens must not travel in clear.", c.Web.Listen).
			Hint = "listen on 127.0.0.1 behind a proxy with a certificate, name other machines' proxies in web.proxies, " +
			"give web.tls_cert and web.tls_key, or have certificates ordered (web.acme)"
	}
}
