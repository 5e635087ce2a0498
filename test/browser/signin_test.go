package browser

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// named is a site under a name, which passkeys need.
func named(c *config.Config) {
	c.Web.URL = strings.Replace(c.Web.URL, "127.0.0.1", "localhost", 1)
	c.Mail.Host = "" // nobody asks for access here
}

// authenticator gives a browser a device that keeps passkeys, and confirms each use.
func (p *tab) authenticator() {
	p.t.Helper()
	p.do(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}).Do(ctx)
		return err
	}))
}

// code is what an authenticator app shows that was set up with the code on the page.
func (p *tab) code() string {
	p.t.Helper()
	var secret string
	p.do(chromedp.Text(".qr code", &secret, chromedp.ByQuery))
	return p.codeOf(strings.ReplaceAll(secret, " ", ""), time.Now())
}

func (p *tab) codeOf(secret string, at time.Time) string {
	p.t.Helper()
	p.site.secret = secret
	code, err := totp.GenerateCode(secret, at)
	testkit.Must(p.t, err)
	return code
}

const words = "correct horse battery staple"

// The first administrator joins with a password and an app, adds a passkey, and signs in with each. What
// the server printed works no more.
func TestOperatorsSignIn(t *testing.T) {
	s := newSite(t, named)
	p := s.open()
	p.authenticator()
	first := s.FirstLink()
	p.visit(first)
	p.see("You are the first.")
	p.picture("join")
	p.press("Set it up, and sign in")
	p.see("things need another look")
	p.fill("name", "Kim Hill", "email", "kim@example.net", "password", words, "code", p.code())
	p.press("Set it up, and sign in")
	p.wait("/console/")
	p.visit("/console/me")
	p.see("kim@example.net")
	p.press("Add a passkey")
	p.see("The passkey was added.")
	p.picture("me")
	p.press("Sign out")
	p.see("You are signed out.")
	p.visit("/console/me")
	p.see("E-mail")
	p.picture("sign-in")
	p.press("Sign in with a passkey")
	p.wait("/console/me")
	p.press("Sign out")
	p.see("You are signed out.")
	p.fill("email", "kim@example.net", "password", words, "code", "000000")
	p.click("form[action='/sign-in'] button")
	p.see("The code is not right.")
	p.fill("password", words, "code", p.codeOf(s.secret, time.Now().Add(30*time.Second)))
	p.click("form[action='/sign-in'] button")
	p.wait("/console/")
	p.visit(first)
	p.see("This link does not work")
	p.clean()
	o, err := s.API.ShowOperator(p, "kim@example.net")
	testkit.Must(t, err)
	if o.Role != model.RoleAdmin || len(o.Methods) != 2 || !strings.Contains(o.RefusedFor, "not right") {
		t.Errorf("it is %+v", o)
	}
}

// An invited operator joins with a passkey alone, and the cookie is nothing that a script or a page of
// another site could use.
func TestAnOperatorWithoutAPassword(t *testing.T) {
	s := newSite(t, named)
	o, err := s.API.AddOperator(t.Context(), model.NewOperator{Email: "jo@example.net", Name: "Jo Hill",
		Role: model.RoleSupport})
	testkit.Must(t, err)
	p := s.open()
	p.authenticator()
	p.visit(o.Link)
	p.see("You are invited as support.")
	p.press("Make a passkey")
	p.wait("/console/")
	var list []*network.Cookie
	p.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		list, err = network.GetCookies().Do(ctx)
		return err
	}))
	if len(list) != 1 || !list[0].HTTPOnly || list[0].SameSite != network.CookieSameSiteLax {
		t.Errorf("cookies are %+v", list)
	}
	p.visit("/console/me")
	p.see("They are not set up.")
	p.clean()
}

// A single sign-on lets people in with the role of their group.
func TestOperatorsOfASingleSignOn(t *testing.T) {
	sso := testkit.NewSSO(t, time.Now)
	s := newSite(t, named, func(c *config.Config) {
		c.SignIn.SSO = config.SSO{Issuer: sso.URL, ClientID: "sallyport", ClientSecret: "secret", Name: "Example login",
			Scopes: []string{"email"}, Claim: "groups", Roles: map[string]model.Role{"helpdesk": model.RoleSupport}}
	})
	p := s.open()
	sso.Says(map[string]any{"email_verified": true, "email": "kim@example.net", "groups": []string{"accounting"}}, nil)
	p.visit("/console/me")
	p.press("Go on with Example login")
	p.see("None of your groups at Example login has a role here.")
	p.picture("sign-in-refused")
	sso.Says(map[string]any{"email_verified": true, "email": "kim@example.net", "name": "Kim Hill",
		"groups": []string{"helpdesk"}}, nil)
	p.press("Go on with Example login")
	p.wait("/console/")
	p.visit("/console/me")
	p.see("support")
	p.see("Example login knows you.")
	p.clean()
}
