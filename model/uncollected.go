package model

import "time"

// UncollectedFilter asks which accounts have files that they have not downloaded in full.
type UncollectedFilter struct {
	Before  time.Time `query:"uncollected_before" doc:"Only files published before this; absent: any"`
	Feed    string    `query:"feed" names:"feed"`
	Account string    `query:"account" names:"account"`
	User    string    `query:"user" names:"user"`
	Paging
}

// Uncollected is an account with files that its users have not downloaded in full.
type Uncollected struct {
	Account    string       `json:"account" doc:"Account ID"`
	Name       string       `json:"name" doc:"Company name"`
	State      AccountState `json:"state" enum:"active,read_only,suspended"`
	Files      int64        `json:"files" doc:"How many files wait"`
	Bytes      int64        `json:"bytes" doc:"Their size together"`
	OldestAt   time.Time    `json:"oldest_at" doc:"When the oldest of them was published"`
	RemindedAt *time.Time   `json:"reminded_at,omitempty" doc:"When its people were last reminded"`
	Contacts   []Addressee  `json:"contacts" doc:"Whom a reminder goes to"`
}

// Addressee is a person whom a mail goes to.
type Addressee struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Remind is the body that reminds accounts of files that they have not downloaded.
type Remind struct {
	Before  *time.Time `json:"uncollected_before,omitempty" doc:"Only of files published before this; absent: any"`
	Feed    string     `json:"feed,omitempty" names:"feed"`
	Account string     `json:"account,omitempty" names:"account"`
	User    string     `json:"user,omitempty" names:"user"`
	Force   bool       `json:"force,omitempty" doc:"Also accounts that were reminded within a day"`
	DryRun  bool       `json:"dry_run,omitempty" doc:"Only say who would be reminded"`
}

// Reasons why an account is not reminded.
const (
	SkippedReminded  = "reminded_already"  // within a day
	SkippedNobody    = "nobody_to_mail"    // no contact, or mail to all of them came back
	SkippedSuspended = "account_suspended" // it could not log in
)

// Reminder is what became of one account's reminder.
type Reminder struct {
	Account    string     `json:"account" doc:"Account ID"`
	Name       string     `json:"name" doc:"Company name"`
	Files      int64      `json:"files" doc:"How many files wait"`
	To         []string   `json:"to" doc:"Mail addresses that were written to, or would be"`
	Skipped    string     `json:"skipped,omitempty" enum:"reminded_already,nobody_to_mail,account_suspended"`
	RemindedAt *time.Time `json:"reminded_at,omitempty" doc:"When its people were reminded before"`
}
