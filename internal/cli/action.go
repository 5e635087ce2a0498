package cli

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/model"
)

// offer is a command for an operation. {name} in the command stands for a value of the action, and
// is left out if there is none. {name|WORD} stands for the value, or WORD if there is none.
type offer struct {
	when    string // the offer is for actions that have this value; "": for any action
	command string
}

// offers are the commands for the server's suggested actions, by operation. The first that fits is
// used.
var offers = map[string][]offer{
	"add-contact": {{"", "contact add {account|ACCOUNT} --name N --email E"}},
	"add-keys": {{"confirmed_by", "key add {user|USER} FILE --confirmed-by CONTACT"},
		{"issue", "key add {user} FILE, or: sallyport key issue {user} --out DIR"}, {"", "key add {user|USER} FILE"}},
	"clear-drops":  {{"", "inbox clear --reason R"}},
	"edit-account": {{"state", "account reinstate {account|ACCOUNT}"}},
	"edit-feed": {{"checks", "feed set {name|FEED} --checks {checks}"},
		{"recipients", "feed set {name|FEED} --recipient ACCOUNT"}},
	"edit-key":           {{"", "key set {user} {fingerprint} --flag ''"}},
	"edit-webhook":       {{"rotate_secret", "webhook set {name} --rotate-secret"}},
	"lift-ban":           {{"", "unban {address|ADDRESS}"}},
	"list-accounts":      {{"", "account list"}},
	"list-bans":          {{"", "ban list"}},
	"list-contacts":      {{"", "contact list {account}"}},
	"list-drops":         {{"", "inbox list"}},
	"list-feeds":         {{"", "feed list"}},
	"list-keys":          {{"", "key list {user|USER}"}},
	"list-links":         {{"", "link list"}},
	"list-pending-keys":  {{"", "key pending {user}"}},
	"list-runs":          {{"", "retention runs"}},
	"list-sessions":      {{"", "session list"}},
	"list-users":         {{"", "user list"}},
	"list-vendors":       {{"", "vendor list"}},
	"list-webhooks":      {{"", "webhook list"}},
	"make-link":          {{"kind", "contact verify {contact|CONTACT}"}},
	"note-bounce":        {{"", "mail bounce ADDRESS"}},
	"remove-expectation": {{"", "expect remove {name|NAME}"}},
	"revoke-key":         {{"", "key revoke {fingerprint|FINGERPRINT} --reason R"}},
	"show-feed":          {{"", "feed show {name|FEED}"}},
	"show-signing-key":   {{"", "receipt key"}},
	"subscribe":          {{"", "feed subscribe {feed|FEED} {user|USER}"}},
	"thaw-key":           {{"", "key thaw {fingerprint|FINGERPRINT} --by CONTACT"}},
	"unsubscribe":        {{"", "feed unsubscribe {feed} {user}"}},
	"edit-user": {{"enabled", "user enable {user|USER}"}, {"quota_bytes", "user set {user} --quota SIZE"},
		{"quota_files", "user set {user} --quota-files NUMBER"}, {"keep_bytes", "user set {user} --keep SIZE"},
		{"keep_items", "user set {user} --keep-items NUMBER"}},
}

// commandFor returns the command for an action; "" if a is nil or has no command.
func commandFor(a *model.Action) string {
	if a == nil {
		return ""
	}
	for _, o := range offers[a.Operation] {
		if _, asked := a.Values[o.when]; o.when == "" || asked {
			return "sallyport " + fill(o.command, a.Values)
		}
	}
	return ""
}

func fill(command string, values map[string]string) string {
	var words []string
	for _, word := range strings.Fields(command) {
		name, isValue := strings.CutPrefix(word, "{")
		if !isValue {
			words = append(words, word)
			continue
		}
		name, fallback, _ := strings.Cut(strings.TrimSuffix(name, "}"), "|")
		if v := values[name]; v != "" {
			fallback = shellQuote(v)
		}
		if fallback != "" {
			words = append(words, fallback)
		}
	}
	return strings.Join(words, " ")
}

// nextStep joins a hint and the command for an action.
func nextStep(hint string, a *model.Action) string {
	command := commandFor(a)
	switch {
	case command == "":
		return hint
	case hint == "" && strings.HasPrefix(a.Operation, "list-"):
		return "list them with: " + command
	case hint == "":
		return command
	}
	return strings.TrimSuffix(hint, ".") + ": " + command
}
