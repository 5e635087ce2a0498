package overview_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestBackupsThatAreDue: an operator who makes backups is told when one is too old or failed; one who makes none is
// told only if they are expected.
func TestBackupsThatAreDue(t *testing.T) {
	w := &world{World: testkit.NewWorld(t, "")}
	says := func(want string) {
		t.Helper()
		w.open(false)
		topics, all, _ := w.status()
		if got := all["backup"]; want == "" && slices.Contains(topics, "backup") || !strings.Contains(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	begin(w, t)
	says("")
	w.expectBackup = true
	says("No backup was made yet")
	w.tried = w.Clock()
	says("No backup has succeeded yet")
	w.good = w.tried
	says("")
	w.Pass(26 * time.Hour)
	says("")
	w.Pass(time.Minute)
	says("is older than backup.warn_after allows")
	w.tried = w.Clock()
	says("failed: The disk is full. The newest good one is of")
}
