package notify

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Letter is a mail before its words are chosen: its kind, whom it goes to, whom it is about, and
// the facts. The kind's template has the sentences.
type Letter struct {
	Kind        string // a name of Kinds
	To          string // address
	Name        string // of the person; "" if it is not known
	ID          string
	Account     string // ID of the account that it is about; "" for none
	AccountName string
	User        string
	Sender      string         // name of the vendor whose user it is, if the reader is not of that vendor
	Language    string         // of the person or of the account; "": the default
	Help        string         // how to reach support
	Zone        *time.Location // of its times; nil: the operator's
	Facts       any            // a struct; its type is that of the kind's Sample
	Files       []model.MessageFile
	// Secret is the end of a one-time link. It is stored encrypted, and takes the place of
	// LinkPlaceholder when the mail is sent.
	Secret string
}

// LinkPlaceholder is what a stored mail has in place of the end of a one-time link.
const LinkPlaceholder = "sent-by-mail-and-not-kept"

// Written is a letter with its words.
type Written struct{ Subject, Text, HTML string }

// Writer chooses the words of letters.
type Writer interface {
	// Write renders a letter, in its language or in the nearest that there is.
	Write(l Letter) (Written, error)
	// Preview returns a letter's HTML as a browser shows it, with its logo inside.
	Preview(html string) string
	// Banner and Banned write what is shown at log-in: to whoever failed to log in, and who is banned.
	Banner(help, reference string) string
	Banned(help, reference string, until time.Time) string
	// Languages lists the languages that there are templates of.
	Languages() []string
}

// Mailer sends mails.
type Mailer interface {
	// Send sends one mail to the mail server. It returns Denied if the address is permanently
	// refused.
	Send(ctx context.Context, m model.Message) error
}

// Kind is a kind of letter. Its template is named after it.
type Kind struct {
	Name   string
	About  string // one sentence: what it says, and to whom
	Sample any    // the facts that its template gets, with values to show it
}

// Facts of letters. Fields that are empty are not known, or do not apply.
type (
	// KeyFacts are about a user's key.
	KeyFacts struct {
		Fingerprint, Type, Holder, Reason string
		Replaces                          string    // fingerprint of the key that it replaces
		At                                time.Time // when it happened
		Expires                           time.Time // when it stops to work, or stopped
		Since                             time.Time // when it was added
		By, ByEmail                       string    // contact at whose word it happened
	}

	// LinkFacts are about a one-time link.
	LinkFacts struct {
		URL     string
		Expires time.Time
	}

	// RequestFacts are about a request for access.
	RequestFacts struct {
		Reference, Who, Company, Number string
		Email, Phone, Username          string
		Key                             string // its type
		Fingerprint                     string
		Feeds                           []string
		URL                             string // of the page behind the link
		Expires                         time.Time
		Since                           time.Time // when it came into its state
		Due                             time.Time // zero: there is no limit
		Text                            string    // question, reason, or what hinders
		Stops, Warns, Goods             []string  // what decides
		Again                           bool      // a second operator has to approve
		By                              string    // who approved it first
	}

	// HostKeyFacts are a key of the server.
	HostKeyFacts struct{ Type, Fingerprint string }

	// FolderFacts are a folder of a user, with what may be done there.
	FolderFacts struct {
		Path, Title    string // Title: of the feed whose files come there
		Sends, Fetches bool
		Kept           string // how long files are kept: 12mo
	}

	// WelcomeFacts are what a user needs to connect.
	WelcomeFacts struct {
		Host, Start string
		Port        int
		HostKeys    []HostKeyFacts
		Folders     []FolderFacts
		From        []string // networks that may log in; none: all
		Issued      bool     // we made the key
		Vendor      string   // name of the vendor whose user it is
		Files       bool     // guide and site files are attached
	}

	// FileFacts are about one file.
	FileFacts struct {
		Name, Feed     string
		At             time.Time
		Size           int64
		SHA256, ID     string
		Duplicate      string // name, content, both: what it shares with an earlier one
		Reason, Advice string // of a refusal, in the words of whoever refused it
		User, Path     string
		Vendor         string // name of the vendor whose user it is
		// Downloaded is full, part, never, withdrawn, replaced or removed; sent: it came from the account
		// itself; "": neither was delivered nor received.
		Downloaded string
	}

	// FilesFacts are a list of files. Total counts those that are left out, too.
	FilesFacts struct {
		Files       []FileFacts
		Total, More int
	}

	// ReminderFacts are about files that were not downloaded in full.
	ReminderFacts struct {
		FilesFacts
		Oldest time.Time // when the oldest was published
	}

	// RemovalFacts announce that files will be removed.
	RemovalFacts struct {
		FilesFacts
		Due      time.Time
		Reminder bool
		Closing  bool     // the account is closed
		Shut     bool     // its users can't log in to download
		Ages     []string // how old the files are: 12mo
		Missed   int      // how many were never downloaded in full
		Names    []string // of some of those
	}

	// RemovedFacts are the report of a removal.
	RemovedFacts struct {
		Total  int
		Signed string
	}

	// ExpectedFacts are about files that should have come.
	ExpectedFacts struct {
		Expectation, Feed, Pattern string
		AtLeast, Came              int64
		Due                        time.Time
		TooSmall                   []string
		Again                      bool   // it was missed the time before, too
		File                       string // that is larger than expected
		Size, Most                 int64  // its bytes, and how many are expected at most
	}

	// GapFacts are about numbers that are missing in a feed's names.
	GapFacts struct {
		Feed, File         string
		First, Final, Last int64 // First to Final are missing
		Period             string
		Odd                bool // File's number does not follow Last
	}

	// LeftFacts are about an upload that kept a temporary name.
	LeftFacts struct {
		Path, Feed, Reason string
		Stored             time.Time
		Size               int64
	}

	// RenamedFacts are about a username that changed.
	RenamedFacts struct{ Old, New string }

	// LimitFacts are about a storage limit that is nearly reached.
	LimitFacts struct{ KeptBytes, KeepBytes, KeptItems, KeepItems, Percent int64 }

	// ConfirmFacts are about a retention run that waits for an administrator.
	ConfirmFacts struct {
		Run, Reason string
		Due         time.Time
		Total       int
	}

	// TextFacts are a message in words of its own.
	TextFacts struct {
		Title      string
		Paragraphs []string
	}

	// CheckpointFacts are a checkpoint of the audit log.
	CheckpointFacts struct{ Signed string }

	// JournalFacts are an entry of the audit log's journal, which is attached.
	JournalFacts struct{ Rows int }
)
