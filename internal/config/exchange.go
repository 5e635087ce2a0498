package config

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Metrics has the address of the Prometheus listener. Without it there is none.
type Metrics struct {
	Listen string `yaml:"listen" env:"LISTEN"` // "127.0.0.1:9222"
}

// Mail is how mail is sent. Without a host, no mail is sent.
type Mail struct {
	Host     string `yaml:"host" env:"HOST"`
	Port     int    `yaml:"port" env:"PORT"` // 0: 587, or 465 with tls
	TLS      string `yaml:"tls" env:"TLS"`   // starttls, tls, none
	CA       string `yaml:"ca" env:"CA"`     // file of certificates to trust besides the system's
	User     string `yaml:"user" env:"USER"`
	Password string `yaml:"password" env:"PASSWORD"`
	From     string `yaml:"from" env:"FROM"`
	ReplyTo  string `yaml:"reply_to" env:"REPLY_TO"`
	// address for delivery reports, which are sent to bounces+ID@…; "": they go to mail.from
	Bounces   string   `yaml:"bounces" env:"BOUNCES"`
	Templates string   `yaml:"templates" env:"TEMPLATES"` // folder of templates that replace the built-in ones
	Operators []string `yaml:"operators" env:"OPERATORS"` // they are mailed about missing files and runs to confirm
}

// Webhooks limits where receivers of events may be.
type Webhooks struct {
	Allow     []string `yaml:"allow" env:"ALLOW"`           // private networks that are allowed
	AllowHTTP bool     `yaml:"allow_http" env:"ALLOW_HTTP"` // without TLS
	Keep      Duration `yaml:"keep" env:"KEEP"`             // how long sent webhook messages and mails are kept
}

// Expect says what happens to received files that are not as expected: flag marks them in lists, tell tells the
// operator, too, and refuse refuses them with the reason.
type Expect struct {
	Larger string `yaml:"larger" env:"LARGER"` // than an expectation's most bytes
	Later  string `yaml:"later" env:"LATER"`   // than its deadline
}

// Inbox says how received files are handled.
type Inbox struct {
	Lease   Duration `yaml:"lease" env:"LEASE"`         // of a claim that does not ask for one
	Scanner string   `yaml:"scanner" env:"SCANNER"`     // consumer that must accept every file first
	After   string   `yaml:"after_ack" env:"AFTER_ACK"` // keep, or move to the folder processed
}

// Folder is where programs on this machine put files to be published.
type Folder struct {
	Dir    string   `yaml:"dir" env:"DIR"` // "": outbound, in the data folder
	Every  Duration `yaml:"every" env:"EVERY"`
	Settle Duration `yaml:"settle" env:"SETTLE"` // how long a file must be unchanged
	Keep   Duration `yaml:"keep" env:"KEEP"`     // how long published files are kept
}

// Retention says how long files are kept, and how their removal is announced.
type Retention struct {
	Keep          string   `yaml:"keep" env:"KEEP"`     // files that no other policy keeps: 12mo, 90d, 7y
	Day           int      `yaml:"day" env:"DAY"`       // of the month, of the run
	Hour          int      `yaml:"hour" env:"HOUR"`     // UTC
	Notice        Duration `yaml:"notice" env:"NOTICE"` // from the first notice to the run
	Reminder      Duration `yaml:"reminder" env:"REMINDER"`
	AfterClose    Duration `yaml:"after_close" env:"AFTER_CLOSE"`       // from closing an account to its last removal
	RequireNotice bool     `yaml:"require_notice" env:"REQUIRE_NOTICE"` // keep the files of accounts not reached
}

// Audit says how long the audit log is kept, and where its checkpoints are sent.
type Audit struct {
	Keep        string   `yaml:"keep" env:"KEEP"`               // "": for ever
	Checkpoints []string `yaml:"checkpoints" env:"CHECKPOINTS"` // once a day: mail:ADDRESS, webhook:NAME, file:PATH
}

func defaultExchange(c *Config) {
	c.Mail = Mail{TLS: "starttls"}
	c.Webhooks.Keep = Duration(400 * 24 * time.Hour)
	c.Expect = Expect{Larger: exchange.OddTell, Later: exchange.OddTell}
	c.Inbox = Inbox{Lease: Duration(15 * time.Minute), After: "keep"}
	c.Folder = Folder{Every: Duration(2 * time.Second), Settle: Duration(5 * time.Second),
		Keep: Duration(7 * 24 * time.Hour)}
	c.Retain = Retention{Keep: "12mo", Day: 1, Hour: 3, Notice: Duration(30 * 24 * time.Hour),
		Reminder: Duration(7 * 24 * time.Hour), AfterClose: Duration(30 * 24 * time.Hour), RequireNotice: true}
	c.Audit.Keep = "7y"
}

// FolderDir returns the folder of files to publish.
func (c *Config) FolderDir() string {
	if c.Folder.Dir != "" {
		return c.Folder.Dir
	}
	return filepath.Join(c.Data, "outbound")
}

// checkExchange refuses invalid settings of mail, webhooks, inbox, folder and retention.
func (c *Config) checkExchange() error {
	const op = "config.check"
	bad := func(format string, args ...any) error { return fault.E(op, fault.Invalid, format, args...) }
	if err := c.checkMail(); err != nil {
		return err
	}
	for _, s := range c.Webhooks.Allow {
		if _, ok := valid.ParseNetwork(s); !ok {
			return bad("webhooks.allow: %q is not an address or network.", s)
		}
	}
	for setting, what := range map[string]string{"expectations.larger": c.Expect.Larger,
		"expectations.later": c.Expect.Later} {
		if err := exchange.CheckOdd(setting, what); err != nil {
			return err
		}
	}
	if l := time.Duration(c.Inbox.Lease); l < time.Second || l > 24*time.Hour {
		return bad("inbox.lease: from 1s to 24h.")
	}
	if c.Inbox.After != "keep" && c.Inbox.After != "move" {
		return bad("inbox.after_ack: %q is neither keep nor move.", c.Inbox.After)
	}
	if c.Inbox.Scanner != "" {
		if err := valid.CheckID("inbox.scanner", c.Inbox.Scanner); err != nil {
			return err
		}
	}
	if c.Folder.Every <= 0 || c.Folder.Settle < 0 {
		return bad("folder.every: must be more than zero.")
	}
	if err := valid.CheckPeriod(c.Retain.Keep); err != nil {
		return bad("retention.keep: %q is not a period, such as 12mo, 90d or 7y.", c.Retain.Keep)
	}
	if c.Retain.Day < 1 || c.Retain.Day > 28 || c.Retain.Hour < 0 || c.Retain.Hour > 23 {
		return bad("retention.day, retention.hour: a day from 1 to 28, which every month has, and an hour from 0 to 23.")
	}
	if c.Retain.Notice < Duration(24*time.Hour) || c.Retain.Notice > Duration(366*24*time.Hour) ||
		c.Retain.Reminder >= c.Retain.Notice || c.Retain.AfterClose <= 0 {
		return bad("retention.notice: from 1d to 366d, and longer than retention.reminder.")
	}
	if c.Audit.Keep != "" {
		if err := valid.CheckPeriod(c.Audit.Keep); err != nil {
			return bad("audit.keep: %q is not a period, such as 7y.", c.Audit.Keep)
		}
	}
	for _, to := range c.Audit.Checkpoints {
		kind, target, _ := strings.Cut(to, ":")
		if target == "" || !slices.Contains([]string{"mail", "webhook", "file"}, kind) {
			return bad("audit.checkpoints: %q is not mail:ADDRESS, webhook:NAME or file:PATH.", to)
		}
		if kind == "mail" && c.Mail.Host == "" {
			return bad("audit.checkpoints: %q needs a mail server.", to)
		}
	}
	if c.Metrics.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Metrics.Listen); err != nil {
			return bad("metrics.listen: %q is not an address.", c.Metrics.Listen)
		}
	}
	return nil
}

func (c *Config) checkMail() error {
	const op = "config.check"
	m := &c.Mail
	if m.Host == "" {
		return nil
	}
	if !slices.Contains([]string{"starttls", "tls", "none"}, m.TLS) {
		return fault.E(op, fault.Invalid, "mail.tls: %q is not one of starttls, tls, none.", m.TLS)
	}
	if m.Port < 0 || m.Port > 65535 {
		return fault.E(op, fault.Invalid, "mail.port: %d is not a port.", m.Port)
	}
	if m.Port == 0 {
		m.Port = map[string]int{"starttls": 587, "tls": 465, "none": 25}[m.TLS]
	}
	if m.TLS == "none" && m.User != "" {
		return fault.E(op, fault.Invalid, "mail.tls: a password must not travel in clear.").
			WithHint("set mail.tls to starttls or tls")
	}
	if m.From == "" {
		return fault.E(op, fault.Invalid, "mail.from: name the address that mails come from.")
	}
	for _, a := range append([]string{m.From, m.ReplyTo, m.Bounces}, m.Operators...) {
		if a == "" {
			continue
		}
		if _, err := valid.CheckEmail(a); err != nil {
			return fault.E(op, fault.Invalid, "mail: %q is not an e-mail address.", a)
		}
	}
	return nil
}
