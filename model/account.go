package model

import "time"

// AccountState says what an account may do.
type AccountState string

// Account states. A read-only account may fetch but not send; a suspended or
// closed one cannot log in.
const (
	AccountActive    AccountState = "active"
	AccountReadOnly  AccountState = "read_only"
	AccountSuspended AccountState = "suspended"
	AccountClosed    AccountState = "closed"
)

// Account is the operator's customer of record.
type Account struct {
	ID        string       `json:"id" doc:"The operator's account ID"`
	Name      string       `json:"name" doc:"Company name"`
	Parent    string       `json:"parent,omitempty" doc:"Parent account; set for an indirect customer"`
	Region    string       `json:"region,omitempty" doc:"Region, which chooses the server address told to partners"`
	State     AccountState `json:"state" enum:"active,read_only,suspended,closed"`
	AllowIPs  []string     `json:"allow_ips" doc:"Networks its users may log in from; empty: everywhere"`
	Manager   *Person      `json:"manager,omitempty" doc:"Who looks after the account on the operator's side"`
	Tags      []string     `json:"tags,omitempty"`
	CreatedAt time.Time    `json:"created_at"`
	ClosedAt  *time.Time   `json:"closed_at,omitempty"`
	// ClosedFrom is the state before the account was closed, which reopening it brings back.
	ClosedFrom AccountState `json:"-"`
	// FilesUntil is when the files of a closed account are removed. Until then it can be reopened.
	// Nil: it was closed by an earlier version, and the configured time applies.
	FilesUntil *time.Time `json:"files_until,omitempty" doc:"Of a closed account: when its files go"`
	KeepBytes  int64      `json:"keep_bytes,omitempty" doc:"Limit on what its users keep alive, bytes; 0: the default"`
	KeepItems  int64      `json:"keep_items,omitempty" doc:"Limit on contents and directories; 0: the default"`
	TimeZone   string     `json:"time_zone,omitempty" doc:"Zone in which its people read times; empty: the region's"`
	Language   string     `json:"language,omitempty" doc:"Of mails to its contacts; empty: the configured one"`
}

// MayDownload reports whether the users of a closed account may log in to download. access is the operator's
// setting, CloseReadOnly or CloseNone.
func (a *Account) MayDownload(access string, now time.Time) bool {
	return access == CloseReadOnly && a.ClosedFrom != "" && a.ClosedFrom != AccountSuspended && a.FilesUntil != nil &&
		now.Before(*a.FilesUntil)
}

// NewAccount is the body that makes an account.
type NewAccount struct {
	ID       string   `json:"id" doc:"The operator's account ID"`
	Name     string   `json:"name" doc:"Company name"`
	Parent   string   `json:"parent,omitempty" doc:"Parent account, for an indirect customer"`
	Region   string   `json:"region,omitempty"`
	AllowIPs []string `json:"allow_ips,omitempty" doc:"Addresses or networks its users may log in from; none allows all"`
	Language string   `json:"language,omitempty" doc:"Of mails to its contacts: de, pt-BR"`
	TimeZone string   `json:"time_zone,omitempty" doc:"Zone in which its people read times: Australia/Sydney"`

	KeepBytes int64 `json:"keep_bytes,omitempty" doc:"Limit on what its users keep alive, bytes; 0: the default"`
	KeepItems int64 `json:"keep_items,omitempty" doc:"Limit on contents and directories; 0: the default"`

	Manager *Person  `json:"manager,omitempty" doc:"Who looks after the account on the operator's side"`
	Tags    []string `json:"tags,omitempty"`
}

// EditAccount changes an account; absent fields stay.
type EditAccount struct {
	Name      *string       `json:"name,omitempty"`
	Parent    *string       `json:"parent,omitempty" doc:"Empty: a direct account"`
	Region    *string       `json:"region,omitempty"`
	AllowIPs  *[]string     `json:"allow_ips,omitempty"`
	State     *AccountState `json:"state,omitempty" enum:"active,read_only,suspended,closed"`
	Language  *string       `json:"language,omitempty" doc:"Of mails to its contacts; empty: the configured one"`
	KeepBytes *int64        `json:"keep_bytes,omitempty" doc:"Limit on what its users keep alive, bytes; 0: the default"`
	KeepItems *int64        `json:"keep_items,omitempty" doc:"Limit on contents and directories; 0: the default"`
	TimeZone  *string       `json:"time_zone,omitempty" doc:"Empty: the region's, or the operator's"`
	Manager   *Person       `json:"manager,omitempty" doc:"Who looks after it; without name and e-mail: nobody"`
	KeepFiles *string       `json:"keep_files,omitempty" doc:"Of closing: how long its files stay: 30d"`
}

// What the users of a closed account may do until its files are removed.
const (
	CloseReadOnly = "read-only" // log in and download
	CloseNone     = "none"
)

// ClosingQuery asks what closing an account would do.
type ClosingQuery struct {
	Account   string `path:"id" doc:"Account ID"`
	KeepFiles string `query:"keep_files" doc:"How long its files would stay: 30d; empty: the configured time"`
}

// Closing says what closing an account does, or did.
type Closing struct {
	Account     Account   `json:"account"`
	Users       []string  `json:"users" doc:"Usernames"`
	Files       int64     `json:"files" doc:"In their mailboxes"`
	Bytes       int64     `json:"bytes"`
	Uncollected int64     `json:"uncollected" doc:"Delivered files that were not downloaded in full"`
	Feeds       []string  `json:"feeds" doc:"Feeds that its users get files of"`
	Publishes   []string  `json:"publishes" doc:"Feeds that its users publish into"`
	Children    []string  `json:"children" doc:"Accounts below it, which stay open"`
	Holds       []string  `json:"holds" doc:"What is held; those files stay"`
	Until       time.Time `json:"until" doc:"When its files are removed; until then it can be reopened"`
	Access      string    `json:"access" enum:"read-only,none" doc:"What its users may do until then"`
}

// Vendor is a carrier or supplier that sends files for accounts.
type Vendor struct {
	Short     string    `json:"short" doc:"Short name, the last part of its usernames"`
	Name      string    `json:"name" doc:"Company name"`
	Tags      []string  `json:"tags,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// NewVendor is the body that makes a vendor.
type NewVendor struct {
	Short string   `json:"short"`
	Name  string   `json:"name"`
	Tags  []string `json:"tags,omitempty"`
}

// EditVendor changes a vendor; absent fields stay.
type EditVendor struct {
	Name *string `json:"name,omitempty" doc:"Company name"`
}
