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
	// FilesUntil is when the files of a closed account are removed. Nil means the configured time
	// after the account was closed.
	FilesUntil *time.Time `json:"files_until,omitempty" doc:"Of a closed account: when its files go, if that was said"`
	KeepBytes  int64      `json:"keep_bytes,omitempty" doc:"Limit on what its users keep alive, bytes; 0: the default"`
	KeepItems  int64      `json:"keep_items,omitempty" doc:"Limit on contents and directories; 0: the default"`
}

// NewAccount is the body that makes an account.
type NewAccount struct {
	ID       string   `json:"id" doc:"The operator's account ID"`
	Name     string   `json:"name" doc:"Company name"`
	Parent   string   `json:"parent,omitempty" doc:"Parent account, for an indirect customer"`
	Region   string   `json:"region,omitempty"`
	AllowIPs []string `json:"allow_ips,omitempty" doc:"Addresses or networks its users may log in from; none allows all"`
}

// EditAccount changes an account; absent fields stay.
type EditAccount struct {
	Name      *string       `json:"name,omitempty"`
	Parent    *string       `json:"parent,omitempty" doc:"Empty: a direct account"`
	Region    *string       `json:"region,omitempty"`
	AllowIPs  *[]string     `json:"allow_ips,omitempty"`
	State     *AccountState `json:"state,omitempty" enum:"active,read_only,suspended,closed" doc:"closed is final"`
	KeepBytes *int64        `json:"keep_bytes,omitempty" doc:"Limit on what its users keep alive, bytes; 0: the default"`
	KeepItems *int64        `json:"keep_items,omitempty" doc:"Limit on contents and directories; 0: the default"`
	Manager   *Person       `json:"manager,omitempty" doc:"Who looks after it; without name and e-mail: nobody"`
	KeepFiles *string       `json:"keep_files,omitempty" doc:"Of closing: how long its files stay: 30d"`
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
	Short string `json:"short"`
	Name  string `json:"name"`
}
