package expect_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

func TestRows(t *testing.T) {
	long := strings.Repeat("x", 300<<10) // longer than the read buffer
	for content, want := range map[string]int64{
		"": 0, "\n": 0, "\r\n\r\n": 0, " \t\n": 0, "a": 1, "a\n": 1, "a\nb": 2, "a\r\n\r\nb\r\n": 2, "\n\n a\n": 1,
		long + "\n" + long: 2,
	} {
		if n, err := expect.CountRows(strings.NewReader(content), int64(len(content))); err != nil || n != want {
			t.Errorf("%.20q, %d bytes: %d rows, %v; want %d", content, len(content), n, err, want)
		}
	}
	if _, err := expect.CountRows(strings.NewReader("a\n"), 3); !fault.Is(err, fault.Unavailable) {
		t.Errorf("content that ends too early: %v", err)
	}
}
