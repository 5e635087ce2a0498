// Package config is what an operator may set: one struct with the defaults,
// read from one YAML file, then from SALLYPORT_… variables. It is strict: what
// it does not know is an error that names the file, the line and the nearest
// thing it does know.
package config

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Config is everything that can be set.
type Config struct {
	Data     string   `yaml:"data" env:"DATA"`     // folder of database, blobs, host keys and socket
	Listen   []string `yaml:"listen" env:"LISTEN"` // SSH listeners: ":2022", "192.0.2.1:3333"
	Drain    Duration `yaml:"drain" env:"DRAIN"`   // how long running transfers may go on after SIGTERM
	Database Database `yaml:"database" envPrefix:"DATABASE_"`
	Endpoint Endpoint `yaml:"endpoint" envPrefix:"ENDPOINT_"`
	Support  Support  `yaml:"support" envPrefix:"SUPPORT_"`
	Storage  Storage  `yaml:"storage" envPrefix:"STORAGE_"`
	Limits   Limits   `yaml:"limits" envPrefix:"LIMITS_"`
	Keys     Keys     `yaml:"keys" envPrefix:"KEYS_"`
	Log      Log      `yaml:"log" envPrefix:"LOG_"`

	// TemporaryNames are globs of names that clients use while they write.
	TemporaryNames []string `yaml:"temporary_names" env:"TEMPORARY_NAMES"`
	// Templates are the mailboxes of new users, by kind: customer, vendor.
	Templates map[string]Template `yaml:"templates"`
}

// Database chooses PostgreSQL; empty is the SQLite file in the data folder.
type Database struct {
	URL string `yaml:"url" env:"URL"`
}

// Endpoint is what partners are told, when it differs from the listener.
type Endpoint struct {
	Host string `yaml:"host" env:"HOST"`
	Port int    `yaml:"port" env:"PORT"`
}

// Support is whom partners turn to; shown when a log-in fails.
type Support struct {
	Email string `yaml:"email" env:"EMAIL"`
	URL   string `yaml:"url" env:"URL"`
	Phone string `yaml:"phone" env:"PHONE"`
}

// Storage bounds what mailboxes hold.
type Storage struct {
	MaxFile      Size     `yaml:"max_file" env:"MAX_FILE"`           // any one file
	Quota        Size     `yaml:"quota" env:"QUOTA"`                 // a user's files
	QuotaFiles   int64    `yaml:"quota_files" env:"QUOTA_FILES"`     // a user's number of files
	FreeFloor    Size     `yaml:"free_floor" env:"FREE_FLOOR"`       // uploads leave this much of the disk free
	MaxCopy      Size     `yaml:"max_copy" env:"MAX_COPY"`           // largest file that may be changed in its middle
	KeepPartials Duration `yaml:"keep_partials" env:"KEEP_PARTIALS"` // unfinished uploads
}

// Limits bound connections and sessions.
type Limits struct {
	HalfOpen        int      `yaml:"half_open" env:"HALF_OPEN"`                         // connections not logged in
	HalfOpenAddress int      `yaml:"half_open_per_address" env:"HALF_OPEN_PER_ADDRESS"` // of one address
	Handshake       Duration `yaml:"handshake" env:"HANDSHAKE"`                         // until logged in
	KeyOffers       int      `yaml:"key_offers" env:"KEY_OFFERS"`                       // a connection
	UserSessions    int      `yaml:"sessions_per_user" env:"SESSIONS_PER_USER"`
	AccountSessions int      `yaml:"sessions_per_account" env:"SESSIONS_PER_ACCOUNT"`
	AddressSessions int      `yaml:"sessions_per_address" env:"SESSIONS_PER_ADDRESS"`
	Idle            Duration `yaml:"idle" env:"IDLE"`             // without a request
	KeepAlive       Duration `yaml:"keep_alive" env:"KEEP_ALIVE"` // silence before a sign of life is asked for
	Stall           Duration `yaml:"stall" env:"STALL"`           // a client that takes no replies
	Handles         int      `yaml:"open_files" env:"OPEN_FILES"` // a channel
	Channels        int      `yaml:"channels" env:"CHANNELS"`     // a connection
}

// Keys is the policy on users' keys.
type Keys struct {
	PerUser int `yaml:"per_user" env:"PER_USER"`
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
	return Config{
		Data:   "./sallyport-data",
		Listen: []string{":2022"},
		Drain:  Duration(20 * time.Second),
		Storage: Storage{MaxFile: 50e9, Quota: 100e9, QuotaFiles: 200_000, FreeFloor: 1 << 30, MaxCopy: 1 << 30,
			KeepPartials: Duration(7 * 24 * time.Hour)},
		Limits: Limits{HalfOpen: 512, HalfOpenAddress: 64, Handshake: Duration(30 * time.Second), KeyOffers: 20,
			UserSessions: 10, AccountSessions: 50, AddressSessions: 50, Idle: Duration(15 * time.Minute),
			KeepAlive: Duration(30 * time.Second), Stall: Duration(2 * time.Minute), Handles: 256, Channels: 4},
		Keys: Keys{PerUser: 5},
		Log:  Log{Level: "info", Format: "text"},
		TemporaryNames: []string{"*.filepart", "*.part", "*.tmp", "*.temp", "*.partial", "*.writing", "*.crdownload",
			".in.*", ".fuse_hidden*", ".~*", "*.swp", ".*.partial"},
		Templates: map[string]Template{
			exchange.KindCustomer: {StartDir: "/", Root: look, Dirs: []TemplateDir{
				{Path: "/upload", Rights: []string{"all"}}, {Path: "/download", Rights: look}}},
			exchange.KindVendor: {StartDir: "/upload", Root: look, Dirs: []TemplateDir{{Path: "/upload", Rights: []string{"all"}}}},
		},
	}
}
