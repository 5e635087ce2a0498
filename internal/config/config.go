// Package config has the operator's settings: one struct with defaults, read from one YAML file,
// then from SALLYPORT_… variables. It is strict: an unknown name is an error that names the file,
// the line and the nearest known name.
package config

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// Config is everything that can be set.
type Config struct {
	Data     string            `yaml:"data" env:"DATA"`     // folder of database, blobs, host keys and socket
	Listen   []string          `yaml:"listen" env:"LISTEN"` // SSH listeners: ":2022", "192.0.2.1:3333"
	Drain    Duration          `yaml:"drain" env:"DRAIN"`   // how long running transfers may go on after SIGTERM
	Database Database          `yaml:"database" envPrefix:"DATABASE_"`
	Socket   Socket            `yaml:"socket" envPrefix:"SOCKET_"`
	Endpoint Endpoint          `yaml:"endpoint" envPrefix:"ENDPOINT_"`
	Regions  map[string]Region `yaml:"regions"` // endpoints by region of accounts
	Operator Operator          `yaml:"operator" envPrefix:"OPERATOR_"`
	Support  exchange.Support  `yaml:"support" envPrefix:"SUPPORT_"`
	Storage  Storage           `yaml:"storage" envPrefix:"STORAGE_"`
	Limits   Limits            `yaml:"limits" envPrefix:"LIMITS_"`
	Keys     Keys              `yaml:"keys" envPrefix:"KEYS_"`
	Users    Users             `yaml:"users" envPrefix:"USERS_"`
	Contacts Contacts          `yaml:"contacts" envPrefix:"CONTACTS_"`
	Onboard  Onboarding        `yaml:"onboarding" envPrefix:"ONBOARDING_"`
	Access   Access            `yaml:"access" envPrefix:"ACCESS_"`
	Records  Records           `yaml:"records" envPrefix:"RECORDS_"`
	Web      Web               `yaml:"web" envPrefix:"WEB_"`
	SignIn   SignIn            `yaml:"sign_in" envPrefix:"SIGN_IN_"`
	Metrics  Metrics           `yaml:"metrics" envPrefix:"METRICS_"`
	Traces   Traces            `yaml:"traces" envPrefix:"TRACES_"`
	Mail     Mail              `yaml:"mail" envPrefix:"MAIL_"`
	Webhooks Webhooks          `yaml:"webhooks" envPrefix:"WEBHOOKS_"`
	Expect   Expect            `yaml:"expectations" envPrefix:"EXPECTATIONS_"`
	Inbox    Inbox             `yaml:"inbox" envPrefix:"INBOX_"`
	Folder   Folder            `yaml:"folder" envPrefix:"FOLDER_"`
	Retain   Retention         `yaml:"retention" envPrefix:"RETENTION_"`
	Audit    Audit             `yaml:"audit" envPrefix:"AUDIT_"`
	Backup   Backup            `yaml:"backup" envPrefix:"BACKUP_"`
	Log      Log               `yaml:"log" envPrefix:"LOG_"`
	Sandbox  string            `yaml:"sandbox" env:"SANDBOX"` // on, off, require

	// TemporaryNames are globs of names that clients use while they write. They, DoubtfulNames and
	// IgnoredNames are matched without regard to case.
	TemporaryNames []string `yaml:"temporary_names" env:"TEMPORARY_NAMES"`
	// DoubtfulNames are globs of names that may be temporary. A file that keeps such a name for
	// DoubtfulGrace is handed on.
	DoubtfulNames []string `yaml:"doubtful_names" env:"DOUBTFUL_NAMES"`
	DoubtfulGrace Duration `yaml:"doubtful_grace" env:"DOUBTFUL_GRACE"`
	// IgnoredNames are globs of files that programs leave in folders. They are stored, but never
	// received or published.
	IgnoredNames []string `yaml:"ignored_names" env:"IGNORED_NAMES"`
	// TimeZone is the operator's zone: Australia/Sydney. People read and write times in it, unless their
	// account or region has another, and dated folders of feeds are in it that have none of their own.
	// Empty is UTC; the command line then uses the zone of its own machine.
	TimeZone string `yaml:"time_zone" env:"TIME_ZONE"`
	// FileTypes describe the names and contents of file types. Each replaces the built-in type of its
	// name, if there is one.
	FileTypes map[string]FileType `yaml:"file_types"`
	// ContentChecks says what to do with published content that does not match its name: refuse (if
	// that is certain, else flag), flag or off.
	ContentChecks string `yaml:"content_checks" env:"CONTENT_CHECKS"`
	// Templates are the mailboxes of new users, by kind: customer, vendor.
	Templates map[model.UserKind]Template `yaml:"templates"`
}

// Database has the URL of a PostgreSQL database. Empty means the SQLite file in the data folder.
type Database struct {
	URL     string `yaml:"url" env:"URL"`
	Upgrade string `yaml:"upgrade" env:"UPGRADE"` // UpgradeAuto, UpgradeManual
}

// What serve does with a database of an older release.
const (
	UpgradeAuto   = "auto"   // brings it up to date; SQLite is copied first
	UpgradeManual = "manual" // refuses to start
)

// Backup says when an operator is reminded of backups.
type Backup struct {
	Expected  bool     `yaml:"expected" env:"EXPECTED"`     // even if there was none yet
	WarnAfter Duration `yaml:"warn_after" env:"WARN_AFTER"` // age of the newest good one
}

// Socket is the socket of the API that members of a group may use, besides that in the data folder.
type Socket struct {
	Group string `yaml:"group" env:"GROUP"` // its members may manage the server; "": nobody may
	Path  string `yaml:"path" env:"PATH"`   // "": DefaultSocket
}

// DefaultSocket is where the socket for a group is. The data folder is closed to others.
const DefaultSocket = "/run/sallyport/sallyport.sock"

// SocketPath returns where the socket for the group is.
func (c *Config) SocketPath() string { return cmp.Or(c.Socket.Path, DefaultSocket) }

// Endpoint is the server address for partners, where it differs from the listener.
type Endpoint struct {
	Host     string   `yaml:"host" env:"HOST"`
	Port     int      `yaml:"port" env:"PORT"`
	AllowIPs []string `yaml:"allow_ips" env:"ALLOW_IPS"` // networks that may log in; none allows all
}

// Region is the endpoint of a region's accounts. What it leaves out is the default endpoint's.
// Listeners of its own check its allow-list before log-in.
type Region struct {
	Host     string           `yaml:"host"`
	Port     int              `yaml:"port"`
	Listen   []string         `yaml:"listen"`
	AllowIPs []string         `yaml:"allow_ips"`
	Support  exchange.Support `yaml:"support"`
	TimeZone string           `yaml:"time_zone"` // in which its accounts' people read times; "": the operator's
}

// Storage limits what mailboxes hold.
type Storage struct {
	MaxFile    Size  `yaml:"max_file" env:"MAX_FILE"`       // any one file
	Quota      Size  `yaml:"quota" env:"QUOTA"`             // a user's files
	QuotaFiles int64 `yaml:"quota_files" env:"QUOTA_FILES"` // a user's number of files
	// Limits on what is kept alive, visible or not: of a user in percent of its quota, and of all
	// users of an account together.
	KeptPercent      int64    `yaml:"kept_percent" env:"KEPT_PERCENT"`
	AccountKept      Size     `yaml:"account_kept" env:"ACCOUNT_KEPT"`
	AccountKeptItems int64    `yaml:"account_kept_items" env:"ACCOUNT_KEPT_ITEMS"`
	Directories      int64    `yaml:"directories" env:"DIRECTORIES"`     // per user
	FreeFloor        Size     `yaml:"free_floor" env:"FREE_FLOOR"`       // uploads leave this much of the disk free
	MaxCopy          Size     `yaml:"max_copy" env:"MAX_COPY"`           // largest file that may be changed in its middle
	KeepPartials     Duration `yaml:"keep_partials" env:"KEEP_PARTIALS"` // how long unfinished uploads are kept
	Unfinished       int      `yaml:"unfinished" env:"UNFINISHED"`       // uploads under way and unfinished, per user
	// Small files lie in the database at first: the largest of them (0: none), until they are moved to the stored
	// files, and the memory for all that are being uploaded, and as much for those that are read.
	Inline       Size     `yaml:"inline" env:"INLINE"`
	InlineFor    Duration `yaml:"inline_for" env:"INLINE_FOR"`
	InlineMemory Size     `yaml:"inline_memory" env:"INLINE_MEMORY"`
}

// Limits limits connections and sessions.
type Limits struct {
	HalfOpen        int `yaml:"half_open" env:"HALF_OPEN"`                         // connections not logged in
	HalfOpenAddress int `yaml:"half_open_per_address" env:"HALF_OPEN_PER_ADDRESS"` // the same, per address
	// until the client has sent its SSH version
	Handshake Duration `yaml:"handshake" env:"HANDSHAKE"`
	// until logged in: people compare fingerprints and type passphrases
	Login           Duration `yaml:"login" env:"LOGIN"`
	KeyOffers       int      `yaml:"key_offers" env:"KEY_OFFERS"` // per connection
	UserSessions    int      `yaml:"sessions_per_user" env:"SESSIONS_PER_USER"`
	AccountSessions int      `yaml:"sessions_per_account" env:"SESSIONS_PER_ACCOUNT"`
	AddressSessions int      `yaml:"sessions_per_address" env:"SESSIONS_PER_ADDRESS"`
	Idle            Duration `yaml:"idle" env:"IDLE"`             // without a request
	KeepAlive       Duration `yaml:"keep_alive" env:"KEEP_ALIVE"` // silence before a keep-alive request is sent
	Stall           Duration `yaml:"stall" env:"STALL"`           // how long a client may take no replies
	Handles         int      `yaml:"open_files" env:"OPEN_FILES"` // per channel
	Channels        int      `yaml:"channels" env:"CHANNELS"`     // per connection
	// received and not yet read, of all clients together; 0: 1/64 of the memory, at least 32 MiB
	Unread Size `yaml:"unread" env:"UNREAD"`
	// bytes of files a second, up and down together, of a user and of all; 0: any number
	UserRate Size `yaml:"rate_per_user" env:"RATE_PER_USER"`
	Rate     Size `yaml:"rate_total" env:"RATE_TOTAL"`

	Logins  int64 `yaml:"logins_per_hour" env:"LOGINS_PER_HOUR"`   // per user; more are slowed down
	Changes int64 `yaml:"changes_per_hour" env:"CHANGES_PER_HOUR"` // renames, removals etc. per user; more are slowed
	// requests a minute of an API token; more are refused for a while; 0: any number
	TokenRequests int `yaml:"token_requests_per_minute" env:"TOKEN_REQUESTS_PER_MINUTE"`
}

// Keys is the policy on users' keys.
type Keys struct {
	PerUser     int      `yaml:"per_user" env:"PER_USER"`
	Types       []string `yaml:"types" env:"TYPES"`               // ed25519, ecdsa, rsa
	RSAMin      int      `yaml:"rsa_min" env:"RSA_MIN"`           // bits
	RSAMax      int      `yaml:"rsa_max" env:"RSA_MAX"`           // bits
	ExpireAfter Duration `yaml:"expire_after" env:"EXPIRE_AFTER"` // of new keys; 0: never
	Overlap     Duration `yaml:"overlap" env:"OVERLAP"`           // how long a replaced key works beside its successor
	Pending     bool     `yaml:"pending" env:"PENDING"`           // unknown keys of existing users wait for approval
	// MadeBy says who may make key pairs: customer, operator or both.
	MadeBy model.KeyMakers `yaml:"made_by" env:"MADE_BY"`
}

// Users is the policy on users' names.
type Users struct {
	// NameRule is account-id (the name is the account's ID), free, or pattern. A vendor's users have a dash and the
	// vendor's short name after it. Programs of the platform's own are named freely.
	NameRule string `yaml:"name_rule" env:"NAME_RULE"`
	// NamePattern is a glob for the rule pattern. {account} stands for the account's ID: "{account}*".
	NamePattern string `yaml:"name_pattern" env:"NAME_PATTERN"`
}

// Contacts is the policy on people.
type Contacts struct {
	// Needed is how many contacts of a role an account needs before its users get a key or a guide.
	Needed Needed `yaml:"needed" envPrefix:"NEEDED_"`
}

// Needed is a number of contacts of each role.
type Needed struct {
	Technical int `yaml:"technical" env:"TECHNICAL"`
	Billing   int `yaml:"billing" env:"BILLING"`
	Security  int `yaml:"security" env:"SECURITY"`
}

// ByRole returns the numbers by role.
func (n Needed) ByRole() map[string]int {
	return map[string]int{model.RoleTechnical: n.Technical, model.RoleBilling: n.Billing, model.RoleSecurity: n.Security}
}

// Onboarding is the policy on requests for access.
type Onboarding struct {
	Open         bool     `yaml:"open" env:"OPEN"`                   // strangers may send requests from the form
	FourEyes     bool     `yaml:"four_eyes" env:"FOUR_EYES"`         // two operators approve
	AnswerWithin Duration `yaml:"answer_within" env:"ANSWER_WITHIN"` // an operator, a request
	VerifyWithin Duration `yaml:"verify_within" env:"VERIFY_WITHIN"` // the requester, its address
	RemindAfter  Duration `yaml:"remind_after" env:"REMIND_AFTER"`   // whoever is waited for
	ExpireAfter  Duration `yaml:"expire_after" env:"EXPIRE_AFTER"`   // without the requester's answer
	Feeds        []string `yaml:"feeds" env:"FEEDS"`                 // that may be asked for; "*": all without recipients
	PerAddress   int      `yaml:"per_address" env:"PER_ADDRESS"`     // requests of a network address in an hour
	PerEmail     int64    `yaml:"per_email" env:"PER_EMAIL"`         // of an e-mail address: undecided, and in a day
	PerHour      int64    `yaml:"per_hour" env:"PER_HOUR"`           // requests in all
	Unverified   int64    `yaml:"unverified" env:"UNVERIFIED"`       // requests whose address is not confirmed
}

// Access says which addresses are banned, and which proxies are trusted.
type Access struct {
	BanAfter  int      `yaml:"ban_after" env:"BAN_AFTER"`   // failed connections of an address; 0: never
	BanWithin Duration `yaml:"ban_within" env:"BAN_WITHIN"` // the window in which they are counted
	BanFor    Duration `yaml:"ban_for" env:"BAN_FOR"`
	NeverBan  []string `yaml:"never_ban" env:"NEVER_BAN"` // addresses and networks
	Proxies   []string `yaml:"proxies" env:"PROXIES"`     // their PROXY headers are trusted, and required
	Inactive  Inactive `yaml:"inactive" envPrefix:"INACTIVE_"`
}

// Inactive disables users that nobody logs in with.
type Inactive struct {
	Disable Duration `yaml:"disable" env:"DISABLE"` // after so long without a log-in; 0: never
	Notice  Duration `yaml:"notice" env:"NOTICE"`   // how long before that its people are told
	Kinds   []string `yaml:"kinds" env:"KINDS"`     // customer, vendor, service
}

// Records limits the records of connections and of what was read.
type Records struct {
	Keep     Duration `yaml:"keep" env:"KEEP"`
	Failed   int64    `yaml:"failed" env:"FAILED"`     // connections that did not log in
	Activity int64    `yaml:"activity" env:"ACTIVITY"` // files read and directories listed
}

// Web is the HTTP listener for one-time links and the API. Without a certificate it must be on
// loopback, or for named proxies.
type Web struct {
	Listen  string `yaml:"listen" env:"LISTEN"`
	URL     string `yaml:"url" env:"URL"` // how partners reach it: https://files.example.com
	TLSCert string `yaml:"tls_cert" env:"TLS_CERT"`
	TLSKey  string `yaml:"tls_key" env:"TLS_KEY"`
	// Proxies end TLS on other machines. Only they and this machine may then send requests in clear, and their
	// X-Forwarded-For is trusted. Without them, that of this machine is, if Listen is on loopback without a certificate.
	Proxies []string `yaml:"proxies" env:"PROXIES"`
	ACME    ACME     `yaml:"acme" envPrefix:"ACME_"`
}

// Log says how much is logged, and how.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL"`   // debug, info, warn, error
	Format string `yaml:"format" env:"FORMAT"` // text, json
}

// Template describes a new user's mailbox.
type Template struct {
	StartDir string        `yaml:"start_dir"`
	Root     []string      `yaml:"root"` // rights in "/"
	Dirs     []TemplateDir `yaml:"dirs"`
	FeedsMay string        `yaml:"feeds_may"` // what it may do with delivered files: look, or remove
}

// FileType describes the names of files of a type, and the beginning of their content.
type FileType struct {
	Extensions []string `yaml:"extensions"` // besides the type's own name: dat
	Begins     []string `yaml:"begins"`     // "%PDF-", or hex:504b0304; none: any content
	Within     int      `yaml:"within"`     // bytes that may precede it
	Text       bool     `yaml:"text"`       // the content is checked for control characters
}

// Beginnings returns Begins as bytes.
func (t FileType) Beginnings() (out []string, err error) {
	for _, s := range t.Begins {
		if digits, ok := strings.CutPrefix(s, "hex:"); ok {
			b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
			if err != nil || len(b) == 0 {
				return nil, fmt.Errorf("%q is not a hexadecimal number of whole bytes", s)
			}
			s = string(b)
		}
		out = append(out, s)
	}
	return out, nil
}

// TemplateDir is one directory of a template.
type TemplateDir struct {
	Path    string   `yaml:"path"`
	Rights  []string `yaml:"rights"`  // all, or of: read, write, list, delete, rename, mkdir
	Staging bool     `yaml:"staging"` // files are received only when moved out
}

// Default returns the default configuration.
func Default() Config {
	look := []string{"read", "list"}
	c := Config{
		Data:   "./sallyport-data",
		Listen: []string{":2022"},
		Drain:  Duration(20 * time.Second),
		Storage: Storage{MaxFile: 50e9, Quota: 100e9, QuotaFiles: 200_000, KeptPercent: 150,
			AccountKept: 1e12, AccountKeptItems: 2_000_000, Directories: 20_000, FreeFloor: 1 << 30, MaxCopy: 1 << 30,
			KeepPartials: Duration(7 * 24 * time.Hour), Unfinished: 1000, Inline: 32 << 10,
			InlineFor: Duration(time.Hour), InlineMemory: 64 << 20},
		Limits: Limits{HalfOpen: 512, HalfOpenAddress: 64, Handshake: Duration(30 * time.Second),
			Login: Duration(2 * time.Minute), KeyOffers: 20, UserSessions: 10, AccountSessions: 50, AddressSessions: 50,
			Idle:      Duration(15 * time.Minute),
			KeepAlive: Duration(30 * time.Second), Stall: Duration(2 * time.Minute), Handles: 256, Channels: 10, Logins: 6_000,
			Changes: 100_000, TokenRequests: 1200},
		Keys: Keys{PerUser: 5, Types: []string{"ed25519", "ecdsa", "rsa"}, RSAMin: 2048, RSAMax: 8192,
			Overlap: Duration(14 * 24 * time.Hour), MadeBy: model.KeysByBoth},
		Users: Users{NameRule: "account-id"}, SignIn: defaultSignIn(), Traces: Traces{Percent: 100},
		Onboard: Onboarding{Open: true, AnswerWithin: Duration(48 * time.Hour), VerifyWithin: Duration(72 * time.Hour),
			RemindAfter: Duration(7 * 24 * time.Hour), ExpireAfter: Duration(30 * 24 * time.Hour), PerAddress: 10, PerEmail: 3,
			PerHour: 300, Unverified: 2000},
		Access: Access{BanAfter: 20, BanWithin: Duration(10 * time.Minute), BanFor: Duration(15 * time.Minute),
			NeverBan: []string{"127.0.0.0/8", "::1/128"},
			Inactive: Inactive{Notice: Duration(30 * 24 * time.Hour), Kinds: []string{string(model.KindCustomer)}}},
		Records:       Records{Keep: Duration(395 * 24 * time.Hour), Failed: 200_000, Activity: 2_000_000},
		Log:           Log{Level: "info", Format: "text"},
		Sandbox:       "on",
		ContentChecks: model.ChecksRefuse,
		TemporaryNames: []string{".*", "*.filepart", "*.part", "*.tmp", "*.temp", "*.partial", "*.writing", "*.crdownload",
			"*.swp", "*.lftp", "*.inprogress", "*.in-progress", "*.incomplete", "*.uploading"},
		DoubtfulNames: []string{"tmp[._]*", "tmp-*", "temp[._]*", "temp-*", "*_tmp", "*.tmp.*", "*.new", "*.transfer", "*~",
			"*.[0-9]", "*.[0-9][0-9]", "*.[0-9][0-9][0-9]", "*.[0-9][0-9][0-9][0-9]", "*.[0-9][0-9][0-9][0-9][0-9]",
			// a process id has at most seven digits
			"*.[0-9][0-9][0-9][0-9][0-9][0-9]", "*.[0-9][0-9][0-9][0-9][0-9][0-9][0-9]"},
		DoubtfulGrace: Duration(time.Minute),
		Web:           Web{ACME: ACME{Directory: LetsEncrypt}},
		IgnoredNames:  []string{"Thumbs.db", "ehthumbs.db", "desktop.ini", ".DS_Store", "._*", "~$*"},
		Templates: map[model.UserKind]Template{
			model.KindCustomer: {StartDir: "/", Root: look, Dirs: []TemplateDir{
				{Path: "/upload", Rights: []string{"all"}}, {Path: "/download", Rights: look}}},
			model.KindVendor: {StartDir: "/upload", Root: look, Dirs: []TemplateDir{{Path: "/upload", Rights: []string{"all"}}}},
		},
	}
	defaultExchange(&c)
	return c
}
