package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// tabs presses the tabulator until what has the focus has an id or a text, and fails if it never gets there.
func (p *tab) tabs(to string) {
	p.t.Helper()
	const focused = `(() => {
		const e = document.activeElement;
		return e.id + "\n" + (e.name || "") + "\n" + e.innerText.trim();
	})()`
	var at string
	for range 150 {
		p.do(chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(focused, &at))
		if hasLine(at, to) {
			var seen bool
			p.do(chromedp.Evaluate(`getComputedStyle(document.activeElement).outlineStyle !== "none" ||
				document.activeElement.matches("input[type=checkbox], input[type=radio], input, textarea, select")`, &seen))
			if !seen {
				p.t.Errorf("%s has the focus, and nobody sees it", to)
			}
			return
		}
	}
	p.t.Fatalf("the keyboard never gets to %s; the last was %q", to, at)
}

// hasLine reports whether a text has a line.
func hasLine(text, line string) bool {
	for len(text) > 0 {
		head, rest := text, ""
		for i := range text {
			if text[i] == '\n' {
				head, rest = text[:i], text[i+1:]
				break
			}
		}
		if head == line {
			return true
		}
		text = rest
	}
	return false
}

// types goes to a field with the tabulator and types.
func (p *tab) types(field, text string) {
	p.t.Helper()
	p.tabs(field)
	p.do(chromedp.KeyEvent(text))
}

// presses goes to a button or a link with the tabulator and presses a key.
func (p *tab) presses(name, key string) {
	p.t.Helper()
	p.tabs(name)
	p.do(chromedp.KeyEvent(key))
}

// TestTheKeyboardIsEnough: somebody asks for access, and an operator signs in and approves, without a mouse.
func TestTheKeyboardIsEnough(t *testing.T) {
	s := newSite(t)
	s.feeds()
	_, err := s.API.AddAccount(t.Context(), model.NewAccount{ID: "10423", Name: "Blue Ridge Dental"})
	testkit.Must(t, err)
	p := s.open()
	p.visit("/")
	p.presses("Skip to the content", kb.Enter)
	p.types("key", testkit.NewPair(t).Line)
	p.see("Good: an Ed25519 key.")
	p.types("first_name", "Jo")
	p.types("last_name", "Hill")
	p.types("email", "jo@blueridge.example")
	p.types("company", "Blue Ridge Dental")
	p.types("account_number", "10423")
	p.presses("feeds", " ")
	p.presses("Send the request", kb.Enter)
	p.see("Please look into your mail")
	p.visit(s.mail.wait("jo@blueridge.example", "confirm").link())
	p.presses("Confirm my e-mail address", kb.Enter)
	p.see("We look at your request.")

	o, err := s.API.AddOperator(t.Context(), model.NewOperator{Email: "kim@example.net", Role: model.RoleOnboarding})
	testkit.Must(t, err)
	k := s.open()
	k.visit(o.Link)
	code := k.code()
	k.types("password", words)
	k.types("code", code)
	k.do(chromedp.KeyEvent(kb.Enter))
	k.wait("/console/requests")
	k.presses("Jo Hill, Blue Ridge Dental", kb.Enter)
	k.see("Checks")
	k.presses("Approve", kb.Enter)
	k.see("What was made")
	k.presses("Sign out", kb.Enter)
	k.see("You are signed out.")
	p.clean()
	k.clean()
}
