// Package config is what an operator may set: one struct with the defaults,
// read from one YAML file, then from SALLYPORT_… variables. It is strict: what
// it does not know is an error that names the file, the line and the nearest
// thing it does know.
package config

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Config is everything that can be set.
type Config struct {
	Data     string            `yaml:"data" env:"DATA"`     // folder of database, blobs, host keys and socket
	Listen   []string          `yaml:"listen" env:"LISTEN"` // SSH listeners: ":2022", "192.0.2.1:3333"
	Drain    Duration          `yaml:"drain" env:"DRAIN"`   // how long running transfers may go on after SIGTERM
	Database Database          `yaml:"database" envPrefix:"DATABASE_"`
	Endpoint Endpoint          `yaml:"endpoint" envPrefix:"ENDPOINT_"`
	Regions  map[string]Region `yaml:"regions"` // endpoints of accounts of a region
	Support  Support           `yaml:"support" envPrefix:"SUPPORT_"`
	Storage  Storage           `yaml:"storage" envPrefix:"STORAGE_"`
	Limits   Limits            `yaml:"limits" envPrefix:"LIMITS_"`
	Keys     Keys              `yaml:"keys" envPrefix:"KEYS_"`
	Access   Access            `yaml:"access" envPrefix:"ACCESS_"`
	Records  Records           `yaml:"records" envPrefix:"RECORDS_"`
	Web      Web               `yaml:"web" envPrefix:"WEB_"`
	Metrics  Metrics           `yaml:"metrics" envPrefix:"METRICS_"`
	Mail     Mail              `yaml:"mail" envPrefix:"MAIL_"`
	Webhooks Webhooks          `yaml:"webhooks" envPrefix:"WEBHOOKS_"`
	Inbox    Inbox             `yaml:"inbox" envPrefix:"INBOX_"`
	Folder   Folder            `yaml:"folder" envPrefix:"FOLDER_"`
	Retain   Retention         `yaml:"retention" envPrefix:"RETENTION_"`
	Audit    Audit             `yaml:"audit" envPrefix:"AUDIT_"`
	Log      Log               `yaml:"log" envPrefix:"LOG_"`

	// TemporaryNames are globs of names that clients use while they write. These and the
	// next two are matched without regard to case.
	TemporaryNames []string `yaml:"temporary_names" env:"TEMPORARY_NAMES"`
	// DoubtfulNames may be temporary ones: a file is handed on when it has kept such a
	// name for DoubtfulGrace.
	DoubtfulNames []string `yaml:"doubtful_names" env:"DOUBTFUL_NAMES"`
	DoubtfulGrace Duration `yaml:"doubtful_grace" env:"DOUBTFUL_GRACE"`
	// IgnoredNames are what programs leave in folders: kept, never received or published.
	IgnoredNames []string `yaml:"ignored_names" env:"IGNORED_NAMES"`
	// TimeZone is that of dated folders of feeds that name none: Australia/Sydney.
	TimeZone string `yaml:"time_zone" env:"TIME_ZONE"`
	// FileTypes say what files of a type are called and look like, in place of the built-in ones.
	FileTypes map[string]FileType `yaml:"file_types"`
	// ContentChecks is what becomes of published content that is not what its name says:
	// refuse it if that is certain and else flag it; flag; off.
	ContentChecks string `yaml:"content_checks" env:"CONTENT_CHECKS"`
	// Templates are the mailboxes of new users, by kind: customer, vendor.
	Templates map[model.UserKind]Template `yaml:"templates"`
}

// Database chooses PostgreSQL; empty is the SQLite file in the data folder.
type Database struct {
	URL string `yaml:"url" env:"URL"`
}

// Endpoint is what partners are told, when it differs from the listener.
type Endpoint struct {
	Host     string   `yaml:"host" env:"HOST"`
	Port     int      `yaml:"port" env:"PORT"`
	AllowIPs []string `yaml:"allow_ips" env:"ALLOW_IPS"` // who may log in; none allows all
}

// Region is the endpoint of a region's accounts. What it leaves out is the
// default endpoint's. Listeners of its own hold its allow-list before log-in.
type Region struct {
	Host     string   `yaml:"host"`
	Port     int      `yaml:"port"`
	Listen   []string `yaml:"listen"`
	AllowIPs []string `yaml:"allow_ips"`
	Support  Support  `yaml:"support"`
}

// Support is whom partners turn to; shown when a log-in fails.
type Support struct {
	Email string `yaml:"email" env:"EMAIL"`
	URL   string `yaml:"url" env:"URL"`
	Phone string `yaml:"phone" env:"PHONE"`
}

// Storage bounds what mailboxes hold.
type Storage struct {
	MaxFile    Size  `yaml:"max_file" env:"MAX_FILE"`       // any one file
	Quota      Size  `yaml:"quota" env:"QUOTA"`             // a user's files
	QuotaFiles int64 `yaml:"quota_files" env:"QUOTA_FILES"` // a user's number of files
	// What a user keeps alive, seen or not: of its quota, in percent; and all users of an account together.
	KeptPercent      int64    `yaml:"kept_percent" env:"KEPT_PERCENT"`
	AccountKept      Size     `yaml:"account_kept" env:"ACCOUNT_KEPT"`
	AccountKeptItems int64    `yaml:"account_kept_items" env:"ACCOUNT_KEPT_ITEMS"`
	Directories      int64    `yaml:"directories" env:"DIRECTORIES"`     // a user's
	FreeFloor        Size     `yaml:"free_floor" env:"FREE_FLOOR"`       // uploads leave this much of the disk free
	MaxCopy          Size     `yaml:"max_copy" env:"MAX_COPY"`           // largest file that may be changed in its middle
	KeepPartials     Duration `yaml:"keep_partials" env:"KEEP_PARTIALS"` // unfinished uploads
	Unfinished       int      `yaml:"unfinished" env:"UNFINISHED"`       // a user's uploads under way and partials
}

// Limits bound connections and sessions.
type Limits struct {
	HalfOpen        int `yaml:"half_open" env:"HALF_OPEN"`                         // connections not logged in
	HalfOpenAddress int `yaml:"half_open_per_address" env:"HALF_OPEN_PER_ADDRESS"` // of one address
	// until the client has said that it speaks SSH
	Handshake Duration `yaml:"handshake" env:"HANDSHAKE"`
	// until logged in: people compare fingerprints and type passphrases
	Login           Duration `yaml:"login" env:"LOGIN"`
	KeyOffers       int      `yaml:"key_offers" env:"KEY_OFFERS"` // a connection
	UserSessions    int      `yaml:"sessions_per_user" env:"SESSIONS_PER_USER"`
	AccountSessions int      `yaml:"sessions_per_account" env:"SESSIONS_PER_ACCOUNT"`
	AddressSessions int      `yaml:"sessions_per_address" env:"SESSIONS_PER_ADDRESS"`
	Idle            Duration `yaml:"idle" env:"IDLE"`             // without a request
	KeepAlive       Duration `yaml:"keep_alive" env:"KEEP_ALIVE"` // silence before a sign of life is asked for
	Stall           Duration `yaml:"stall" env:"STALL"`           // a client that takes no replies
	Handles         int      `yaml:"open_files" env:"OPEN_FILES"` // a channel
	Channels        int      `yaml:"channels" env:"CHANNELS"`     // a connection
	// that all clients together have sent and nobody has read; 0: 1/64 of the memory
	Unread  Size  `yaml:"unread" env:"UNREAD"`
	Logins  int64 `yaml:"logins_per_hour" env:"LOGINS_PER_HOUR"`   // of a user; more are slowed down
	Changes int64 `yaml:"changes_per_hour" env:"CHANGES_PER_HOUR"` // by name, a user; more are slowed down
}

// Keys is the policy on users' keys.
type Keys struct {
	PerUser     int      `yaml:"per_user" env:"PER_USER"`
	Types       []string `yaml:"types" env:"TYPES"`               // ed25519, ecdsa, rsa
	RSAMin      int      `yaml:"rsa_min" env:"RSA_MIN"`           // bits
	RSAMax      int      `yaml:"rsa_max" env:"RSA_MAX"`           // bits
	ExpireAfter Duration `yaml:"expire_after" env:"EXPIRE_AFTER"` // of new keys; 0: never
	Overlap     Duration `yaml:"overlap" env:"OVERLAP"`           // of a key with the one that replaces it
	Pending     bool     `yaml:"pending" env:"PENDING"`           // unknown keys of real users wait for approval
}

// Access says who is kept out, and who speaks for others.
type Access struct {
	BanAfter  int      `yaml:"ban_after" env:"BAN_AFTER"`   // failed connections of an address; 0: never
	BanWithin Duration `yaml:"ban_within" env:"BAN_WITHIN"` // in this time
	BanFor    Duration `yaml:"ban_for" env:"BAN_FOR"`
	NeverBan  []string `yaml:"never_ban" env:"NEVER_BAN"` // addresses and networks
	Proxies   []string `yaml:"proxies" env:"PROXIES"`     // whose PROXY headers are believed, and needed
}

// Records bounds what is kept of connections and of what was read.
type Records struct {
	Keep     Duration `yaml:"keep" env:"KEEP"`
	Failed   int64    `yaml:"failed" env:"FAILED"`     // connections that did not log in
	Activity int64    `yaml:"activity" env:"ACTIVITY"` // files read and directories listed
}

// Web is the HTTP listener for one-time links. Without a certificate it must
// be on loopback, behind a proxy that has one.
type Web struct {
	Listen  string `yaml:"listen" env:"LISTEN"`
	URL     string `yaml:"url" env:"URL"` // how partners reach it: https://files.example.com
	TLSCert string `yaml:"tls_cert" env:"TLS_CERT"`
	TLSKey  string `yaml:"tls_key" env:"TLS_KEY"`
}

// Log says how much is logged, and how.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL"`   // debug, info, warn, error
	Format string `yaml:"format" env:"FORMAT"` // text, json
}

// Template is what a new user's mailbox looks like.
type Template struct {
	StartDir string        `yaml:"start_dir"`
	Root     []string      `yaml:"root"` // rights in "/"
	Dirs     []TemplateDir `yaml:"dirs"`
	FeedsMay string        `yaml:"feeds_may"` // with delivered files: look, or remove
}

// FileType is what files of a type are called, and what they begin with.
type FileType struct {
	Extensions []string `yaml:"extensions"` // without the type's own name: dat
	Begins     []string `yaml:"begins"`     // "%PDF-", or hex:504b0304; none: with anything
	Within     int      `yaml:"within"`     // bytes that may come before that
	Text       bool     `yaml:"text"`       // control characters are looked for
}

// Beginnings are what files of the type begin with, as bytes.
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
	Staging bool     `yaml:"staging"` // files become drops only when moved out
}

// Default is what holds for everything that is not set.
func Default() Config {
	look := []string{"read", "list"}
	c := Config{
		Data:   "./sallyport-data",
		Listen: []string{":2022"},
		Drain:  Duration(20 * time.Second),
		Storage: Storage{MaxFile: 50e9, Quota: 100e9, QuotaFiles: 200_000, KeptPercent: 150,
			AccountKept: 1e12, AccountKeptItems: 2_000_000, Directories: 20_000, FreeFloor: 1 << 30, MaxCopy: 1 << 30,
			KeepPartials: Duration(7 * 24 * time.Hour), Unfinished: 1000},
		Limits: Limits{HalfOpen: 512, HalfOpenAddress: 64, Handshake: Duration(30 * time.Second),
			Login: Duration(2 * time.Minute), KeyOffers: 20, UserSessions: 10, AccountSessions: 50, AddressSessions: 50,
			Idle:      Duration(15 * time.Minute),
			KeepAlive: Duration(30 * time.Second), Stall: Duration(2 * time.Minute), Handles: 256, Channels: 10, Logins: 6_000,
			Changes: 100_000},
		Keys: Keys{PerUser: 5, Types: []string{"ed25519", "ecdsa", "rsa"}, RSAMin: 2048, RSAMax: 8192,
			Overlap: Duration(14 * 24 * time.Hour)},
		Access: Access{BanAfter: 20, BanWithin: Duration(10 * time.Minute), BanFor: Duration(15 * time.Minute),
			NeverBan: []string{"127.0.0.0/8", "::1/128"}},
		Records:       Records{Keep: Duration(395 * 24 * time.Hour), Failed: 200_000, Activity: 2_000_000},
		Log:           Log{Level: "info", Format: "text"},
		TimeZone:      "UTC",
		ContentChecks: model.ChecksRefuse,
		TemporaryNames: []string{".*", "*.filepart", "*.part", "*.tmp", "*.temp", "*.partial", "*.writing", "*.crdownload",
			"*.swp", "*.lftp", "*.inprogress", "*.in-progress", "*.incomplete", "*.uploading"},
		DoubtfulNames: []string{"tmp[._]*", "tmp-*", "temp[._]*", "temp-*", "*_tmp", "*.tmp.*", "*.new", "*.transfer", "*~",
			"*.[0-9]", "*.[0-9][0-9]", "*.[0-9][0-9][0-9]", "*.[0-9][0-9][0-9][0-9]", "*.[0-9][0-9][0-9][0-9][0-9]",
			// a process's number has at most seven digits
			"*.[0-9][0-9][0-9][0-9][0-9][0-9]", "*.[0-9][0-9][0-9][0-9][0-9][0-9][0-9]"},
		DoubtfulGrace: Duration(time.Minute),
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
