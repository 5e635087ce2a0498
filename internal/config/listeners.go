package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
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

// Networks parses addresses and networks, which check has accepted. It skips what it cannot parse.
func Networks(list []string) (out []netip.Prefix) {
	for _, s := range list {
		if p, ok := valid.ParseNetwork(s); ok {
			out = append(out, p)
		}
	}
	return out
}

// checkListeners refuses invalid endpoints, lists of addresses and key policies.
func (c *Config) checkListeners() error {
	const op = "config.check"
	bad := func(format string, args ...any) error { return fault.E(op, fault.Invalid, format, args...) }
	lists := map[string][]string{"endpoint.allow_ips": c.Endpoint.AllowIPs, "access.never_ban": c.Access.NeverBan,
		"access.proxies": c.Access.Proxies}
	ports := map[string]int{"endpoint.port": c.Endpoint.Port}
	for name, r := range c.Regions {
		if err := valid.CheckID("region", name); err != nil {
			return err
		}
		lists["regions."+name+".allow_ips"] = r.AllowIPs
		ports["regions."+name+".port"] = r.Port
		for _, l := range r.Listen {
			if _, _, err := net.SplitHostPort(l); err != nil {
				return bad("regions.%s.listen: %q is not an address.", name, l)
			}
		}
	}
	for name, list := range lists {
		for _, s := range list {
			if _, ok := valid.ParseNetwork(s); !ok {
				return bad("%s: %q is not an address or network.", name, s)
			}
		}
	}
	for name, p := range ports {
		if p < 0 || p > 65535 {
			return bad("%s: %d is not a port.", name, p)
		}
	}
	for _, t := range c.Keys.Types {
		if !slices.Contains([]string{"ed25519", "ecdsa", "rsa"}, t) {
			return bad("keys.types: %q is not one of ed25519, ecdsa, rsa.", t)
		}
	}
	if len(c.Keys.Types) == 0 {
		return bad("keys.types: name at least one of ed25519, ecdsa, rsa.")
	}
	if c.Keys.RSAMin < 2048 || c.Keys.RSAMax > 8192 || c.Keys.RSAMin > c.Keys.RSAMax {
		return bad("keys.rsa_min, keys.rsa_max: from 2048 to 8192 bits.")
	}
	return c.checkWeb()
}

func (c *Config) checkWeb() error {
	const op = "config.check"
	if u, err := url.Parse(c.Web.URL); c.Web.URL != "" &&
		(err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return fault.E(op, fault.Invalid, "web.url: %q is not an address such as https://files.example.com.", c.Web.URL)
	}
	if c.Web.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Web.Listen)
	if err != nil {
		return fault.E(op, fault.Invalid, "web.listen: %q is not an address.", c.Web.Listen)
	}
	if (c.Web.TLSCert == "") != (c.Web.TLSKey == "") {
		return fault.E(op, fault.Invalid, "web.tls_cert and web.tls_key: give both or none.")
	}
	if addr, err := netip.ParseAddr(host); c.Web.TLSCert == "" && host != "localhost" &&
		(err != nil || !addr.IsLoopback()) {
		return fault.E(op, fault.Invalid, "web.listen: %q is open to others, and key files must not travel in clear.",
			c.Web.Listen).
			WithHint("listen on 127.0.0.1 behind a proxy with a certificate, or give web.tls_cert and web.tls_key")
	}
	return nil
}
