package exchange

// Bound is a limit on one party's use of a shared resource.
type Bound struct {
	What     string `json:"what"`
	HowMuch  string `json:"how_much" doc:"Unless the setting says otherwise"`
	Setting  string `json:"setting,omitempty"`
	Partner  string `json:"partner" doc:"What the partner meets, or reads"`
	Operator string `json:"operator" doc:"What the operator sees"`
}

// Bounds lists all limits; docs/operate.md has the same table.
var Bounds = []Bound{
	{"bytes and number of a user's visible files; unfinished uploads count", "100 GB, 200,000",
		"storage.quota, storage.quota_files; user set --quota, --quota-files", "Quota exceeded: 99 of 100 bytes are in use.",
		"user show; explain USER"},
	{"what a user keeps alive: contents until they are swept, directories, uploads under way",
		"150% of the quota, in bytes and in number (at least 10 more)", "storage.kept_percent; user set --keep, --keep-items",
		"Limit reached: this mailbox keeps 149 of 150 bytes, …", "mail at 80% (limit.near); user show; explain USER"},
	{"the same, of all users of an account together", "1 TB, 2,000,000",
		"storage.account_kept, storage.account_kept_items; account set --keep, --keep-items",
		"Limit reached: all log-ins of this account keep …", "mail at 80% (limit.near)"},
	{"a user's unfinished uploads", "1,000", "storage.unfinished",
		"1000 uploads are unfinished, which is the limit; finish or remove some.", "explain USER"},
	{"a user's directories, and how deep they are nested", "20,000; 64 deep", "storage.directories",
		"Limit reached: this mailbox has …; Directories may be nested 64 deep …", "user show"},
	{"one file", "50 GB", "storage.max_file", "The file is larger than the limit of … bytes.", "explain USER"},
	{"of a file, what was never written when it is closed", "1 GiB", "",
		"Not stored: … bytes of the file were never written; …", ""},
	{"a stored file that is changed in its middle", "1 GiB", "storage.max_copy",
		"Files over 1024 MiB cannot be changed in place; …", ""},
	{"a service user's files under temporary names in /outbound", "1,000", "",
		"1000 files wait under temporary names; rename some first.", "file.left after a day"},
	{"space that every change leaves free on the disk", "1 GiB", "storage.free_floor",
		"The server's storage is full; please try later.", "log; explain USER"},
	{"a user's changes by name in an hour: names, directories, times", "100,000", "limits.changes_per_hour",
		"slower answers; nothing is refused", "log, once an hour; explain USER"},
	{"a user's log-ins in an hour", "6,000", "limits.logins_per_hour", "slower log-ins; nobody is refused",
		"log, once an hour"},
	{"sessions of a user, an account and an address; channels of a connection; open files of a channel",
		"10, 50, 50; 10; 256", "limits.sessions_per_user, …_account, …_address; limits.channels; limits.open_files",
		"the log-in, channel or file is refused", "explain USER"},
	{"bytes of files in a second, of a user and of all together", "any number", "limits.rate_per_user, limits.rate_total",
		"slower transfers; users with transfers have equal parts of the total", "session list: RATE"},
	{"the writer's time, beside others",
		"half a millisecond of a batch for a user who took more than a tenth of it lately; on PostgreSQL, 3 transactions " +
			"of a user at a time, 16 in all", "", "slower answers, while others write", ""},
	{"the processor, while it is short and others are there",
		"an equal part of what sessions use; who uses more pauses in between, for a second at the longest", "",
		"slower answers; nothing is refused", ""},
	{"what a channel was sent and nobody read", "4 MiB on the wire", "", "the connection ends",
		"log; explain USER: sent too much"},
	{"the same, of all clients together", "1/64 of the memory (of the container, if it has a limit)", "limits.unread",
		"the connection with most of it ends", "log: memory … is full"},
	{"a channel that does not ask for SFTP", "10 s", "", "the channel ends", "explain USER"},
	{"a client that takes no answers", "2 min", "limits.stall", "the connection ends", "log: session given up"},
	{"hashing of what is read back", "all processors but one, by turns of 16 MiB", "", "a slower CLOSE", ""},
	{"costly key exchanges (finite-field groups, P-521, RSA host keys)",
		"one of an address at a time, half of the processors in all", "",
		"a slower log-in, unless the program knows Curve25519 or ML-KEM", ""},
	{"connections that have not logged in, in all and of an address", "512, 64",
		"limits.half_open, limits.half_open_per_address", "the oldest makes room", "explain ADDRESS"},
	{"failed connections of an address", "20 in 10 min, then 15 min out",
		"access.ban_after, access.ban_within, access.ban_for", "a word of farewell that names whom to ask",
		"ban list; explain ADDRESS"},
	{"records of connections that did not log in, and of what was read", "200,000; 2,000,000",
		"records.failed, records.activity", "", "older ones go first"},
	{"requests for access from one network address (IPv6: a /64)", "10 in an hour", "onboarding.per_address",
		"Many requests came from your network address. …", ""},
	{"requests for access of one e-mail address: undecided, and in a day", "3", "onboarding.per_email",
		"no further mail; the form answers as always", "log: a request was not kept"},
	{"requests for access in an hour, and unconfirmed ones, of everyone", "300; 2,000",
		"onboarding.per_hour, onboarding.unverified", "Very many requests wait here now. …",
		"request list --state unverified"},
	{"log lines that repeat", "5 in 10 s of one reason and address, then a count", "", "", "repeated=…"},
}
