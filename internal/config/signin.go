package config

import (
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// SignIn says how operators sign in to the pages.
type SignIn struct {
	Password bool     `yaml:"password" env:"PASSWORD"` // with a code of an authenticator app
	Passkeys bool     `yaml:"passkeys" env:"PASSKEYS"`
	Idle     Duration `yaml:"idle" env:"IDLE"`       // of a session
	Longest  Duration `yaml:"longest" env:"LONGEST"` // of a session
	Unused   Duration `yaml:"unused" env:"UNUSED"`   // operators who do not sign in are disabled; 0: never
	Review   string   `yaml:"review" env:"REVIEW"`   // how often access is to be signed off: 6mo; "": never
	SSO      SSO      `yaml:"sso" envPrefix:"SSO_"`
}

// SSO is a single sign-on (OpenID Connect).
type SSO struct {
	Issuer       string                `yaml:"issuer" env:"ISSUER"`
	ClientID     string                `yaml:"client_id" env:"CLIENT_ID"`
	ClientSecret string                `yaml:"client_secret" env:"CLIENT_SECRET"`
	Name         string                `yaml:"name" env:"NAME"`
	Scopes       []string              `yaml:"scopes" env:"SCOPES"`
	TrustEmail   bool                  `yaml:"trust_email" env:"TRUST_EMAIL"` // without email_verified
	Claim        string                `yaml:"claim" env:"CLAIM"`             // has a person's groups
	Roles        map[string]model.Role `yaml:"roles"`                         // by group
}

func defaultSignIn() SignIn {
	return SignIn{Password: true, Passkeys: true, Idle: Duration(30 * time.Minute), Longest: Duration(12 * time.Hour),
		Unused: Duration(90 * 24 * time.Hour), Review: "6mo",
		SSO: SSO{Scopes: []string{"email", "profile"}, Claim: "groups"}}
}

// checkSignIn refuses settings with which nobody could sign in, or with which a sign-in could be read on
// its way.
func (c *Config) checkSignIn(f *findings) {
	s := &c.SignIn
	if s.Idle < Duration(time.Minute) || s.Idle > s.Longest {
		f.bad("sign_in.idle", "from 1m to sign_in.longest.")
	}
	if s.Longest > Duration(7*24*time.Hour) {
		f.bad("sign_in.longest", "at most 7d.")
	}
	if s.Unused != 0 && s.Unused < Duration(24*time.Hour) {
		f.bad("sign_in.unused", "at least 1d; 0 is never.")
	}
	if s.Review != "" {
		f.refused("sign_in.review", valid.CheckPeriod(s.Review))
	}
	if s.SSO.Issuer == "" {
		if !s.Password && !s.Passkeys {
			f.bad("sign_in", "nobody could sign in: allow passwords or passkeys, or name a single sign-on.")
		}
		return
	}
	c.checkSSO(f)
}

func (c *Config) checkSSO(f *findings) {
	s := &c.SignIn.SSO
	u, err := url.Parse(s.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && !onThisMachine(u) {
		f.bad("sign_in.sso.issuer", "%q is not an address that begins with https://.", s.Issuer)
	}
	if s.ClientID == "" {
		f.bad("sign_in.sso.client_id", "it is what the single sign-on calls this server.")
	}
	if c.Web.URL == "" {
		f.bad("web.url", "the single sign-on sends people back to it.")
	}
	for group, role := range s.Roles {
		if !slices.Contains(model.Roles, role) {
			f.bad("sign_in.sso.roles."+group, "%q is not a role: admin, onboarding, support, publisher or auditor.", role)
		}
	}
}

// onThisMachine reports whether an address is of this machine, for tests and trials.
func onThisMachine(u *url.URL) bool {
	a, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && a.IsLoopback())
}
