package model

import "time"

// Page is one part of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Ask for the next page with this as cursor. It is missing on the last page"`
}

// Paging is the cursor and the limit of a list request. Every list filter embeds it.
type Paging struct {
	Cursor string `query:"cursor" json:"cursor" doc:"The next of the page before; empty: the first page"`
	Limit  int    `query:"limit" json:"limit" default:"100" minimum:"1" maximum:"1000" doc:"At most so many items"`
}

// Paged returns the filter's Paging. Embedding Paging makes a filter satisfy Filter.
func (p *Paging) Paged() *Paging { return p }

// Filter is a pointer to a struct that embeds Paging.
type Filter[F any] interface {
	*F
	Paged() *Paging
}

// Span limits a list to what is of a time. Filters of long lists embed it.
type Span struct {
	Since time.Time `query:"since" json:"since" doc:"From this time on"`
	Until time.Time `query:"until" json:"until" doc:"Before this time"`
}

// Spanned returns the filter's Span.
func (s *Span) Spanned() *Span { return s }

// Order turns the order of a list round. Filters of long lists embed it.
type Order struct {
	Reverse bool `query:"reverse" json:"reverse" doc:"In the other order"`
}

// Ordered returns the filter's Order.
func (o *Order) Ordered() *Order { return o }

// EveryFilter asks for all items of a list.
type EveryFilter struct{ Paging }

// AccountFilter chooses accounts.
type AccountFilter struct {
	Tag string `query:"tag" names:"tag" doc:"Only those with this tag"`
	Paging
}

// VendorFilter chooses vendors.
type VendorFilter struct {
	Tag string `query:"tag" names:"tag" doc:"Only those with this tag"`
	Paging
}

// UserFilter chooses users.
type UserFilter struct {
	Account  string `query:"account" names:"account" doc:"Only this account's"`
	Vendor   string `query:"vendor" names:"vendor" doc:"Only this vendor's"`
	Tag      string `query:"tag" names:"tag" doc:"Only those with this tag, or of an account with it"`
	Inactive string `query:"inactive" doc:"Only those that have not logged in for so long: 90d"`
	Paging
}

// ContactFilter chooses contacts.
type ContactFilter struct {
	Of string `query:"of" names:"account or vendor" doc:"Only of this account or vendor"`
	Paging
}

// OfUserFilter limits a list to one user.
type OfUserFilter struct {
	User string `query:"user" names:"user" doc:"Only of this user"`
	Paging
}

// UserKeyFilter chooses the keys of one user.
type UserKeyFilter struct {
	User string `path:"id" names:"user" doc:"Username"`
	Paging
}

// FingerprintFilter chooses every user's record of a key.
type FingerprintFilter struct {
	Fingerprint string `query:"fingerprint" names:"key" required:"true" doc:"SHA256:…, or its first 8 characters or more"`
	Paging
}

// NoticeFilter chooses notices.
type NoticeFilter struct {
	All bool `query:"all" doc:"Also what people were told"`
	Paging
}

// FeedFilter limits a list to one feed.
type FeedFilter struct {
	Feed string `path:"id" names:"feed" doc:"Name of the feed"`
	Paging
}

// DeliveryFilter chooses deliveries. A state may be a word, too: downloaded in full.
type DeliveryFilter struct {
	Feed        string        `query:"feed" names:"feed"`
	Account     string        `query:"account" names:"account"`
	User        string        `query:"user" names:"user"`
	Name        string        `query:"name" doc:"File name"`
	Publication string        `query:"publication" names:"publication" doc:"Only of this publication"`
	State       DeliveryState `query:"state" enum:"published,opened,collected,expired,withdrawn,replaced"`
	Uncollected time.Time     `query:"uncollected_before" doc:"Only what was published before this and is not collected"`
	Span
	Order
	Paging
}

// DropFilter chooses received files. A state may be a word, too: accepted, refused. It may be what is said beside a
// state: withdrawn, removed, duplicate, unexpected.
type DropFilter struct {
	User    string `query:"user" names:"user"`
	Account string `query:"account" names:"account"`
	Name    string `query:"name" doc:"Last part of the path"`

	State DropState `query:"state" enum:"unscanned,new,claimed,acked,rejected,superseded,withdrawn,removed,duplicate,odd"`

	Span
	Order
	Paging
}

// FileFilter chooses a directory of a user's mailbox, or a file.
type FileFilter struct {
	User string `path:"id" names:"user" doc:"Username"`
	Path string `query:"path" default:"/"`
	Paging
}

// MessageFilter chooses webhooks and mails.
type MessageFilter struct {
	Channel Channel      `query:"channel" enum:"webhook,mail"`
	State   MessageState `query:"state" enum:"new,queued,sent,dead,bounced"`
	Target  string       `query:"target" names:"webhook or mail address" doc:"Name of a webhook, or an e-mail address"`
	Span
	Order
	Paging
}

// AuditFilter chooses rows of the audit log.
type AuditFilter struct {
	Actor   string `query:"actor"`
	Action  string `query:"action" doc:"May end in *"`
	User    string `query:"user" names:"user" doc:"Username"`
	Subject string `query:"subject"`
	Span
	Paging
}

// HoldFilter chooses holds.
type HoldFilter struct {
	All bool `query:"all" doc:"Released ones, too"`
	Paging
}

// RunFilter chooses what belongs to one retention run.
type RunFilter struct {
	Run string `path:"id" names:"run" doc:"Id of the run"`
	Paging
}

// SitesFilter chooses files that SFTP programs import.
type SitesFilter struct {
	User   string `path:"id" names:"user" doc:"Username"`
	For    string `query:"for" required:"true" doc:"filezilla, winscp, openssh, rclone"`
	KeyDir string `query:"key_dir" doc:"Folder of the private key on the partner's computer"`
	Paging
}
