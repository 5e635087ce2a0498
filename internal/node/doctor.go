package node

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/backup"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/doctor"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// DoctorRequest says what Examine looks at.
type DoctorRequest struct {
	File     string // the configuration's file
	Deep     bool
	Clock    exchange.Clock
	Progress func(done, total int64)
}

// Examine looks at a deployment, whose server may run, and changes nothing.
func Examine(ctx context.Context, cfg config.Config, r DoctorRequest) (doctor.Report, error) {
	o := doctor.Options{Config: cfg, File: r.File, Clock: r.Clock, Deep: r.Deep, Progress: r.Progress,
		Certificate: certificateOf(&cfg)}
	if o.Store, o.StoreErr = store.Inspect(ctx, store.Options{Dir: cfg.Data, URL: cfg.Database.URL}); o.StoreErr == nil {
		defer o.Store.Close()
		o.Backups = func(ctx context.Context) (time.Time, time.Time, string, error) { return lastBackups(ctx, o.Store) }
	}
	if dir := filepath.Join(cfg.Data, "blobs"); o.Store != nil {
		if there, err := datadir.Exists(dir); err == nil && there {
			if blobs, err := disk.Open(dir, r.Clock); err == nil {
				defer blobs.Close()
				o.Blobs = small.New(small.Options{Large: blobs, Rows: o.Store})
			}
		}
	}
	if m := &cfg.Mail; m.Host != "" {
		o.Mail = func(ctx context.Context) error {
			mailer, err := mail.New(mail.Config{Host: m.Host, Port: m.Port, TLS: m.TLS, CA: m.CA, User: m.User,
				Password: m.Password, From: m.From})
			if err != nil {
				return err
			}
			return mailer.Check(ctx)
		}
	}
	return doctor.Examine(ctx, o)
}

// certificateOf returns how to learn when the certificate of the pages expires; nil if the server has none.
func certificateOf(c *config.Config) func(ctx context.Context) (time.Time, error) {
	switch {
	case c.Web.TLSCert != "":
		return func(context.Context) (time.Time, error) { return certificateUntil(c) }
	case c.Web.ACME.On() && len(c.Web.ACME.Domains) > 0:
		return func(ctx context.Context) (time.Time, error) { return servedUntil(ctx, c) }
	}
	return nil
}

// servedUntil asks the pages' listener for the certificate that it has for the first domain.
func servedUntil(ctx context.Context, c *config.Config) (time.Time, error) {
	host, port, err := net.SplitHostPort(c.Web.Listen)
	if err != nil {
		return time.Time{}, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{ServerName: c.Web.ACME.Domains[0],
		InsecureSkipVerify: true}} //nolint:gosec // only its last day is read
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].NotAfter, nil
}

// lastBackups returns when the newest backup was tried, and the newest that is whole; zero for none. why is why the
// newest failed.
func lastBackups(ctx context.Context, s *store.Store) (newest, good time.Time, why string, err error) {
	q := s.Read(ctx)
	last, err := q.Setting(backup.Setting)
	if err != nil {
		return newest, good, "", err
	}
	whole, err := q.Setting(backup.GoodSetting)
	if o := backup.ReadOutcome(last); o != nil {
		newest, why = o.At, o.Error
	}
	if o := backup.ReadOutcome(whole); o != nil {
		good = o.At
	}
	return newest, good, why, err
}
