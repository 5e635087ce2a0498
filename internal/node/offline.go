package node

import (
	"context"
	"io"
	"io/fs"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// AuditReport is the result of verifying the audit log.
type AuditReport = audit.Report

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
		return AuditReport{}, fault.E("node.VerifyAudit", fault.Invalid,
			"What is kept of the log beside the signing key cannot be read: %v.", err)
	}
	v := audit.Verifier{Store: s, Public: public, Against: against, Head: head, Progress: progress}
	return v.Verify(ctx)
}

// VerifyAuditExport verifies an export of the audit log by itself.
func VerifyAuditExport(in io.Reader, public, against string, progress func(done, total int64)) (AuditReport, error) {
	return audit.VerifyExport(in, public, against, progress)
}

// ReadBounce reads a mail server's delivery report.
func ReadBounce(in io.Reader) (model.MailReport, error) { return mail.ReadBounce(in) }

// MailTemplates returns the built-in mail templates.
func MailTemplates() fs.FS { return mail.Templates() }

// MailManual says how mail templates are changed and translated.
func MailManual() string { return mail.Manual() }
