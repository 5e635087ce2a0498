package model

import "slices"

// Role says what an operator or an API token may do. Duties has the table.
type Role string

// Roles.
const (
	RoleAdmin      Role = "admin"      // everything
	RoleOnboarding Role = "onboarding" // sets partners up
	RoleSupport    Role = "support"    // sees names and events; contents with a reason, which is recorded
	RolePublisher  Role = "publisher"  // a program that publishes files and works off the inbox
	RoleAuditor    Role = "auditor"    // sees everything but contents, and changes nothing
)

// Roles lists the roles, the most powerful first.
var Roles = []Role{RoleAdmin, RoleOnboarding, RoleSupport, RolePublisher, RoleAuditor}

// Duty is a row of the table of roles: operations of the API that belong together, and who may do
// them.
type Duty struct {
	Name       string // for people
	Roles      []Role // who may, besides RoleAdmin, who may do everything
	Reasoned   []Role // who may only with a reason, which is recorded
	Operations []string
}

// Duties is the table of roles. Every operation of the API is in one row, and nowhere else is it
// decided what a role may do.
var Duties = []Duty{
	{Name: "Know the server: its name, its keys, names that complete what is typed",
		Roles: []Role{RoleOnboarding, RoleSupport, RolePublisher, RoleAuditor},
		Operations: []string{"show-server", "check-health", "complete", "list-hostkeys", "show-rotation",
			"show-signing-key",
			"show-identity"}},
	{Name: "See feeds, deliveries and received files: names and states",
		Roles: []Role{RoleOnboarding, RoleSupport, RolePublisher, RoleAuditor},
		Operations: []string{"list-feeds", "show-feed", "list-sequences", "list-deliveries", "show-delivery",
			"delivery-receipt", "list-uncollected", "list-drops", "show-drop", "drop-receipt", "list-expectations"}},
	{Name: "See partners: accounts, users, contacts, keys, names of files, log-ins, mails",
		Roles: []Role{RoleOnboarding, RoleSupport, RoleAuditor},
		Operations: []string{"list-accounts", "show-account", "show-closing", "show-account-page", "list-vendors",
			"show-vendor", "list-users", "show-user", "show-user-page", "list-directories", "list-contacts",
			"show-contact", "list-keys", "show-key", "key-activity", "list-burned-keys", "list-pending-keys",
			"list-links", "list-notices", "list-notes", "list-announcements", "list-subscriptions", "list-files",
			"list-versions", "list-name-policies", "list-sessions", "list-hostkey-clients", "list-endpoints",
			"list-endpoint-uses", "list-bans", "explain", "trace", "find", "show-status", "list-messages",
			"show-message", "show-queue", "list-mail-kinds", "show-guide", "show-key-sheet", "show-sites",
			"list-policies", "forecast", "list-holds", "list-runs", "show-run", "list-run-files", "list-run-notices",
			"list-requests", "count-requests", "show-request", "judge-request", "list-moved-in"}},
	{Name: "Publish files", Roles: []Role{RolePublisher},
		Operations: []string{"publish", "begin-upload", "show-upload", "send-part", "cancel-upload", "withdraw-delivery"}},
	{Name: "Work off the inbox", Roles: []Role{RolePublisher},
		Operations: []string{"claim-drops", "ack-drop", "reject-drop", "renew-drop", "release-drop"}},
	{Name: "Fetch the content of received files", Roles: []Role{RolePublisher}, Reasoned: []Role{RoleSupport},
		Operations: []string{"fetch-drop"}},
	{Name: "Fetch the content of any file in a mailbox", Reasoned: []Role{RoleSupport}, Operations: []string{"get-file"}},
	{Name: "Help partners: notes, tags, bans, live sessions, keys that must stop, reminders, mails once more",
		Roles: []Role{RoleOnboarding, RoleSupport},
		Operations: []string{"add-note", "remove-note", "edit-tags", "lift-ban", "end-session", "freeze-key", "expose-keys",
			"done-notice", "note-told", "note-bounce", "report-bounce", "replay-message", "remind-accounts", "test-guide",
			"mail-link", "revoke-link"}},
	{Name: "Set partners up: requests, accounts, users, contacts, keys, links, folders, subscriptions",
		Roles: []Role{RoleOnboarding},
		Operations: []string{"add-account", "edit-account", "reopen-account", "add-vendor", "edit-vendor", "add-user",
			"edit-user", "rename-user", "add-directory", "edit-directory", "remove-directory", "apply-template", "add-contact",
			"edit-contact", "remove-contact", "contact-leaves", "add-keys", "edit-key", "approve-key", "refuse-key",
			"revoke-key", "thaw-key", "make-link", "subscribe", "edit-subscription", "unsubscribe", "import-partners",
			"preview-mail", "add-request", "approve-request", "ask-request", "reject-request", "withdraw-request",
			"assign-request", "remind-request"}},
	{Name: "Read the audit log; list webhooks, operators and tokens; see reviews",
		Roles: []Role{RoleAuditor},
		Operations: []string{"list-audit", "export-audit", "sample-audit", "stream-audit", "show-audit-status",
			"list-webhooks", "list-tokens", "show-token", "list-operators", "show-operator", "list-operator-sessions",
			"list-reviews", "show-review"}},
	{Name: "Move in from an old server, on this machine alone",
		Operations: []string{"begin-move-in", "end-move-in", "move-in"}},
	{Name: "Run the server: feeds, retention, rules, webhooks, announcements, operators, tokens; remove what is unused",
		Operations: []string{"remove-account", "remove-vendor", "remove-user", "add-feed", "edit-feed", "remove-feed",
			"set-sequence", "forget-sequence", "accept-gap", "clear-drops", "add-expectation", "remove-expectation",
			"put-file", "remove-file", "set-name-policy", "announce", "end-announcement", "add-webhook", "edit-webhook",
			"remove-webhook", "test-webhook", "replay-dead", "test-mail", "set-policy", "add-hold", "release-hold",
			"run-retention", "confirm-run", "cancel-run", "make-checkpoint", "add-token", "revoke-token", "add-operator",
			"edit-operator", "reset-operator", "disable-operator", "enable-operator", "remove-operator", "end-operator-session",
			"make-review", "sign-review", "first-operator", "rotate-hostkeys", "cancel-rotation", "add-endpoint",
			"edit-endpoint", "close-endpoint", "reload-server"}},
}

// DutyOf returns the row of the table of roles that has an operation; false if there is none.
func DutyOf(operation string) (Duty, bool) {
	for _, d := range Duties {
		if slices.Contains(d.Operations, operation) {
			return d, true
		}
	}
	return Duty{}, false
}

// May reports whether a role may do what a duty consists of, and whether it must give a reason.
func (d Duty) May(r Role) (may, reasoned bool) {
	switch {
	case r == RoleAdmin, slices.Contains(d.Roles, r):
		return true, false
	case slices.Contains(d.Reasoned, r):
		return true, true
	}
	return false, false
}

// Reasoned is part of an operation that gives somebody contents. Support must say why.
type Reasoned struct {
	Reason string `query:"reason" json:"-" maxLength:"200" doc:"Why the content is fetched; recorded. Support must say"`
}
