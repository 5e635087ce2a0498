package config_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// TestInactiveUsersAreWarned: a policy that would end users without a notice, or end nobody, is refused.
func TestInactiveUsersAreWarned(t *testing.T) {
	for text, want := range map[string]string{
		"access: {inactive: {disable: 90d}}":                               "",
		"access: {inactive: {disable: 90d, notice: 7d, kinds: [vendor]}}":  "",
		"access: {inactive: {disable: 0s, notice: 0s}}":                    "",
		"access: {inactive: {disable: 90d, notice: 0s}}":                   "access.inactive.notice:",
		"access: {inactive: {disable: 20d}}":                               "access.inactive.notice:",
		"access: {inactive: {disable: 90d, kinds: []}}":                    "access.inactive.kinds:",
		"access: {inactive: {disable: 90d, kinds: [robot]}}":               "access.inactive.kinds:",
		"access: {inactive: {disable: 90d, notice: 7d, kind: [customer]}}": "kind",
	} {
		_, err := load(t, text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(fault.PublicText(err), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
