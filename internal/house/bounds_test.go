package house

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// TestTheTableOfBoundsIsInTheDocs: docs/operate.md and explain --limits say the same.
func TestTheTableOfBoundsIsInTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range exchange.Bounds {
		row := "| " + strings.Join([]string{b.What, b.HowMuch, b.Setting, b.Partner, b.Operator}, " | ") + " |"
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/operate.md does not have the row\n%s", row)
		}
	}
}
