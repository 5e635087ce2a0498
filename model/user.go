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
	StartDir string   `json:"start_dir,omitempty"`
	AllowIPs []string `json:"allow_ips,omitempty" doc:"Addresses or networks; none allows all"`
}

// EditUser changes a login; absent fields stay.
type EditUser struct {
	Enabled    *bool     `json:"enabled,omitempty"`
	StartDir   *string   `json:"start_dir,omitempty"`
	AllowIPs   *[]string `json:"allow_ips,omitempty"`
	QuotaBytes *int64    `json:"quota_bytes,omitempty" doc:"0: the configured default"`
	QuotaFiles *int64    `json:"quota_files,omitempty" doc:"0: the configured default"`
	KeepBytes  *int64    `json:"keep_bytes,omitempty" doc:"Limit on what it keeps alive; 0: the default"`
	FeedsMay   *string   `json:"feeds_may,omitempty" doc:"look, remove; empty: as its template says"`
	KeepItems  *int64    `json:"keep_items,omitempty" doc:"Limit on how much that is; 0: the default"`
}

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
