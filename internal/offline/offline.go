// Package offline is what commands do without a server: verify the audit log, read bounces, check templates.
package offline

import (
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/model"
)

// AuditReport is the result of verifying the audit log.
type AuditReport = audit.Report

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

// Words reads the templates of letters and banners that a configuration names.
func Words(c *config.Config, log *slog.Logger) (*mail.Writer, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, fault.Wrap("offline.Words", fault.Invalid, err)
	}
	o := c.Operator
	return mail.NewWriter(mail.WriterConfig{Templates: c.Mail.Templates, Language: c.Mail.Language,
		Operator: o.Name, URL: o.URL, Logo: o.Logo, Zone: zone, Log: log})
}

// CheckWords checks the templates that a configuration names.
func CheckWords(c config.Config) error {
	_, err := Words(&c, nil)
	return err
}
