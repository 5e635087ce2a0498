package config

// meanings say for each setting what it means to the operator. A group of settings has a line, too.
// A test demands one for every setting.
var meanings = map[string]string{
	"data":   "The folder of the database, files, host keys and the socket. Only the server's user may enter it.",
	"listen": "Addresses to serve SFTP on. \":2022\" is every address of the machine, \"192.0.2.1:22\" is one.",
	"drain":  "How long running transfers may go on after the server was told to stop.",

	"database":     "The database.",
	"database.url": "postgres://user:password@host/name, one server's at a time. Empty: SQLite, in the data folder.",

	"database.upgrade": "What serve does with a database of an older release. auto: it brings the schema up to date, " +
		"and copies a SQLite database first. manual: it refuses to start.",

	"socket": "The socket in the data folder, through which commands reach the server.",
	"socket.group": "Members of this group of the machine may manage the server, each under their own name. " +
		"Empty: only root and the server's own user.",
	"socket.path": "Where the socket for the group is. Empty: /run/sallyport/sallyport.sock. It needs socket.group.",

	"endpoint":           "The server's address as partners know it, where it differs from \"listen\".",
	"endpoint.host":      "The public name: sftp.example.com.",
	"endpoint.port":      "The public port. 0: that of the first listener.",
	"endpoint.allow_ips": "Networks that may log in, such as 192.0.2.0/24. An empty list: all.",

	"regions":                    "What accounts of a region are told instead. What it leaves out is taken from above.",
	"regions.NAME.host":          "The region's public name.",
	"regions.NAME.port":          "The region's public port.",
	"regions.NAME.listen":        "Addresses to serve SFTP on for it. Its allow_ips are checked there before log-in.",
	"regions.NAME.allow_ips":     "Networks that may log in to the region's accounts.",
	"regions.NAME.time_zone":     "In which zone the region's people read times: Australia/Sydney. Empty: yours.",
	"regions.NAME.support":       "How the region's partners reach support.",
	"regions.NAME.support.email": "Address for mails to the region's support.",
	"regions.NAME.support.url":   "Web page of the region's support.",
	"regions.NAME.support.phone": "Telephone number of the region's support.",

	"keys.made_by": "Who may make key pairs: customer (they send public keys), operator (you issue encrypted pairs) " +
		"or both.",
	"users": "How users are named.",
	"users.name_rule": "account-id: a customer's username is its account ID, a vendor's has a dash and the vendor's " +
		"short name after it. free: any name. pattern: as users.name_pattern says.",
	"users.name_pattern": "For the rule pattern: a pattern of names, in which {account} stands for the account " +
		"ID: \"{account}*\".",
	"contacts":                  "The people of accounts.",
	"contacts.needed":           "How many contacts an account needs before its users get a key or a guide.",
	"contacts.needed.technical": "How many technical contacts.",
	"contacts.needed.billing":   "How many billing contacts.",
	"contacts.needed.security":  "How many security contacts.",

	"operator":        "Who runs this server. Guides, pages, mails and the banner name it.",
	"operator.name":   "Your name, as partners know it. Empty: nobody is named.",
	"operator.logo":   "Your logo, a file: SVG, PNG or JPEG, at most 256 KiB.",
	"operator.url":    "Your own site, not this server's.",
	"operator.colour": "The colour of buttons on pages: #1f5a4c. Text on it is white or dark, whichever can be read.",

	"support":       "How partners reach support. It is shown when a log-in fails, in guides, mails and notices.",
	"support.email": "Address for mails.",
	"support.url":   "Web page.",
	"support.phone": "Telephone number.",

	"storage":                    "Limits on what mailboxes hold.",
	"storage.max_file":           "The largest file.",
	"storage.quota":              "How many bytes of files a user may have. \"user set --quota\" changes one user's.",
	"storage.quota_files":        "How many files a user may have.",
	"storage.kept_percent":       "How much a user may keep alive, visible or not, in percent of its quota.",
	"storage.account_kept":       "How many bytes all users of an account may keep alive together.",
	"storage.account_kept_items": "How many files and folders all users of an account may keep alive together.",
	"storage.directories":        "How many folders a user may have.",
	"storage.free_floor":         "Uploads leave this much of the disk free.",
	"storage.max_copy":           "The largest stored file that may be changed in its middle.",
	"storage.keep_partials":      "How long unfinished uploads are kept.",
	"storage.unfinished":         "How many uploads of a user may be under way or unfinished.",
	"storage.inline": "Files up to this size lie in the database at first, which makes them fast; at most 128 KiB. " +
		"0: every file is a file from the start.",
	"storage.inline_for": "How long they lie there, until they are moved to the stored files.",
	"storage.inline_memory": "Memory for small files that are being uploaded, of all sessions together, and as much for " +
		"those that are being read. Past it, the disk is used.",

	"limits":                       "Limits on connections and sessions.",
	"limits.half_open":             "Connections that have not logged in.",
	"limits.half_open_per_address": "The same, of one address.",
	"limits.handshake":             "How long a client may take to send its SSH version.",
	"limits.login":                 "How long a log-in may take: people compare fingerprints and type passphrases.",
	"limits.key_offers":            "How many keys a client may offer in one connection.",
	"limits.sessions_per_user":     "Sessions of a user at once.",
	"limits.sessions_per_account":  "Sessions of all users of an account at once.",
	"limits.sessions_per_address":  "Sessions from one address at once.",
	"limits.idle":                  "A session without a request for so long is ended.",
	"limits.keep_alive":            "After so long a silence the client is asked whether it is still there.",
	"limits.stall":                 "A client that takes no answers for so long is disconnected.",
	"limits.open_files":            "Open files of a channel.",
	"limits.channels":              "Channels of a connection.",
	"limits.unread": "Bytes received and not yet read, of all clients together. " +
		"0: 1/64 of the memory, at least 32 MiB.",
	"limits.rate_per_user": "Bytes of files a second that a user moves, up and down together. 0: any number.",
	"limits.rate_total": "Bytes of files a second that all users move together, each an equal part. " +
		"0: any number.",
	"limits.logins_per_hour": "Log-ins of a user in an hour. More are slowed down, not refused.",
	"limits.token_requests_per_minute": "Requests of an API token in a minute. More are refused for a moment. " +
		"0: any number.",
	"limits.changes_per_hour": "Renames, removals and the like of a user in an hour. More are slowed down.",

	"keys":              "The policy on users' keys.",
	"keys.per_user":     "How many keys of a user may work at once.",
	"keys.types":        "Types that are taken: ed25519, ecdsa, rsa.",
	"keys.rsa_min":      "Bits of the smallest RSA key that is taken.",
	"keys.rsa_max":      "Bits of the largest RSA key that is taken.",
	"keys.expire_after": "How long a new key works. 0s: without end.",
	"keys.overlap":      "How long a replaced key works beside its successor.",
	"keys.pending":      "true: unknown keys that are offered for a real user wait for your approval.",

	"onboarding": "Requests for access: how strangers send them, and how long each side may take.",
	"onboarding.open": "true: whoever has the address of the form may send a request. false: only you record them " +
		"(request add).",
	"onboarding.four_eyes":     "true: a second operator approves each request, too.",
	"onboarding.answer_within": "How long a request may wait for you. Then it is late: status and a mail say so.",
	"onboarding.verify_within": "How long the link works that confirms the requester's address.",
	"onboarding.remind_after":  "After so long, whoever is waited for is reminded: three times at most.",
	"onboarding.expire_after":  "Without the requester's answer for so long, a request ends.",
	"onboarding.feeds": "Feeds that may be asked for, by name. \"*\": all that are not for certain accounts. " +
		"Empty: none, and you choose.",
	"onboarding.per_address": "Requests from one network address in an hour.",
	"onboarding.per_email":   "Undecided requests of one e-mail address, and requests of it in a day.",
	"onboarding.per_hour":    "Requests in an hour, of everyone together.",
	"onboarding.unverified":  "Requests that wait for their address to be confirmed, of everyone together.",

	"access":            "Which addresses are banned, and which proxies are trusted.",
	"access.ban_after":  "An address is banned after so many failed connections. 0: never.",
	"access.ban_within": "Failed connections of so long ago still count.",
	"access.ban_for":    "How long a ban lasts.",
	"access.never_ban":  "Addresses and networks that are never banned.",
	"access.proxies":    "Addresses of proxies. Their PROXY header is required, and believed.",

	"access.inactive":         "Users that nobody logs in with. They are never disabled without a notice before.",
	"access.inactive.disable": "Without a log-in for so long, a user is disabled: 180d. 0: never.",
	"access.inactive.notice":  "How long before that its people are told.",
	"access.inactive.kinds":   "Whom it concerns: customer, vendor, service.",

	"records":          "How much is kept of connections and of what was read.",
	"records.keep":     "How long records are kept.",
	"records.failed":   "How many records of connections that did not log in are kept. Older ones go first.",
	"records.activity": "How many records of files read and folders listed are kept.",

	"web": "Pages behind one-time links. Without a certificate they must be on loopback, " +
		"behind a proxy that has one.",
	"web.listen":   "Address to serve pages on: 127.0.0.1:8022. Empty: there are no pages.",
	"web.url":      "How partners reach the pages: https://files.example.com.",
	"web.tls_cert": "File of the certificate, if the server has one of its own.",
	"web.tls_key":  "File of the certificate's key. Both are read again when they change.",
	"web.proxies": "Proxies with a certificate on other machines. Then only they and this machine may send " +
		"requests in clear, and their X-Forwarded-For alone is believed. Empty: on loopback without a certificate, that of " +
		"this machine's proxy is.",

	"web.acme": "Certificates that the server orders and renews by itself, from an authority such as Let's Encrypt. The " +
		"authority must reach web.listen on port 443 of each domain.",
	"web.acme.domains":      "Domains to order certificates for: files.example.com. Empty: none are ordered.",
	"web.acme.accept_terms": "true: you have read and accept the authority's terms of service.",
	"web.acme.email":        "Whom the authority may write to. Empty: nobody.",
	"web.acme.directory":    "The authority's directory (RFC 8555).",
	"web.acme.ca":           "File of certificates to trust when the authority is asked, besides the system's.",
	"web.acme.http_listen": "Address to answer the authority's challenges on in clear: \":80\". It redirects people to " +
		"https. Empty: none.",

	"sign_in":          "How operators sign in to the pages at web.url.",
	"sign_in.password": "With a password and the code of an authenticator app.",
	"sign_in.passkeys": "With a passkey. web.url must be a name with https://.",
	"sign_in.idle":     "A session that nobody uses for so long ends.",
	"sign_in.longest":  "Every session ends after so long.",
	"sign_in.unused":   "Operators who do not sign in for so long are disabled. 0: never.",
	"sign_in.review": "How often the list of operators, tokens and keys is to be signed off: 6mo. \"status\" " +
		"reminds you. Empty: never.",
	"sign_in.sso":               "A single sign-on (OpenID Connect). It sends people back to web.url/sign-in/callback.",
	"sign_in.sso.issuer":        "Its address: https://login.example.com/realm. Empty: there is none.",
	"sign_in.sso.client_id":     "What it calls this server.",
	"sign_in.sso.client_secret": "The secret that it has given this server.",
	"sign_in.sso.name":          "What the button says: Example login.",
	"sign_in.sso.scopes":        "What it is asked for, besides openid.",
	"sign_in.sso.trust_email":   "It confirms every address although it does not send email_verified.",
	"sign_in.sso.claim":         "The claim that has a person's groups.",
	"sign_in.sso.roles": "The role of each group, in a file: {sftp-admins: admin, helpdesk: support}. Who is in several " +
		"has the most powerful. Empty: only people whom you invite may sign in, with the role of the invitation.",

	"metrics":        "Numbers for Prometheus.",
	"metrics.listen": "Address to serve /metrics and /healthz on: 127.0.0.1:9222. Empty: nowhere.",

	"mail":           "How mails are sent. Without a host none are.",
	"mail.host":      "The mail server.",
	"mail.port":      "Its port. 0: 587, or 465 with tls.",
	"mail.tls":       "starttls, tls or none.",
	"mail.ca":        "File of certificates to trust, besides the system's.",
	"mail.user":      "Name to log in with at the mail server. Empty: without log-in.",
	"mail.password":  "Password to log in with. SALLYPORT_MAIL_PASSWORD keeps it out of this file.",
	"mail.from":      "Address that mails come from.",
	"mail.reply_to":  "Address for answers. Empty: mail.from.",
	"mail.bounces":   "Address for delivery reports, sent to bounces+ID@…. Empty: they go to mail.from.",
	"mail.templates": "Folder of templates that replace the built-in ones. \"mail templates\" writes those.",
	"mail.language":  "Language of people for whom none is set: de, pt-BR. Own templates of a language are in its folder.",
	"mail.welcome":   "true: people are mailed what they need to connect when a user's first key works.",
	"mail.operators": "Addresses of operators, who are mailed about missing files and runs to confirm.",

	"webhooks":            "Events that are posted to programs of yours.",
	"webhooks.allow":      "Private networks where receivers may be. Empty: receivers must have public addresses.",
	"webhooks.allow_http": "true: receivers without TLS are allowed.",
	"webhooks.keep":       "How long sent webhook messages and mails are kept.",

	"inbox": "How received files are handled.",
	"expectations": "Files that are not as expected: flag marks them where they are listed, tell also tells " +
		"people, refuse refuses them.",
	"expectations.larger": "Files larger than an expectation's most bytes: flag, tell or refuse.",
	"expectations.later":  "Files that come after their deadline: flag, tell or refuse.",

	"inbox.lease":     "How long a claim lasts that does not say so itself.",
	"inbox.scanner":   "The consumer, such as a virus scanner, that must accept every file first. Empty: none.",
	"inbox.after_ack": "What happens to a file once it was accepted: keep, or move (to the folder processed).",

	"folder":        "A folder in which programs of this machine put files to be published.",
	"folder.dir":    "The folder. Empty: outbound, in the data folder.",
	"folder.every":  "How often it is looked into.",
	"folder.settle": "A file is published when it was unchanged for so long.",
	"folder.keep":   "How long published files stay in it.",

	"retention":          "How long files are kept, and how their removal is announced.",
	"retention.keep":     "How long files are kept that no other policy keeps: 12mo, 90d, 7y.",
	"retention.day":      "Day of the month of the run, from 1 to 28.",
	"retention.hour":     "Hour of the run, in UTC.",
	"retention.notice":   "How long before the run partners are told.",
	"retention.reminder": "How long before the run they are reminded.",
	"retention.close_access": "What the users of a closed account may do until then: read-only (log in and download) " +
		"or none.",
	"retention.after_close":    "How long the files of a closed account are kept.",
	"retention.require_notice": "true: files of an account that no notice reached are kept.",

	"audit":      "The audit log.",
	"audit.keep": "How long its rows are kept: 7y. Empty: without end.",
	"audit.checkpoints": "Where a signed checkpoint goes once a day: mail:ADDRESS, webhook:NAME or file:PATH. " +
		"It should be another machine, or another disk. " +
		"Beside a file, PATH.journal has at once what a restore must not bring back.",

	"backup":            "Reminders of backups: status says when one is due.",
	"backup.expected":   "Whether status says so even if no backup was ever made.",
	"backup.warn_after": "Age of the newest good backup from which status says so.",

	"traces": "Spans of OpenTelemetry traces: API requests, log-ins, stored files, webhooks, mails. " +
		"Off without an address.",
	"traces.endpoint": "URL of a collector, by OTLP over HTTP: https://otel.example.com:4318. Empty: no traces.",
	"traces.token":    "Bearer token for it.",
	"traces.ca":       "File of certificates to trust, besides the system's.",
	"traces.percent":  "How many of a hundred traces that begin here are kept. Others are as their beginning says.",

	"log":        "What the server writes to standard error.",
	"log.level":  "debug, info, warn or error.",
	"log.format": "text or json.",

	"sandbox": "on: the server confines itself to the files that it needs (Linux's Landlock), as far as the kernel can. " +
		"require: it does not start without. off: it does not.",

	"temporary_names": "Patterns of names that clients use while they write. A file counts when it is renamed.",
	"doubtful_names": "Patterns of names that may be temporary. " +
		"A file that keeps such a name for doubtful_grace counts.",
	"doubtful_grace": "See doubtful_names. 0s: at once.",
	"ignored_names":  "Patterns of files that programs leave in folders. They are stored, but not received or published.",
	"time_zone":      "Your time zone, and that of dated folders of feeds that have none of their own: Australia/Sydney.",

	"file_types": "What files of a type are called, and how their content begins. " +
		"An entry replaces the built-in type of its name.",
	"file_types.NAME.extensions": "Endings of names, besides the type's own name: [dat].",
	"file_types.NAME.begins":     "How content begins: [\"%PDF-\"], or [\"hex:504b0304\"]. Empty: it is not looked at.",
	"file_types.NAME.within":     "How many bytes may come before that.",
	"file_types.NAME.text":       "true: the content must be text.",

	"content_checks": "What is done with published content that is not what its name says: refuse, flag or off.",

	"templates":                   "The folders of new users, by kind: customer, vendor.",
	"templates.NAME.start_dir":    "The folder in which a session begins.",
	"templates.NAME.root":         "Rights in \"/\".",
	"templates.NAME.dirs":         "The folders.",
	"templates.NAME.dirs.path":    "Path of a folder.",
	"templates.NAME.dirs.rights":  "Rights in it: all, or some of read, write, list, delete, rename, mkdir.",
	"templates.NAME.dirs.staging": "true: files in it are received only when they are moved out.",
	"templates.NAME.feeds_may":    "What the user may do with delivered files: look, or remove.",
}
