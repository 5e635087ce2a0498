package browser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// axe returns the source of axe-core, which scripts/install-test-packages fetches.
func axe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	testkit.Must(t, err)
	files, _ := filepath.Glob(filepath.Join(cache, "sallyport-tests", "axe-*.js"))
	if len(files) == 0 {
		t.Fatal("axe-core is missing; scripts/install-test-packages fetches it")
	}
	return string(testkit.MustRead(t, files[len(files)-1]))
}

// violation is what axe-core found on a page.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

// accessible fails if a page breaks a rule of WCAG 2.2 A or AA in light or dark, or has to be scrolled sideways on a
// screen of 320 pixels, which is also what 400% zoom of a desktop is.
func (p *tab) accessible(name, axe string) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		var found string
		p.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme",
			Value: scheme}}),
			chromedp.Evaluate(axe+"; 0", nil),
			chromedp.Evaluate(`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", `+
				`"best-practice"]}).`+
				`then((r) => { if (r.passes.length < 10) throw "axe looked at nothing"; `+
				`return JSON.stringify(r.violations); })`, &found,
				func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
		var list []violation
		testkit.Must(p.t, json.Unmarshal([]byte(found), &list))
		for _, v := range list {
			p.t.Errorf("%s (%s): %s: %s\n%s\n%s", name, scheme, v.ID, v.Help, v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
		}
	}
	var wide bool
	p.do(emulation.SetEmulatedMedia(), emulation.SetDeviceMetricsOverride(320, 800, 1, true),
		chromedp.Evaluate(`document.documentElement.scrollWidth > 320`, &wide), emulation.ClearDeviceMetricsOverride())
	if wide {
		p.picture("too-wide")
		p.t.Errorf("%s has to be scrolled sideways at 320 pixels", name)
	}
	var inline int
	p.do(chromedp.Evaluate(`document.querySelectorAll("style, [style], script:not([src]), [onclick]").length`, &inline))
	if inline > 0 {
		p.t.Errorf("%s has scripts or styles of its own", name)
	}
}

func TestEveryPageCanBeUsedByEverybody(t *testing.T) {
	s := newSite(t)
	s.feeds()
	source := axe(t)
	p := s.open()
	look := func(name, path, text string) {
		t.Helper()
		p.visit(path)
		p.see(text)
		p.accessible(name, source)
	}
	look("how to make a key", "/keys", "Make a key pair")
	look("no page", "/nothing-here", "Nothing here")
	look("a link that does not work", "/handover/x", "This link does not work")
	look("the form", "/", "Ask for file access")
	p.press("I have no key yet")
	p.press("Make a key pair")
	p.see("Your pair is ready.")
	p.accessible("the form with a new pair", source)
	p.press("Send the request")
	p.see("Save the key files first.")
	p.press("Save the key files")
	p.press("Send the request")
	p.see("Your pair is ready.") // names are missing, and the page stays
	p.visit("/")
	p.press("Send the request")
	p.see("need another look")
	p.accessible("the form with mistakes", source)
	var focused string
	p.do(chromedp.Evaluate(`document.activeElement.innerText`, &focused))
	if !strings.Contains(focused, "need another look") {
		t.Errorf("the summary of mistakes does not have the focus, %q has it", focused)
	}
	p.paste("key", testkit.NewPair(t).Line)
	p.aboutMe()
	p.press("Send the request")
	p.see("Please look into your mail")
	p.accessible("one more step", source)
	p.visit(s.mail.wait("jo@blueridge.example", "confirm").link())
	p.see("Is this your address?")
	p.accessible("is this your address", source)
	p.press("Confirm")
	p.see("We look at your request.")
	p.accessible("the request", source)
	p.clean()
}
