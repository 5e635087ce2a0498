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
	"add-contact": {{"roles", "contact add {account|ACCOUNT} --name N --email E --role {roles}"},
		{"", "contact add {account|ACCOUNT} --name N --email E"}},
	"add-keys": {{"confirmed_by", "key add {user|USER} FILE --confirmed-by CONTACT"},
		{"origin", "key issue {user|USER} --out DIR"},
		{"issue", "key add {user} FILE, or: sallyport key issue {user} --out DIR"}, {"", "key add {user|USER} FILE"}},
	"add-user":       {{"", "user add --account {account|ACCOUNT}"}},
	"clear-drops":    {{"", "inbox clear --reason R"}},
	"confirm-run":    {{"", "retention confirm {run|RUN}"}},
	"contact-leaves": {{"", "contact leave {contact|CONTACT}"}},
	"edit-account": {{"state", "account reinstate {account|ACCOUNT}"}, {"close", "account close {account}"},
		{"keep_bytes", "account set {account} --keep SIZE"}, {"keep_items", "account set {account} --keep-items NUMBER"}},
	"edit-contact":     {{"email", "contact set {contact|CONTACT} --email ADDRESS"}},
	"edit-directory":   {{"", "user dir set {user} {path} --rights RIGHTS"}},
	"list-directories": {{"", "user dir list {user}"}},
	"reopen-account":   {{"", "account reopen {account|ACCOUNT}"}},
	"edit-feed": {{"checks", "feed set {name|FEED} --checks {checks}"},
		{"recipients", "feed set {name|FEED} --recipient ACCOUNT"}},
	"edit-key":         {{"", "key set {user} {fingerprint} --flag ''"}},
	"edit-webhook":     {{"rotate_secret", "webhook set {name} --rotate-secret"}},
	"explain":          {{"", "explain {about|USER}"}},
	"forecast":         {{"", "retention forecast"}},
	"lift-ban":         {{"", "unban {address|ADDRESS}"}},
	"list-accounts":    {{"", "account list"}},
	"list-bans":        {{"", "ban list"}},
	"list-burned-keys": {{"", "key burned"}},
	"list-contacts":    {{"", "contact list {account}"}},
	"list-deliveries": {{"account", "delivery list --account {account} --uncollected {uncollected|3d}"},
		{"", "delivery list --uncollected {uncollected|3d}"}},
	"list-drops":        {{"state", "inbox list --state {state}"}, {"", "inbox list"}},
	"list-expectations": {{"", "expect list"}},
	"list-feeds":        {{"", "feed list"}},
	"list-files":        {{"", "files ls {user|USER} {path}"}},
	"list-messages":     {{"", "message list --state {state|dead}"}},
	"list-notices":      {{"", "notice list"}},
	"list-keys":         {{"", "key list {user|USER}"}},
	"list-links":        {{"", "link list"}},
	"list-mail-kinds":   {{"", "mail kinds"}},
	"list-pending-keys": {{"", "key pending {user}"}},
	"list-requests":     {{"late", "request list --late"}, {"", "request list"}},
	"show-request":      {{"", "request show {request|REFERENCE}"}},
	"remind-request":    {{"", "request remind {request|REFERENCE}"}},
	"ask-request":       {{"", "request ask {request|REFERENCE} QUESTION"}},
	"approve-request": {{"create_account", "request approve {request|REFERENCE} --create-account"},
		{"", "request approve {request|REFERENCE}"}},
	"list-runs":              {{"", "retention runs"}},
	"list-sessions":          {{"", "session list"}},
	"list-sequences":         {{"", "feed sequence list {feed|FEED}"}},
	"list-tokens":            {{"", "token list"}},
	"first-operator":         {{"", "operator first"}},
	"list-operators":         {{"", "operator list"}},
	"show-operator":          {{"", "operator show {email|EMAIL}"}},
	"disable-operator":       {{"", "operator disable {email|EMAIL} --reason R"}},
	"list-operator-sessions": {{"", "operator sessions"}},
	"make-review":            {{"", "review make"}},
	"list-reviews":           {{"", "review list"}},
	"show-token":             {{"", "token show {name|NAME}"}},
	"list-users":             {{"", "user list"}},
	"list-vendors":           {{"", "vendor list"}},
	"list-webhooks":          {{"", "webhook list"}},
	"list-endpoints":         {{"", "endpoint list"}},
	"cancel-rotation":        {{"", "hostkey cancel"}},
	"list-endpoint-uses":     {{"", "endpoint uses {endpoint|NAME} --needing"}},
	"make-link":              {{"kind", "contact verify {contact|CONTACT}"}},
	"note-bounce":            {{"", "mail bounce ADDRESS"}},
	"remove-expectation":     {{"", "expect remove {name|NAME}"}},
	"revoke-key":             {{"", "key revoke {fingerprint|FINGERPRINT} --reason R"}},
	"show-account":           {{"", "account show {account|ACCOUNT}"}},
	"show-audit-status":      {{"", "audit status"}},
	"show-delivery":          {{"", "delivery show {id|ID}"}},
	"show-drop":              {{"", "inbox show {id|ID}"}},
	"show-feed":              {{"", "feed show {name|FEED}"}},
	"show-message":           {{"", "message show {id|ID}"}},
	"show-queue":             {{"", "message queue"}},
	"show-run":               {{"", "retention show {run|RUN}"}},
	"show-signing-key":       {{"", "receipt key"}},
	"subscribe":              {{"", "feed subscribe {feed|FEED} {user|USER}"}},
	"show-user":              {{"", "user show {user|USER}"}},
	"show-vendor":            {{"", "vendor show {vendor|VENDOR}"}},
	"trace": {{"account", "trace {about} --exact --account {account|ACCOUNT}"},
		{"", "trace {about|NAME}"}},
	"thaw-key":    {{"", "key thaw {fingerprint|FINGERPRINT} --by CONTACT"}},
	"unsubscribe": {{"", "feed unsubscribe {feed} {user}"}},
	"edit-user": {{"enabled", "user enable {user|USER}"}, {"disable", "user disable {user}"},
		{"start_dir", "user set {user} --start-dir PATH"}, {"quota_bytes", "user set {user} --quota SIZE"},
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
