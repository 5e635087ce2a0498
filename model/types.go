package model

import "time"

// Account states. A read-only account may fetch but not send; a suspended or
// closed one cannot log in.
const (
	AccountActive    = "active"
	AccountReadOnly  = "read_only"
	AccountSuspended = "suspended"
	AccountClosed    = "closed"
)

// User kinds.
const (
	KindCustomer = "customer" // the account's own login; username = account ID by default
	KindVendor   = "vendor"   // one vendor's login for one account
	KindService  = "service"  // one of the platform's own programs
)

// Account is the operator's customer of record.
type Account struct {
	ID        string    `json:"id" doc:"The operator's account ID"`
	Name      string    `json:"name" doc:"Company name"`
	Parent    string    `json:"parent,omitempty" doc:"Parent account; set for an indirect customer"`
	Region    string    `json:"region,omitempty" doc:"Region, which chooses the server address told to partners"`
	State     string    `json:"state" enum:"active,read_only,suspended,closed"`
	AllowIPs  []string  `json:"allow_ips" doc:"Networks its users may log in from; empty: everywhere"`
	CreatedAt time.Time `json:"created_at"`
	// FilesUntil is when the files of a closed account go; nil for the
	// configured time after its end.
	FilesUntil *time.Time `json:"files_until,omitempty" doc:"Of a closed account: its files stay until then, if that was said"`
	KeepBytes  int64      `json:"keep_bytes,omitempty" doc:"Limit on the bytes that its users keep alive together; 0: the configured default"`
	KeepItems  int64      `json:"keep_items,omitempty" doc:"Limit on the contents and directories that they keep together; 0: the configured default"`
}

// Vendor is a carrier or supplier that sends files for accounts.
type Vendor struct {
	Short     string    `json:"short" doc:"Short name, the last part of its usernames"`
	Name      string    `json:"name" doc:"Company name"`
	CreatedAt time.Time `json:"created_at"`
}

// User is one SSH login. It holds keys, never a password.
type User struct {
	ID         string   `json:"-"`
	Name       string   `json:"name" doc:"Username"`
	Kind       string   `json:"kind" enum:"customer,vendor,service"`
	Account    string   `json:"account" doc:"Account ID"`
	Vendor     string   `json:"vendor,omitempty" doc:"Vendor short name, for vendor users"`
	Enabled    bool     `json:"enabled"`
	StartDir   string   `json:"start_dir" doc:"Directory a session starts in"`
	AllowIPs   []string `json:"allow_ips" doc:"Networks it may log in from; empty: everywhere"`
	UsedBytes  int64    `json:"used_bytes"`
	UsedFiles  int64    `json:"used_files"`
	FeedsMay   string   `json:"feeds_may,omitempty" enum:"look,remove" doc:"What it may do with delivered files; empty: as its template says"`
	QuotaBytes int64    `json:"quota_bytes,omitempty" doc:"0: the configured default"`
	QuotaFiles int64    `json:"quota_files,omitempty" doc:"0: the configured default"`
	KeptBytes  int64    `json:"kept_bytes" doc:"What it keeps alive: its files, older versions, removed files that are still needed, and what is not swept yet"`
	KeptItems  int64    `json:"kept_items" doc:"How many of them there are, and directories"`
	KeepBytes  int64    `json:"keep_bytes,omitempty" doc:"Limit on kept_bytes; 0: the configured default"`
	KeepItems  int64    `json:"keep_items,omitempty" doc:"Limit on kept_items; 0: the configured default"`
	Dirs       int64    `json:"directories" doc:"Directories that it may remove"`
	// Limits are those in force; nil where nobody asked.
	Limits    *StorageLimits `json:"limits,omitempty" doc:"The limits in force"`
	CreatedAt time.Time      `json:"created_at"`
}

// FileInfo is one name in a mailbox, as every door shows it.
type FileInfo struct {
	Name  string    `json:"name" doc:"Escaped if it is not UTF-8"`
	Raw   []byte    `json:"name_bytes,omitempty" doc:"The name itself, if it is not UTF-8"`
	Dir   bool      `json:"dir,omitempty"`
	Size  int64     `json:"size" doc:"Bytes"`
	Mtime time.Time `json:"mtime"`
	Mode  uint32    `json:"mode" doc:"POSIX permission bits, as the uploader set them"`
}

// Version is one set of committed bytes of a file.
type Version struct {
	ID       string    `json:"id"`
	Size     int64     `json:"size" doc:"Bytes"`
	SHA256   string    `json:"sha256" doc:"Lower-case hexadecimal"`
	Actor    string    `json:"actor" doc:"Who stored it"`
	StoredAt time.Time `json:"stored_at"`
	Current  bool      `json:"current" doc:"What the name shows now"`
}

// Drop states.
const (
	DropUnscanned  = "unscanned" // the scanner has not accepted it yet
	DropNew        = "new"
	DropClaimed    = "claimed"    // one consumer has it, for a while
	DropAcked      = "acked"      // accepted
	DropRejected   = "rejected"   // refused, with a reason
	DropSuperseded = "superseded" // a newer upload of the name came before anybody claimed this one
)

// What makes a drop a duplicate of one that came before, of the same user.
const (
	DuplicateName    = "name"
	DuplicateContent = "content"
	DuplicateBoth    = "both"
)

// Drop is one committed upload by a partner, as the operator's inbox shows it.
type Drop struct {
	ID          string     `json:"id"`
	User        string     `json:"user" doc:"Username"`
	Account     string     `json:"account" doc:"Account ID"`
	Vendor      string     `json:"vendor,omitempty" doc:"Vendor short name, for a vendor's upload"`
	Path        string     `json:"path" doc:"Where it lies, or lay when it was claimed; escaped if it is not UTF-8"`
	Raw         []byte     `json:"path_bytes,omitempty" doc:"The path itself, if it is not UTF-8"`
	Size        int64      `json:"size" doc:"Bytes"`
	SHA256      string     `json:"sha256" doc:"Lower-case hexadecimal"`
	Fingerprint string     `json:"fingerprint" doc:"The key that uploaded it"`
	Address     string     `json:"address" doc:"The client's address"`
	State       string     `json:"state" enum:"unscanned,new,claimed,acked,rejected,superseded"`
	Withdrawn   bool       `json:"withdrawn,omitempty" doc:"The uploader removed the name since"`
	Duplicate   string     `json:"duplicate,omitempty" enum:"name,content,both" doc:"What it shares with an earlier one of the same user"`
	DuplicateOf string     `json:"duplicate_of,omitempty" doc:"Id of that one"`
	ReceivedAt  time.Time  `json:"received_at"`
	ReadyAt     *time.Time `json:"ready_at,omitempty" doc:"Its name may be a temporary one: it is handed on then, or when it is renamed"`
	Claim       string     `json:"claim,omitempty" doc:"Proves whose claim it is; told to whoever claims"`
	Consumer    string     `json:"consumer,omitempty" doc:"Who claimed, or settled, it"`
	ClaimUntil  *time.Time `json:"claim_until,omitempty" doc:"When the claim ends by itself"`
	SettledAt   *time.Time `json:"settled_at,omitempty" doc:"When it was accepted or refused"`
	Reason      string     `json:"reason,omitempty" doc:"Why it was refused"`
	Advice      string     `json:"advice,omitempty" doc:"What the partner should do"`
	RemovedAt   *time.Time `json:"removed_at,omitempty" doc:"When retention removed its bytes"`
	UserID      string     `json:"-"`
	Cleared     bool       `json:"-"` // the scanner accepted it, or none was named
}

// What a parent account gets of its children's files.
const (
	ParentNothing = "nothing"
	ParentFiles   = "files" // a copy of each, below a folder of the child's name
)

// Feed is a named stream of files to those who subscribe.
type Feed struct {
	Name       string    `json:"name"`
	Title      string    `json:"title,omitempty" doc:"What people read in place of the name: Call detail records"`
	Kind       string    `json:"kind" doc:"An open label: cdr, data, invoice, report"`
	Types      []string  `json:"types" doc:"File types it takes; empty: every type"`
	Pattern    string    `json:"pattern,omitempty" doc:"What names look like: {account}-{yyyy}{mm}-{seq}.csv"`
	Folders    string    `json:"folders,omitempty" doc:"Dated sub-folders of deliveries: {yyyy}/{mm}"`
	Zone       string    `json:"zone,omitempty" doc:"Time zone of dated sub-folders; empty: the configured one"`
	Checks     string    `json:"checks,omitempty" enum:"refuse,flag,off" doc:"What becomes of content that is not what its name says; empty: as configured"`
	Producer   string    `json:"producer,omitempty" doc:"Account whose users may publish into it; empty: the platform alone"`
	Recipients []string  `json:"recipients" doc:"Accounts that may subscribe; empty: all"`
	ParentSees string    `json:"parent_sees" enum:"nothing,files" doc:"What a parent account's subscribers get of its children's files"`
	Retention  string    `json:"retention,omitempty" doc:"How long files stay: 12mo, 90d"`
	CreatedAt  time.Time `json:"created_at"`
}

// Subscription is a user's entitlement to a feed.
type Subscription struct {
	ID         string    `json:"id"`
	Feed       string    `json:"feed"`
	User       string    `json:"user" doc:"Username"`
	Types      []string  `json:"types" doc:"File types it wants; empty: every type of the feed"`
	Dir        string    `json:"dir" doc:"Where deliveries appear"`
	Mail       string    `json:"mail,omitempty" enum:"daily" doc:"Mail about new files to the technical contacts"`
	May        string    `json:"may,omitempty" enum:"look,remove" doc:"What the user may do with the files; empty: as the user's own setting says"`
	Backfilled int       `json:"backfilled,omitempty" doc:"Earlier files that were placed when it began"`
	CreatedAt  time.Time `json:"created_at"`
}

// Publication is one file handed to a feed, and whom it reached.
type Publication struct {
	ID          string    `json:"id"`
	Feed        string    `json:"feed"`
	Account     string    `json:"account,omitempty" doc:"Empty: all subscribers"`
	Name        string    `json:"name"`
	Size        int64     `json:"size" doc:"Bytes"`
	SHA256      string    `json:"sha256" doc:"Lower-case hexadecimal"`
	Deliveries  int       `json:"deliveries" doc:"How many mailboxes got it"`
	Repeated    bool      `json:"repeated,omitempty" doc:"The idempotency key was seen before; nothing was published now"`
	Via         string    `json:"via,omitempty" doc:"How it came: api, folder, sftp"`
	Missing     []string  `json:"missing,omitempty" doc:"Numbers that are missing before this one"`
	Flag        string    `json:"flag,omitempty" doc:"Why the content does not look like what its name says"`
	PublishedAt time.Time `json:"published_at"`
}

// Delivery states.
const (
	DeliveryPublished = "published"
	DeliveryOpened    = "opened"
	DeliveryCollected = "collected" // every byte was served
	DeliveryExpired   = "expired"   // removed by retention
	DeliveryWithdrawn = "withdrawn" // taken back by the operator
	DeliveryReplaced  = "replaced"  // a newer issue came before it was downloaded in full
)

// Delivery is one file placed for one subscription.
type Delivery struct {
	ID          string     `json:"id"`
	Publication string     `json:"publication"`
	Feed        string     `json:"feed"`
	User        string     `json:"user" doc:"Username"`
	Account     string     `json:"account" doc:"Account ID"`
	Name        string     `json:"name"`
	Path        string     `json:"path,omitempty" doc:"Where it was placed"`
	Issue       int64      `json:"issue" doc:"1, or more for a later file of the same name"`
	Size        int64      `json:"size" doc:"Bytes"`
	SHA256      string     `json:"sha256" doc:"Lower-case hexadecimal"`
	State       string     `json:"state" enum:"published,opened,collected,expired,withdrawn,replaced"`
	Served      int64      `json:"served" doc:"Distinct bytes served so far"`
	PublishedAt time.Time  `json:"published_at"`
	OpenedAt    *time.Time `json:"opened_at,omitempty"`
	CollectedAt *time.Time `json:"collected_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty" doc:"When it was removed, replaced or taken back"`
	TakenAt     *time.Time `json:"taken_at,omitempty" doc:"When the partner removed or renamed the file; its bytes stay until they are due"`
	Fingerprint string     `json:"fingerprint,omitempty" doc:"The key that opened it first, or collected it"`
	Client      string     `json:"client,omitempty" doc:"That client's version string"`
	Address     string     `json:"address,omitempty" doc:"That client's address"`
	UserID      string     `json:"-"`
}

// HostKey is one of the server's own keys.
type HostKey struct {
	Type        string `json:"type"`
	Bits        int    `json:"bits"`
	Fingerprint string `json:"fingerprint"`
	Public      string `json:"public" doc:"The key as a known_hosts line has it"`
}

// AuditRow is one change of state: who did what to what. It is written in the
// change's own transaction.
type AuditRow struct {
	ID      string            `json:"id"`
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor"`
	Action  string            `json:"action"`
	Subject string            `json:"subject"`
	User    string            `json:"-"` // id of the user meant, or ""
	Detail  map[string]string `json:"detail,omitempty"`
}
