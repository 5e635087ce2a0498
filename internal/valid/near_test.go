package valid_test

import (
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

func TestNearest(t *testing.T) {
	known := []string{"account", "audit", "list", "set", "show", "reinstate"}
	for word, want := range map[string]string{
		"acount": "account", "accounts": "account", "lst": "list", "reinstaet": "reinstate", "lsit": "list", "shw": "show",
		"acc": "account", "ad": "", "banana": "", "x": "", "": "",
	} {
		if got := valid.Nearest(word, known); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}
