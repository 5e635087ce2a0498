package offline

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// VerifyAudit verifies the audit log in the configured database, without a server. It changes
// nothing.
func VerifyAudit(ctx context.Context, cfg config.Config, public, against string,
	progress func(done, total int64)) (AuditReport, error) {
	s, err := store.Inspect(ctx, store.Options{Dir: cfg.Data, URL: cfg.Database.URL})
	if err != nil {
		return AuditReport{}, err
	}
	defer s.Close()
	head, err := identity.HeadOf(cfg.Data).Load() // before the rows are counted, because a server may be sealing
	if err != nil {
		return AuditReport{}, fault.E("offline.VerifyAudit", fault.Invalid,
			"What is kept of the log beside the signing key cannot be read: %v.", err)
	}
	v := audit.Verifier{Store: s, Public: public, Against: against, Head: head, Progress: progress}
	return v.Verify(ctx)
}
