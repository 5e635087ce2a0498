package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Metrics has the address of the Prometheus listener. Without it there is none.
type Metrics struct {
	Listen string `yaml:"listen" env:"LISTEN"` // "127.0.0.1:9222"
}

// Traces says where spans of OpenTelemetry traces go. Without an address, there are none.
type Traces struct {
	Endpoint string `yaml:"endpoint" env:"ENDPOINT"` // URL of a collector: "https://otel.example.com:4318"
	Token    string `yaml:"token" env:"TOKEN"`       // bearer token
	CA       string `yaml:"ca" env:"CA"`             // file of certificates to trust, besides the system's
	Percent  int    `yaml:"percent" env:"PERCENT"`   // of the traces that begin here
}

func (t Traces) check(f *findings) {
	if t.Percent < 0 || t.Percent > 100 {
		f.bad("traces.percent", "from 0 to 100.")
	}
	if t.Endpoint == "" {
		return
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		f.bad("traces.endpoint", "%q is not an address.", t.Endpoint).Hint = "such as https://otel.example.com:4318"
		return
	}
	if u.User != nil {
		f.bad("traces.endpoint", "has a password in it, which would be shown.").Hint = "write it into traces.token"
	}
	local, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && t.Token != "" && (err != nil || !local.IsLoopback()) {
		f.bad("traces.token", "is not sent without TLS to another machine.").Hint = "write https:// in traces.endpoint"
	}
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
	Language  string   `yaml:"language" env:"LANGUAGE"`   // of people for whom none is set: de, pt-BR
	Welcome   bool     `yaml:"welcome" env:"WELCOME"`     // people are welcomed when a user's first key works
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
	CloseAccess   string   `yaml:"close_access" env:"CLOSE_ACCESS"`     // of its users until then: read-only, none
	RequireNotice bool     `yaml:"require_notice" env:"REQUIRE_NOTICE"` // keep the files of accounts not reached
}

// Audit says how long the audit log is kept, and where its checkpoints are sent.
type Audit struct {
	Keep        string   `yaml:"keep" env:"KEEP"`               // "": for ever
	Checkpoints []string `yaml:"checkpoints" env:"CHECKPOINTS"` // once a day: mail:ADDRESS, webhook:NAME, file:PATH
}

func defaultExchange(c *Config) {
	c.Mail = Mail{TLS: "starttls", Language: "en", Welcome: true}
	c.Webhooks.Keep = Duration(400 * 24 * time.Hour)
	c.Expect = Expect{Larger: exchange.OddTell, Later: exchange.OddTell}
	c.Inbox = Inbox{Lease: Duration(15 * time.Minute), After: "keep"}
	c.Folder = Folder{Every: Duration(2 * time.Second), Settle: Duration(5 * time.Second),
		Keep: Duration(7 * 24 * time.Hour)}
	c.Retain = Retention{Keep: "12mo", Day: 1, Hour: 3, Notice: Duration(30 * 24 * time.Hour),
		Reminder: Duration(7 * 24 * time.Hour), AfterClose: Duration(30 * 24 * time.Hour), CloseAccess: model.CloseReadOnly,
		RequireNotice: true}
	c.Audit.Keep = "7y"
	c.Backup.WarnAfter = Duration(26 * time.Hour)
	c.Database.Upgrade = UpgradeAuto
}

// FolderDir returns the folder of files to publish.
func (c *Config) FolderDir() string {
	if c.Folder.Dir != "" {
		return c.Folder.Dir
	}
	return filepath.Join(c.Data, "outbound")
}

// checkExchange notes invalid settings of mail, webhooks, inbox, folder and retention.
func (c *Config) checkExchange(f *findings) {
	c.checkMail(f)
	for _, s := range c.Webhooks.Allow {
		if _, ok := valid.ParseNetwork(s); !ok {
			f.bad("webhooks.allow", "%q is not an address or network.", s)
		}
	}
	for setting, what := range map[string]string{"expectations.larger": c.Expect.Larger,
		"expectations.later": c.Expect.Later} {
		f.oneOf(setting, what, exchange.OddFlag, exchange.OddTell, exchange.OddRefuse)
	}
	if l := time.Duration(c.Inbox.Lease); l < time.Second || l > 24*time.Hour {
		f.bad("inbox.lease", "from 1s to 24h.")
	}
	f.oneOf("inbox.after_ack", c.Inbox.After, "keep", "move")
	if c.Inbox.Scanner != "" {
		f.refused("inbox.scanner", valid.CheckID("consumer", c.Inbox.Scanner))
	}
	if c.Folder.Every <= 0 {
		f.bad("folder.every", "must be more than zero.")
	}
	if err := valid.CheckPeriod(c.Retain.Keep); err != nil {
		f.bad("retention.keep", "%q is not a period, such as 12mo, 90d or 7y.", c.Retain.Keep)
	}
	if c.Retain.Day < 1 || c.Retain.Day > 28 {
		f.bad("retention.day", "a day from 1 to 28, which every month has.")
	}
	if c.Retain.Hour < 0 || c.Retain.Hour > 23 {
		f.bad("retention.hour", "an hour from 0 to 23.")
	}
	if c.Retain.Notice < Duration(24*time.Hour) || c.Retain.Notice > Duration(366*24*time.Hour) ||
		c.Retain.Reminder >= c.Retain.Notice {
		f.bad("retention.notice", "from 1d to 366d, and longer than retention.reminder.")
	}
	if c.Retain.AfterClose <= 0 {
		f.bad("retention.after_close", "must be more than zero.")
	}
	f.oneOf("retention.close_access", c.Retain.CloseAccess, model.CloseReadOnly, model.CloseNone)
	if c.Audit.Keep != "" {
		if err := valid.CheckPeriod(c.Audit.Keep); err != nil {
			f.bad("audit.keep", "%q is not a period, such as 7y.", c.Audit.Keep)
		}
	}
	for _, to := range c.Audit.Checkpoints {
		kind, target, _ := strings.Cut(to, ":")
		if target == "" || !slices.Contains([]string{"mail", "webhook", "file"}, kind) {
			f.bad("audit.checkpoints", "%q is not mail:ADDRESS, webhook:NAME or file:PATH.", to)
		}
		if kind == "mail" && c.Mail.Host == "" {
			f.bad("audit.checkpoints", "%q needs a mail server.", to)
		}
	}
	if c.Metrics.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Metrics.Listen); err != nil {
			f.bad("metrics.listen", "%q is not an address.", c.Metrics.Listen)
		}
	}
}

func (c *Config) checkMail(f *findings) {
	m := &c.Mail
	if err := valid.CheckLanguage(m.Language); err != nil {
		f.bad("mail.language", "%q is not the tag of a language, such as en or pt-BR.", m.Language)
	}
	if m.TLS != "" || m.Host != "" {
		f.oneOf("mail.tls", m.TLS, "starttls", "tls", "none")
	}
	if m.Host == "" {
		return
	}
	if m.Port < 0 || m.Port > 65535 {
		f.bad("mail.port", "%d is not a port.", m.Port)
	}
	if m.Port == 0 {
		m.Port = map[string]int{"starttls": 587, "tls": 465, "none": 25}[m.TLS]
	}
	if m.TLS == "none" && m.User != "" {
		f.bad("mail.tls", "a password must not travel in clear.").Hint = "set mail.tls to starttls or tls"
	}
	if m.From == "" {
		f.bad("mail.from", "name the address that mails come from.")
	}
	for setting, list := range map[string][]string{"mail.from": {m.From}, "mail.reply_to": {m.ReplyTo},
		"mail.bounces": {m.Bounces}, "mail.operators": m.Operators} {
		for _, a := range list {
			if _, err := valid.CheckEmail(a); a != "" && err != nil {
				f.bad(setting, "%q is not an e-mail address.", a)
			}
		}
	}
}
