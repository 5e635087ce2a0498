package model

import "time"

// UserKind says whose login a user is.
type UserKind string

// User kinds.
const (
	KindCustomer UserKind = "customer" // the account's own login; username = account ID by default
	KindVendor   UserKind = "vendor"   // one vendor's login for one account
	KindService  UserKind = "service"  // one of the platform's own programs
)

// User is one SSH login. It holds keys, never a password.
type User struct {
	ID         string   `json:"-"`
	Name       string   `json:"name" doc:"Username"`
	Kind       UserKind `json:"kind" enum:"customer,vendor,service"`
	Account    string   `json:"account" doc:"Account ID"`
	Vendor     string   `json:"vendor,omitempty" doc:"Vendor short name, for vendor users"`
	Enabled    bool     `json:"enabled"`
	StartDir   string   `json:"start_dir" doc:"Directory a session starts in"`
	AllowIPs   []string `json:"allow_ips" doc:"Networks it may log in from; empty: everywhere"`
	UsedBytes  int64    `json:"used_bytes"`
	UsedFiles  int64    `json:"used_files"`
	FeedsMay   string   `json:"feeds_may,omitempty" enum:"look,remove" doc:"What it may do with delivered files"`
	QuotaBytes int64    `json:"quota_bytes,omitempty" doc:"0: the configured default"`
	QuotaFiles int64    `json:"quota_files,omitempty" doc:"0: the configured default"`
	KeptBytes  int64    `json:"kept_bytes" doc:"What it keeps alive, with older versions and removed files"`
	KeptItems  int64    `json:"kept_items" doc:"How many of them there are, and directories"`
	KeepBytes  int64    `json:"keep_bytes,omitempty" doc:"Limit on kept_bytes; 0: the configured default"`
	KeepItems  int64    `json:"keep_items,omitempty" doc:"Limit on kept_items; 0: the configured default"`
	Dirs       int64    `json:"directories" doc:"Directories that it may remove"`
	Tags       []string `json:"tags,omitempty"`
	// Limits are the limits in force. Nil if they were not asked for.
	Limits    *StorageLimits `json:"limits,omitempty" doc:"The limits in force"`
	CreatedAt time.Time      `json:"created_at"`
}

// NewUser is the body that makes a login.
type NewUser struct {
	Account  string   `json:"account"`
	Vendor   string   `json:"vendor,omitempty" doc:"Vendor short name: makes it that vendor's login for the account"`
	Name     string   `json:"name,omitempty" doc:"Username; by default the account ID, or account ID and vendor"`
	Service  bool     `json:"service,omitempty" doc:"A program of the platform's own; needs allow_ips"`
	StartDir string   `json:"start_dir,omitempty" doc:"Must exist in the template, unless make_start_dir is set"`
	AllowIPs []string `json:"allow_ips,omitempty" doc:"Addresses or networks; none allows all"`

	MakeStartDir bool `json:"make_start_dir,omitempty" doc:"Make start_dir if it is missing"`
	// RootRights is for a user of another server, whose directories are moved in.
	RootRights *[]string `json:"root_rights,omitempty" doc:"Rights in its root, and no directories of its template"`
	FeedsMay   string    `json:"feeds_may,omitempty" doc:"look, remove; empty: as its template says"`
	QuotaBytes int64     `json:"quota_bytes,omitempty" doc:"0: the configured default"`
	QuotaFiles int64     `json:"quota_files,omitempty" doc:"0: the configured default"`
	KeepBytes  int64     `json:"keep_bytes,omitempty" doc:"Limit on what it keeps alive; 0: the default"`
	KeepItems  int64     `json:"keep_items,omitempty" doc:"Limit on how much that is; 0: the default"`

	Tags []string `json:"tags,omitempty"`
}

// EditUser changes a login; absent fields stay.
type EditUser struct {
	Enabled    *bool     `json:"enabled,omitempty"`
	StartDir   *string   `json:"start_dir,omitempty" doc:"Must exist, unless make_start_dir is set"`
	AllowIPs   *[]string `json:"allow_ips,omitempty"`
	QuotaBytes *int64    `json:"quota_bytes,omitempty" doc:"0: the configured default"`
	QuotaFiles *int64    `json:"quota_files,omitempty" doc:"0: the configured default"`
	KeepBytes  *int64    `json:"keep_bytes,omitempty" doc:"Limit on what it keeps alive; 0: the default"`
	FeedsMay   *string   `json:"feeds_may,omitempty" doc:"look, remove; empty: as its template says"`
	KeepItems  *int64    `json:"keep_items,omitempty" doc:"Limit on how much that is; 0: the default"`

	MakeStartDir bool `json:"make_start_dir,omitempty" doc:"Make start_dir if it is missing"`
}

// RenameUser gives a login another username.
type RenameUser struct {
	Name string `json:"name" doc:"The new username"`
}

// Renamed is a name that a user had.
type Renamed struct {
	From   string    `json:"from"`
	To     string    `json:"to" doc:"The user's name today"`
	UserID string    `json:"-"`
	At     time.Time `json:"at"`
}

// Directory is a directory that the operator made in a user's mailbox.
type Directory struct {
	Path    string   `json:"path"`
	Rights  []string `json:"rights" doc:"Of read, write, list, delete, rename, mkdir: what the user may do in it"`
	Own     bool     `json:"own_rights" doc:"The rights are its own; false: they are those of the directory above"`
	Staging bool     `json:"staging" doc:"Files are received only when they are moved out of it"`
	Start   bool     `json:"start" doc:"Sessions start in it"`
	Feeds   []string `json:"feeds" doc:"Feeds that are delivered into it"`
}

// NewDirectory is the body that makes a directory in a user's mailbox.
type NewDirectory struct {
	Path    string   `json:"path"`
	Rights  []string `json:"rights" doc:"all, or of: read, write, list, delete, rename, mkdir"`
	Staging bool     `json:"staging,omitempty" doc:"Files are received only when they are moved out of it"`
}

// EditDirectory changes a directory; absent fields stay.
type EditDirectory struct {
	Path    string    `json:"path"`
	Rights  *[]string `json:"rights,omitempty" doc:"all, or of: read, write, list, delete, rename, mkdir"`
	Staging *bool     `json:"staging,omitempty" doc:"Only of an empty directory"`
}

// DirectoryRef names a directory in a user's mailbox.
type DirectoryRef struct {
	User string `path:"id" doc:"Username"`
	Path string `query:"path" required:"true"`
}

// ApplyTemplate asks that a user's directories be made as its template says.
type ApplyTemplate struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Only say what would change"`
}

// Applied says how a user's directories differ from its template.
type Applied struct {
	User    string       `json:"user"`
	Changes []DirDiffers `json:"changes"`
	DryRun  bool         `json:"dry_run"`
}

// DirDiffers is one difference between a user's directories and its template.
type DirDiffers struct {
	Path string    `json:"path"`
	What DirChange `json:"what" enum:"make,rights,staging,not_empty,extra"`
	From string    `json:"from,omitempty"`
	To   string    `json:"to,omitempty"`
}

// DirChange says what a template changes of a directory.
type DirChange string

// What a template changes of a directory.
const (
	DirMade     DirChange = "make"      // it was missing
	DirRights   DirChange = "rights"    // it had other rights
	DirStaging  DirChange = "staging"   // it becomes a staging folder, or one no more
	DirNotEmpty DirChange = "not_empty" // staging would differ, but stays, because there are files in it
	DirExtra    DirChange = "extra"     // the template has no such directory; it stays
)

// StorageLimits bound what a user's mailbox holds.
type StorageLimits struct {
	QuotaBytes int64 `json:"quota_bytes" doc:"Of its files"`
	QuotaFiles int64 `json:"quota_files" doc:"Of its files and unfinished uploads"`
	KeepBytes  int64 `json:"keep_bytes" doc:"Of what it keeps alive, seen or not"`
	KeepItems  int64 `json:"keep_items" doc:"Of what it keeps alive, and its directories"`
}

// OwnLimits returns the limits set for the user itself. 0 means the configured default.
func (u *User) OwnLimits() StorageLimits {
	return StorageLimits{QuotaBytes: u.QuotaBytes, QuotaFiles: u.QuotaFiles, KeepBytes: u.KeepBytes,
		KeepItems: u.KeepItems}
}
