package connection_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/connection"
)

func TestTheBannerSaysWhoseServerItIs(t *testing.T) {
	for _, c := range []struct{ operator, begins string }{{"", "This server takes SSH keys only, no passwords."},
		{"Example Networks", "This server of Example Networks takes SSH keys only, no passwords."},
		{"red\x1b[31m", `This server of red\x1b[31m takes SSH keys only`}} {
		text := connection.Banner(c.operator, "help@example.com", "k3jd-9fh2")
		if !strings.HasPrefix(text, c.begins) || !strings.Contains(text, "Help: help@example.com, reference k3jd-9fh2.") {
			t.Errorf("%q", text)
		}
	}
	at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	if text := connection.Turned("Example Networks", "", "", at); !strings.Contains(text,
		"at this server of Example Networks failed.") {
		t.Errorf("%q", text)
	}
}
