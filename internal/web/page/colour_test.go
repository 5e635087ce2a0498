package page

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Text on a button of any colour can be read: WCAG asks for a contrast of 4.5.
func TestTextOnEveryColourCanBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		colour := "#" + rapid.StringMatching(`[0-9a-f]{6}`).Draw(t, "colour")
		on := "#ffffff"
		if strings.Contains(branding(colour), "#000000") {
			on = "#000000"
		}
		if c := contrast(colour, on); c < 4.5 {
			t.Fatalf("%s on %s has a contrast of %.2f", on, colour, c)
		}
	})
	if c := contrast("#000000", "#ffffff"); c != 21 {
		t.Errorf("black on white is %v", c)
	}
	if branding("") != "" {
		t.Error("no colour changes the style")
	}
}
