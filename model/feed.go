package model

import "time"

// What happens to content that does not match its file name.
const (
	ChecksRefuse = "refuse" // refuse it if that is certain, else publish and flag it
	ChecksFlag   = "flag"   // publish and flag it
	ChecksOff    = "off"    // do not check
)

// What a partner may do with delivered files besides fetching them.
const (
	FeedsLook   = "look"   // nothing
	FeedsRemove = "remove" // remove and rename them; retention alone removes the bytes
)

// What a parent account receives of its children's files.
const (
	ParentNothing = "nothing"
	ParentFiles   = "files" // a copy of each, in a folder with the child's name
)

// Feed is a named stream of files to its subscribers.
type Feed struct {
	Name       string    `json:"name"`
	Title      string    `json:"title,omitempty" doc:"What people read in place of the name: Call detail records"`
	Kind       string    `json:"kind" doc:"An open label: cdr, data, invoice, report"`
	Types      []string  `json:"types" doc:"File types it takes; empty: every type"`
	Pattern    string    `json:"pattern,omitempty" doc:"What names look like: {account}-{yyyy}{mm}-{seq}.csv"`
	Folders    string    `json:"folders,omitempty" doc:"Dated sub-folders of deliveries: {yyyy}/{mm}"`
	Zone       string    `json:"zone,omitempty" doc:"Time zone of dated sub-folders; empty: the configured one"`
	Checks     string    `json:"checks,omitempty" enum:"refuse,flag,off" doc:"Of odd content; empty: as configured"`
	Producer   string    `json:"producer,omitempty" doc:"Account whose users may publish; empty: the platform alone"`
	Recipients []string  `json:"recipients" doc:"Accounts that may subscribe; empty: all"`
	ParentSees string    `json:"parent_sees" enum:"nothing,files" doc:"What a parent gets of its children's files"`
	Retention  string    `json:"retention,omitempty" doc:"How long files stay: 12mo, 90d"`
	CreatedAt  time.Time `json:"created_at"`
}

// NewFeed is the body that makes a feed.
type NewFeed struct {
	Name       string   `json:"name"`
	Title      string   `json:"title,omitempty" doc:"What people read: Call detail records"`
	Kind       string   `json:"kind" doc:"An open label: cdr, data, invoice, report"`
	Types      []string `json:"types,omitempty" doc:"File types it takes; none: every type; any: any content, too"`
	Zone       string   `json:"zone,omitempty" doc:"Time zone of dated sub-folders"`
	Checks     string   `json:"checks,omitempty" enum:"refuse,flag,off" doc:"What becomes of content unlike its name"`
	Retention  string   `json:"retention,omitempty" doc:"How long files stay: 12mo, 90d"`
	Pattern    string   `json:"pattern,omitempty" doc:"What names look like: {account}-{yyyy}{mm}-{seq}.csv"`
	Folders    string   `json:"folders,omitempty" doc:"Dated sub-folders: {yyyy}/{mm}"`
	Producer   string   `json:"producer,omitempty" doc:"Account whose users may publish into it"`
	Recipients []string `json:"recipients,omitempty" doc:"Accounts that may subscribe; none: all"`
	ParentSees string   `json:"parent_sees,omitempty" doc:"nothing or files"`
}

// EditFeed changes a feed; absent fields stay. Retention policies say how long its files are kept.
type EditFeed struct {
	Title      *string   `json:"title,omitempty"`
	Kind       *string   `json:"kind,omitempty"`
	Zone       *string   `json:"zone,omitempty"`
	Checks     *string   `json:"checks,omitempty" doc:"refuse, flag or off; empty: as configured"`
	Types      *[]string `json:"types,omitempty"`
	Pattern    *string   `json:"pattern,omitempty"`
	Folders    *string   `json:"folders,omitempty"`
	Producer   *string   `json:"producer,omitempty"`
	Recipients *[]string `json:"recipients,omitempty"`
	ParentSees *string   `json:"parent_sees,omitempty"`
}

// Subscription is a user's entitlement to a feed.
type Subscription struct {
	ID         string    `json:"id"`
	Feed       string    `json:"feed"`
	User       string    `json:"user" doc:"Username"`
	Types      []string  `json:"types" doc:"File types it wants; empty: every type of the feed"`
	Dir        string    `json:"dir" doc:"Where deliveries appear"`
	Mail       string    `json:"mail,omitempty" enum:"daily" doc:"Mail about new files to the technical contacts"`
	May        string    `json:"may,omitempty" enum:"look,remove" doc:"What the user may do; empty: as its own setting"`
	Backfilled int       `json:"backfilled,omitempty" doc:"Earlier files that were placed when it began"`
	CreatedAt  time.Time `json:"created_at"`
}

// NewSubscription is the body that entitles a user to a feed.
type NewSubscription struct {
	User  string   `json:"user"`
	Types []string `json:"types,omitempty" doc:"File types it wants; none: every type of the feed"`
	Dir   string   `json:"dir,omitempty" doc:"Where deliveries appear; by default /download/<feed>"`
	Mail  string   `json:"mail,omitempty" doc:"daily: mail about new files to the technical contacts"`
	May   string   `json:"may,omitempty" enum:"look,remove" doc:"What the user may do with the files"`
	Days  int      `json:"backfill_days,omitempty" doc:"Place what was published in the last days, too"`
}

// EditSubscription changes what a user gets of a feed; absent fields stay.
type EditSubscription struct {
	Types *[]string `json:"types,omitempty" doc:"File types it wants; none: every type of the feed"`
	Dir   *string   `json:"dir,omitempty" doc:"Where deliveries appear from now on"`
	Mail  *string   `json:"mail,omitempty" doc:"daily, or empty for none"`
	May   *string   `json:"may,omitempty" doc:"look or remove; empty: as the user's own setting says"`
}
