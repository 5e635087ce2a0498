package config_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestWhatAClosedAccountMayDo(t *testing.T) {
	if c := config.Default(); c.Retain.CloseAccess != model.CloseReadOnly {
		t.Errorf("by default %q", c.Retain.CloseAccess)
	}
	c, err := load(t, "retention: {close_access: none}\n", "")
	if err != nil || c.Retain.CloseAccess != model.CloseNone {
		t.Errorf("%q, %v", c.Retain.CloseAccess, err)
	}
	for _, bad := range []string{"write", "''", "ReadOnly", "read_only"} {
		_, err := load(t, "retention: {close_access: "+bad+"}\n", "")
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), "is not one of read-only, none") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A file that was written for an earlier version stays valid: the command line alone wants a unit.
func TestAPlainNumberInAFileIsBytes(t *testing.T) {
	c, err := load(t, "storage: {quota: 1048576}\n", "")
	if err != nil || c.Storage.Quota != 1<<20 {
		t.Errorf("%d, %v", c.Storage.Quota, err)
	}
}
