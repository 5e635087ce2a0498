//go:build !linux

package offline

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// VerifyAudit refuses: a server's data folder is on Linux. VerifyAuditExport works on every system.
func VerifyAudit(context.Context, config.Config, string, string, func(done, total int64)) (AuditReport, error) {
	return AuditReport{}, fault.E("offline.VerifyAudit", fault.Unsupported,
		"The log in a database is verified on Linux, where the server is; an export is verified everywhere.")
}
