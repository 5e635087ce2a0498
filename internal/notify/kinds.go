package notify

import (
	"slices"
	"time"
)

const (
	samplePrint = "SHA256:2b1yvRkXkgO1kT6wxQ3vS0cTFcO5fGrXlGJmJm0s0xA"
	sampleHash  = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

var sampleTime = time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)

var sampleKey = KeyFacts{Fingerprint: samplePrint, Type: "ssh-ed25519", Holder: "jo@acme.example", At: sampleTime,
	Reason: "the laptop was lost", Expires: sampleTime.AddDate(0, 1, 0), Since: sampleTime.AddDate(-2, 0, 0),
	By: "Jo Hill", ByEmail: "jo@acme.example"}

var sampleFiles = []FileFacts{
	{Name: "cdr_20261101.csv", At: sampleTime, Size: 48_213_004, SHA256: sampleHash, ID: "01KB10SWWC66V2R0H1XQ2D6Y8N",
		Feed: "cdr", User: "acme", Path: "/download/cdr/cdr_20261101.csv", Downloaded: "never",
		Reason: "Row 17 has 11 columns, and 12 are needed.", Advice: "Please send it again with all columns."},
	{Name: "cdr_20261102.csv", At: sampleTime.Add(3 * time.Minute), Size: 51_000_120, SHA256: sampleHash,
		ID: "01KB10T9ECZ5M4W7Q0D7T1K2VE", Feed: "cdr", User: "acme", Path: "/download/cdr/cdr_20261102.csv",
		Downloaded: "full", Duplicate: "both"}}

var sampleExpected = ExpectedFacts{Expectation: "acme-cdr", Pattern: "cdr_*.csv", AtLeast: 1, Due: sampleTime,
	TooSmall: []string{"cdr_20261102.csv (0 bytes)"}, Again: true}

var sampleLarger = ExpectedFacts{Expectation: "acme-cdr", Pattern: "cdr_*.csv", AtLeast: 1, Came: 1, Due: sampleTime,
	File: "cdr_20261102.csv", Size: 48_213_004, Most: 10_000_000}

// Kinds lists the kinds of letter: those to partners first, then those to the operator.
var Kinds = []Kind{
	{"welcome", "A user's first key works: how to connect, with the guide. To technical contacts.",
		WelcomeFacts{Host: "sftp.example.com", Port: 22, Start: "/",
			HostKeys: []HostKeyFacts{{"ssh-ed25519", samplePrint}},
			Folders: []FolderFacts{{Path: "/upload", Sends: true, Fetches: true, Kept: "12mo"},
				{Path: "/download/cdr", Title: "Call records", Fetches: true, Kept: "90d"}},
			From: []string{"203.0.113.0/24"}, Files: true}},
	{"welcome-copy", "A vendor's first key works. To the account holder's technical contacts.",
		WelcomeFacts{Vendor: "Carrier One", Folders: []FolderFacts{{Path: "/upload", Sends: true}}}},
	{"key-added", "A key was added. To technical and security contacts.", sampleKey},
	{"key-replaced", "A key was added that replaces another. To technical and security contacts.",
		withReplaces(sampleKey)},
	{"key-revoked", "A key was revoked. To technical and security contacts.", sampleKey},
	{"key-blocked", "A key was reported as exposed and blocked. To technical and security contacts.", sampleKey},
	{"key-sent", "A private key was sent to us, and its key is blocked. To technical and security contacts.", sampleKey},
	{"key-doubtful", "Somebody sent an encrypted private key file of a key. To technical and security contacts.",
		sampleKey},
	{"key-paused", "A key was paused at a contact's word. To technical and security contacts.", sampleKey},
	{"key-resumed", "A paused key works again. To technical and security contacts.", sampleKey},
	{"key-expiring", "A key expires soon. To technical and security contacts.", sampleKey},
	{"key-expired", "A key expired. To technical and security contacts.", sampleKey},
	{"key-old", "A key is two years old. To technical and security contacts.", sampleKey},
	{"link-key", "A one-time link to a key file. To the contact that the operator names.", sampleLink},
	{"link-passphrase", "A one-time link to a passphrase. To another contact that the operator names.", sampleLink},
	{"link-verify", "A one-time link that verifies an e-mail address. To that address.", sampleLink},
	{"request-verify", "A link that confirms the address of a request for access. To that address.", sampleRequest},
	{"request-received", "A request for access is confirmed, with a link to its page. To the requester.", sampleRequest},
	{"request-contacts", "Somebody asks for access to an account. To all contacts of the account.", sampleRequest},
	{"request-question", "A question about a request for access. To the requester.", sampleRequest},
	{"request-reminder", "A question about a request for access waits. To the requester.", sampleRequest},
	{"request-ready", "The access that was asked for works. To the requester, beside the welcome.", sampleRequest},
	{"request-unused", "Nobody has logged in yet with the access that was asked for, and why. To the requester.",
		sampleRequest},
	{"request-rejected", "A request for access was rejected, and why. To the requester.", sampleRequest},
	{"request-withdrawn", "A request for access was withdrawn. To the requester.", sampleRequest},
	{"request-expired", "A request for access ended without an answer. To the requester.", sampleRequest},
	{"fresh", "New files of a day. To technical contacts, if the subscription says so.",
		FilesFacts{Files: sampleFiles, Total: 3, More: 1}},
	{"reminder", "Files wait to be downloaded. To technical contacts, when an operator says so.",
		ReminderFacts{FilesFacts: FilesFacts{Files: sampleFiles, Total: 3, More: 1}, Oldest: sampleTime}},
	{"received", "We received a file. To contacts who asked for it, at once.",
		FilesFacts{Files: sampleFiles[:1], Total: 1}},
	{"received-daily", "The files that we received in a day. To contacts who asked for it.",
		FilesFacts{Files: sampleFiles, Total: 3, More: 1}},
	{"refused", "Files of an hour that could not be used, or had come before. To technical contacts.",
		FilesFacts{Files: sampleFiles, Total: 3, More: 1}},
	{"expected-missed", "A file that we expected did not come. To technical contacts, if the expectation says so.",
		sampleExpected},
	{"expected-met", "A file that had been missed came. To technical contacts, if the expectation says so.",
		sampleExpected},
	{"expected-larger", "A file is larger than expected. To technical contacts, if the expectation says so.",
		sampleLarger},
	{"expiring", "Files will be removed. To billing and technical contacts.",
		RemovalFacts{FilesFacts: FilesFacts{Files: sampleFiles, Total: 6, More: 4}, Due: sampleTime.AddDate(0, 1, 0),
			Ages: []string{"12mo"}, Missed: 1, Names: []string{"cdr_20261101.csv"}}},
	{"removed", "The files of a closed account were removed, with the signed report. To billing and technical contacts.",
		RemovedFacts{Total: 6, Signed: sampleSigned}},
	{"reopened", "An account is no longer closed, and its files stay. To billing and technical contacts.", TextFacts{}},
	{"renamed", "A username changed. To technical contacts.", RenamedFacts{Old: "acme", New: "acme-telecom"}},
	{"inactive", "A user is disabled, or will be, because nobody logs in with it. To technical contacts.",
		TextFacts{Paragraphs: []string{"Nobody has logged in as user acme since 2026-06-01."}}},
	{"announcement", "What an operator announces. To the contacts that it chose.",
		TextFacts{Title: "Maintenance on Sunday", Paragraphs: []string{"The server will be away from 02:00 to 02:30."}}},
	{"notice", "Something else that people should be told.",
		TextFacts{Title: "Maintenance on Sunday", Paragraphs: []string{"The server will be away from 02:00 to 02:30."}}},

	{"request-new", "Operator: somebody asks for access, with what decides.", sampleRequest},
	{"request-late", "Operator: a request for access waits longer than it should.", sampleRequest},
	{"missed", "Operator: a file that was expected did not come.", sampleExpected},
	{"met", "Operator: a file that had been missed came.", sampleExpected},
	{"larger", "Operator: a file is larger than expected.", sampleLarger},
	{"gap", "Operator: numbers are missing in a feed.", GapFacts{Feed: "cdr", File: "cdr-0007.csv", First: 5, Final: 6}},
	{"left", "Operator: an upload kept a temporary name.",
		LeftFacts{Path: "/upload/cdr.csv.tmp", Stored: sampleTime, Size: 48_213_004}},
	{"limit", "Operator: a user or an account is near a storage limit.",
		LimitFacts{KeptBytes: 82e9, KeepBytes: 100e9, KeptItems: 1200, KeepItems: 200_000, Percent: 82}},
	{"retention", "Operator: a retention run waits for you.",
		ConfirmFacts{Run: "01KB10SWWC66V2R0H1XQ2D6Y8N", Reason: "it is the first of a new policy",
			Due: sampleTime.AddDate(0, 1, 0), Total: 6}},
	{"alarm", "Operator: something is wrong with the server's own records.",
		TextFacts{Paragraphs: []string{"The audit log is not sealed any more.", "Rows that are written from now on wait."}}},
	{"need", "Operator: something needs you now, such as a disk that fills.",
		TextFacts{Paragraphs: []string{"The disk has 900 MB free. Uploads are refused, because they must leave 1 GB free."}}},
	{"checkpoint", "Operator or auditor: a checkpoint of the audit log, to keep.", CheckpointFacts{Signed: sampleSigned}},
	{"journal", "Operator or auditor: what was taken back, to keep for a restore.", JournalFacts{Rows: 3}},
	{"test", "Whoever it is sent to by hand: mail works.", TextFacts{}},
}

var sampleRequest = RequestFacts{Reference: "7kxm-w2pd", Who: "Jo Hill", Company: "ACME Telecom", Number: "acme",
	Email: "jo@acme.example", Phone: "+61 2 5550 0100", Username: "acme", Key: "ssh-ed25519", Fingerprint: samplePrint,
	Feeds: []string{"cdr", "invoices"}, URL: "https://files.example.com/request/status/" + LinkPlaceholder,
	Expires: sampleTime.Add(72 * time.Hour), Since: sampleTime, Due: sampleTime.AddDate(0, 1, 0),
	Text:  "Which of your companies is the account of?",
	Stops: []string{"The username \"acme\" is taken."}, Warns: []string{"No contact has an address at acme.example."},
	Goods: []string{"The key is a ssh-ed25519 of 256 bits, and nobody has it."}}

var sampleLink = LinkFacts{URL: "https://files.example.com/handover/" + LinkPlaceholder,
	Expires: sampleTime.Add(72 * time.Hour)}

const sampleSigned = "sallyport removal report\nrun: 01KB10SWWC66V2R0H1XQ2D6Y8N\nremoved: 6 files, 299213004 bytes\n" +
	"\n— operator.example 5pKZcGl0dGxlIHNpZ25hdHVyZSBmb3IgdGhlIGV5ZSBvbmx5\n"

func withReplaces(f KeyFacts) KeyFacts {
	f.Replaces = "SHA256:u1cF9iAeU8x3zWcQk6YqkGmZ1pV0kz4yWqS0JrGz3kE"
	return f
}

// KindNamed returns the kind of a name.
func KindNamed(name string) (Kind, bool) {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return Kinds[i], true
}

// Sample returns a letter of a kind with facts that show it.
func Sample(k Kind) Letter {
	return Letter{Kind: k.Name, To: "jo@acme.example", Name: "Jo Hill", ID: "01KB10SWWC66V2R0H1XQ2D6Y8N", Account: "acme",
		AccountName: "ACME Telecom", User: "acme", Help: "help@example.com, +61 2 5550 0000", Facts: k.Sample}
}
