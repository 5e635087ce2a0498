package faults

import (
	"crypto/ed25519"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

type body = map[string]any

// changes are the operations of the API that change rows, by their operationId.
var changes = map[string]change{
	"add-account":  {request: asks("POST", "/accounts", body{"id": "{name}-b", "name": "B"}), again: fault.Exists},
	"edit-account": {request: asks("PATCH", "/accounts/{name}", body{"name": "B"})},
	"reopen-account": {begin: (*lossy).shut, request: asks("POST", "/accounts/{name}/reopen", nil),
		again: fault.Conflict},
	"remove-account": {begin: func(l *lossy) { l.does(asks("POST", "/accounts", body{"id": "{name}-t", "name": "T"})) },
		request: asks("DELETE", "/accounts/{name}-t", nil), again: fault.NotFound},
	"edit-vendor":   {begin: (*lossy).supplier, request: asks("PATCH", "/vendors/{name}", body{"name": "V2"})},
	"remove-vendor": {begin: (*lossy).supplier, request: asks("DELETE", "/vendors/{name}", nil), again: fault.NotFound},
	"rename-user":   {request: asks("POST", "/users/{name}/rename", body{"name": "{name}-r"}), again: fault.NotFound},
	"remove-user": {begin: func(l *lossy) {
		l.does(asks("POST", "/users", body{"account": "{name}", "name": "{name}-t"}))
	}, request: asks("DELETE", "/users/{name}-t", nil), again: fault.NotFound},
	"add-directory": {request: asks("POST", "/users/{name}/directories", folder), again: fault.Exists},
	"edit-directory": {begin: (*lossy).folder,
		request: asks("PATCH", "/users/{name}/directories", body{"path": "/in", "rights": []string{"list"}})},
	"remove-directory": {begin: (*lossy).folder, request: asks("DELETE", "/users/{name}/directories?path=/in", nil),
		again: fault.NotFound},
	"apply-template": {begin: func(l *lossy) {
		l.does(asks("PATCH", "/users/{name}/directories", body{"path": "/upload", "rights": []string{"list"}}))
	}, request: asks("POST", "/users/{name}/template", body{})},
	"remove-contact": {begin: func(l *lossy) {
		// A mail about the user's key would be a record of the contact.
		testkit.Eventually(l.t, "what the user's key led to is handed out",
			func() bool { return l.count("outbox WHERE tries = 0") == 0 })
		l.does(asks("POST", "/contacts", body{"account": "{name}", "name": "T", "email": "t-{name}@example.com"}))
	}, request: asks("DELETE", "/contacts/t-{name}@example.com", nil), again: fault.NotFound},
	"add-vendor": {request: asks("POST", "/vendors", body{"short": "{name}", "name": "V"}), again: fault.Exists},
	"add-user": {request: asks("POST", "/users", body{"account": "{name}", "name": "{name}-b"}),
		again: fault.Exists},
	"edit-user": {request: asks("PATCH", "/users/{name}", body{"quota_files": 10})},
	"move-in": {request: asks("POST", "/users/{name}/move-in", body{"run": "01RUN",
		"dirs": []body{{"path": []byte("/old"), "mtime": "2020-01-02T03:04:05Z"}}})},
	"import-partners": {request: asks("POST", "/partners/import", body{"vendors": []body{{"short": "{name}-v",
		"name": "V"}}})},
	// Without mails: contacts of later rows would get them, and could not be removed.
	"announce": {request: asks("POST", "/announcements", body{"all": true, "no_mail": true,
		"subject": "Work tonight for {name}",
		"text":    "From ten.",
		"until":   "2200-01-01T00:00:00Z", "from": "2199-12-31T00:00:00Z"}), again: fault.Exists},
	"end-announcement": {begin: (*lossy).announced, request: asks("DELETE", "/announcements/{id}", nil),
		again: fault.Conflict},
	"add-token": {request: asks("POST", "/tokens", body{"name": "{name}", "role": "auditor"}), again: fault.Exists},
	"revoke-token": {begin: func(l *lossy) {
		l.does(asks("POST", "/tokens", body{"name": "{name}-t", "role": "auditor"}))
	}, request: asks("DELETE", "/tokens/{name}-t", nil), again: fault.Conflict},
	"add-operator": {request: asks("POST", "/operators", body{"email": "{name}@example.net", "role": "support"}),
		again: fault.Exists},
	"first-operator": {begin: func(l *lossy) { l.insert("DELETE FROM passkeys"); l.nobody() },
		request: asks("POST", "/operators/first", nil), twice: true},
	"edit-operator": {begin: (*lossy).invited, request: asks("PATCH", "/operators/{name}-o@example.net",
		body{"role": "auditor"})},
	"reset-operator": {begin: (*lossy).invited, request: asks("POST", "/operators/{name}-o@example.net/reset", nil)},
	"disable-operator": {begin: (*lossy).invited, request: asks("POST", "/operators/{name}-o@example.net/disable",
		body{"reason": "away"}), again: fault.Conflict},
	"enable-operator": {begin: func(l *lossy) {
		l.invited()
		l.does(asks("POST", "/operators/{name}-o@example.net/disable", body{"reason": "away"}))
	}, request: asks("POST", "/operators/{name}-o@example.net/enable", nil), again: fault.Conflict},
	"remove-operator": {begin: (*lossy).invited, request: asks("DELETE", "/operators/{name}-o@example.net", nil),
		again: fault.NotFound},
	"end-operator-session": {begin: (*lossy).signedIn, request: asks("DELETE", "/operator-sessions/{name}-s", nil),
		again: fault.NotFound},
	"make-review": {request: asks("POST", "/reviews", nil), twice: true},
	"sign-review": {begin: (*lossy).reviewed, request: asks("POST", "/reviews/{id}/sign", body{"note": "fine"}),
		again: fault.Conflict},
	"add-request": {request: wish, again: fault.Exists},
	"approve-request": {begin: (*lossy).wished, request: asks("POST", "/requests/{id}/approve",
		body{"user_exists": true}), again: fault.Conflict},
	"ask-request": {begin: (*lossy).wished, request: asks("POST", "/requests/{id}/ask", body{"text": "Why?"}),
		twice: true},
	"remind-request": {begin: (*lossy).wished, request: asks("POST", "/requests/{id}/remind", nil), twice: true},
	"reject-request": {begin: (*lossy).wished, request: asks("POST", "/requests/{id}/reject", body{"reason": "No."}),
		again: fault.Conflict},
	"withdraw-request": {begin: (*lossy).wished, request: asks("POST", "/requests/{id}/withdraw",
		body{"reason": "They called."}), again: fault.Conflict},
	"assign-request": {begin: (*lossy).wished, request: asks("POST", "/requests/{id}/assign", body{"owner": "kim"}),
		again: fault.Exists},
	"add-note": {request: asks("POST", "/notes", body{"account": "{name}", "text": "Calls on Mondays."}),
		again: fault.Exists},
	"remove-note": {begin: (*lossy).note, request: asks("DELETE", "/notes/{id}", nil), again: fault.NotFound},
	"edit-tags":   {request: asks("POST", "/tags", body{"user": "{name}", "add": []string{"gold"}})},
	"add-contact": {request: asks("POST", "/contacts",
		body{"account": "{name}", "name": "B", "email": "b-{name}@example.com"}), again: fault.Exists},
	"edit-contact":   {begin: (*lossy).person, request: asks("PATCH", "/contacts/{id}", body{"phone": "1"})},
	"contact-leaves": {begin: (*lossy).person, request: asks("POST", "/contacts/{id}/leave", nil), again: fault.Conflict},
	"note-bounce":    {request: asks("POST", "/mail/bounces", body{"address": "{name}@example.com", "why": "550"})},

	"report-bounce": {begin: (*lossy).mailed, request: asks("POST", "/mail/reports",
		body{"messages": []string{"{id}"}, "failures": []body{{"address": "{name}@example.com", "why": "550"}}})},

	"add-keys": {request: asks("POST", "/users/{name}/keys", body{"text": publicKey("other")}),
		begin: (*lossy).forgetOther, again: fault.Exists},
	"edit-key": {request: asks("PATCH", "/users/{name}/keys",
		body{"fingerprint": "{print}", "holder": "{name}@example.com"})},
	"approve-key": {begin: (*lossy).pending,
		request: asks("POST", "/users/{name}/keys/approve", body{"fingerprint": "{id}"}), again: fault.NotFound},
	"refuse-key": {begin: (*lossy).pending, request: asks("DELETE", "/users/{name}/keys/pending?fingerprint={id}", nil),
		again: fault.NotFound},
	"freeze-key": {request: asks("POST", "/keys/freeze", body{"fingerprint": "{print}", "by": "{name}@example.com"}),
		again: fault.Conflict},
	"thaw-key": {begin: (*lossy).frozen,
		request: asks("POST", "/keys/thaw", body{"fingerprint": "{print}", "by": "b-{name}@example.com"}),
		again:   fault.Conflict},
	"revoke-key": {request: asks("POST", "/keys/revoke",
		body{"fingerprint": "{print}", "reason": "lost", "burn": true})},
	"expose-keys": {request: exposed},
	"lift-ban": {begin: (*lossy).banned, request: asks("DELETE", "/bans?address=203.0.113.9", nil),
		again: fault.NotFound},
	"make-link": {request: asks("POST", "/links",
		body{"kind": "verify", "contact": "{name}@example.com", "token": "{token}"}), again: fault.Exists},
	"mail-link": {begin: (*lossy).link, twice: true,
		request: asks("POST", "/links/{id}/mail", body{"secret": "{secret}"})},
	"revoke-link": {begin: (*lossy).link, request: asks("DELETE", "/links/{id}", nil), again: fault.Conflict},
	"done-notice": {begin: (*lossy).notice, request: asks("POST", "/notices/{id}/done", nil), again: fault.NotFound},
	"put-file":    {request: file("PUT")},
	"remove-file": {begin: func(l *lossy) { l.does(file("PUT")) }, request: file("DELETE"), again: fault.NotFound},
	"claim-drops": {begin: (*lossy).arrived, passes: true,
		request: asks("POST", "/inbox/claims", body{"consumer": "erp", "user": "{name}"})},
	"ack-drop": {begin: (*lossy).claimed, request: asks("POST", "/inbox/{id}/ack", body{"claim": "{claim}"}),
		again: fault.Conflict},
	"reject-drop": {begin: (*lossy).claimed,
		request: asks("POST", "/inbox/{id}/reject", body{"claim": "{claim}", "reason": "no header"}), again: fault.Conflict},
	"clear-drops": {begin: (*lossy).unscanned,
		request: asks("POST", "/inbox/clear", body{"reason": "the scanner was retired"})},
	"release-drop": {begin: (*lossy).claimed, request: asks("POST", "/inbox/{id}/release", body{"claim": "{claim}"}),
		again: fault.Conflict},
	"renew-drop": {begin: (*lossy).claimed,
		request: asks("POST", "/inbox/{id}/renew", body{"claim": "{claim}", "lease": "1h"})},

	"add-feed":    {request: asks("POST", "/feeds", body{"name": "{name}-b", "kind": "cdr"}), again: fault.Exists},
	"edit-feed":   {request: asks("PATCH", "/feeds/{name}", body{"kind": "invoice"})},
	"remove-feed": {request: asks("DELETE", "/feeds/{name}", nil), again: fault.NotFound},
	"subscribe": {request: asks("POST", "/feeds/{name}/subscriptions", body{"user": "{name}"}),
		again: fault.Exists},
	"edit-subscription": {begin: (*lossy).subscribed,
		request: asks("PATCH", "/feeds/{name}/subscriptions/{name}", body{"mail": "daily"})},
	"unsubscribe": {begin: (*lossy).subscribed, request: asks("DELETE", "/feeds/{name}/subscriptions/{name}", nil),
		again: fault.NotFound},
	"publish": {begin: (*lossy).subscribed, request: publication},
	"withdraw-delivery": {begin: (*lossy).published,
		request: asks("POST", "/deliveries/{id}/withdraw", body{"reason": "a mistake"}), again: fault.Conflict},
	"remind-accounts": {begin: (*lossy).published, request: asks("POST", "/deliveries/remind", body{"account": "{name}"})},

	"set-sequence": {request: asks("PUT", "/feeds/{name}/sequences", body{"next": 5})},
	"accept-gap": {begin: (*lossy).gap,
		request: asks("POST", "/feeds/{name}/sequences/accept", body{"from": 2, "to": 3, "reason": "never sent"}),
		again:   fault.NotFound},
	"forget-sequence": {begin: (*lossy).counted, request: asks("DELETE", "/feeds/{name}/sequences", nil),
		again: fault.NotFound},
	"set-name-policy": {request: asks("PUT", "/names", body{"user": "{name}", "temporary": []string{"*.wip"}})},

	"add-expectation": {request: asks("POST", "/expectations", expected), again: fault.Exists},
	"remove-expectation": {begin: func(l *lossy) { l.does(asks("POST", "/expectations", expected)) },
		request: asks("DELETE", "/expectations/{name}", nil), again: fault.NotFound},
	"add-webhook":  {request: asks("POST", "/webhooks", receiver), again: fault.Exists},
	"edit-webhook": {begin: (*lossy).webhook, request: asks("PATCH", "/webhooks/{name}", body{"enabled": false})},
	"remove-webhook": {begin: (*lossy).webhook, request: asks("DELETE", "/webhooks/{name}", nil),
		again: fault.NotFound},
	"test-webhook": {begin: (*lossy).webhook, request: asks("POST", "/webhooks/{name}/test", nil), twice: true},
	"replay-message": {begin: (*lossy).deadMessage, request: asks("POST", "/messages/{id}/replay", nil),
		again: fault.NotFound},
	"replay-dead": {begin: (*lossy).deadMessage, request: asks("POST", "/messages/replay", body{"target": "{name}"}),
		twice: true},

	"set-policy": {request: asks("PUT", "/retention/policies", body{"user": "{name}", "keep": "7y"})},
	"add-hold": {request: asks("POST", "/retention/holds",
		body{"kind": "user", "target": "{name}", "reason": "a dispute"}), twice: true},
	"release-hold": {begin: (*lossy).held, request: asks("DELETE", "/retention/holds/{id}", nil),
		again: fault.NotFound},
	"run-retention": {request: asks("POST", "/retention/runs", nil)},
	"confirm-run": {begin: (*lossy).planned, request: asks("POST", "/retention/runs/{id}/confirm", nil),
		again: fault.Conflict},
	"cancel-run": {begin: (*lossy).planned,
		request: asks("POST", "/retention/runs/{id}/cancel", body{"reason": "too early"}), again: fault.Conflict},
	"note-told": {begin: (*lossy).planned, request: asks("POST", "/retention/runs/{id}/told/{name}", nil),
		again: fault.NotFound},
	"add-endpoint": {request: opened("{name}"), again: fault.Exists},
	"edit-endpoint": {begin: func(l *lossy) { l.does(opened("{name}-e")) },
		request: asks("PATCH", "/endpoints/{name}-e", body{"note": "until they upgrade"})},
	"close-endpoint": {begin: func(l *lossy) { l.does(opened("{name}-c")) },
		request: asks("DELETE", "/endpoints/{name}-c", nil), again: fault.Conflict},
	"rotate-hostkeys": {begin: (*lossy).unrotated,
		request: asks("POST", "/hostkeys/rotation", body{"no_mail": true, "types": []string{"ed25519"}}),
		again:   fault.Exists},
	"cancel-rotation": {begin: func(l *lossy) {
		l.unrotated()
		l.does(asks("POST", "/hostkeys/rotation", body{"no_mail": true, "types": []string{"ed25519"}}))
	}, request: asks("DELETE", "/hostkeys/rotation", nil), again: fault.NotFound},
	"make-checkpoint": {request: asks("POST", "/audit/checkpoint", nil)},
}

var (
	expected = body{"name": "{name}", "user": "{name}", "days": "daily", "by": "06:00", "zone": "Europe/Berlin"}
	folder   = body{"path": "/in", "rights": []string{"all"}}
	receiver = body{"name": "{name}", "url": "https://127.0.0.1:9/hook"}
)

// namedKey is the same key each time.
func namedKey(name string) ssh.Signer {
	seed := sha256.Sum256([]byte(name))
	k, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		panic(err)
	}
	return k
}

// publicKey is its line.
func publicKey(name string) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(namedKey(name).PublicKey())))
}

func exposed(l *lossy) client.Request {
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(l.key.PublicKey())))
	return client.Request{Method: "POST", Path: "/keys/exposed", Body: body{"user": l.name,
		"files": []body{{"format": "openssh", "public": line, "proven": true}}}}
}

func file(method string) func(l *lossy) client.Request {
	return func(l *lossy) client.Request {
		r := client.Request{Method: method, Path: "/users/" + l.name + "/files/content",
			Query: url.Values{"path": {"/download/f.csv"}}}
		if method == "PUT" {
			r.Body, r.Size = strings.NewReader("a file"), 6
		}
		return r
	}
}

func publication(l *lossy) client.Request {
	return client.Request{Method: "PUT", Path: "/feeds/" + l.name + "/publications/f.csv",
		Query: url.Values{"all": {"true"}}, Header: http.Header{"Idempotency-Key": {l.name}},
		Body: strings.NewReader("a file"), Size: 6}
}

// does sends a request that must succeed.
func (l *lossy) does(request func(l *lossy) client.Request) {
	l.t.Helper()
	testkit.Must(l.t, l.send(change{request: request}))
}

// answered sends one and returns what it is answered with.
func answered[T any](l *lossy, method, path string, b any) T {
	l.t.Helper()
	r := asks(method, path, b)(l)
	return testkit.Call[T](l.Node, r.Method, r.Path, r.Body)
}

// opened opens a listener with old algorithms.
func opened(name string) func(l *lossy) client.Request {
	return func(l *lossy) client.Request {
		return asks("POST", "/endpoints", body{"name": name, "listen": "127.0.0.1:" + testkit.FreePort(l.t),
			"allow_ips": []string{"127.0.0.1"}, "until": time.Now().Add(time.Hour)})(l)
	}
}

// unrotated takes a rotation of host keys back, if one is under way.
func (l *lossy) unrotated() {
	l.t.Helper()
	err := l.send(change{request: asks("DELETE", "/hostkeys/rotation", nil)})
	if err != nil && !fault.Is(err, fault.NotFound) {
		l.t.Fatal(err)
	}
}

// insert makes a row that no request makes.
func (l *lossy) insert(query string, args ...any) {
	l.t.Helper()
	_, err := l.db.Exec(query, args...)
	testkit.Must(l.t, err)
}

func (l *lossy) person() {
	l.id = answered[model.Page[model.Contact]](l, "GET", "/contacts?of={name}", nil).Items[0].ID
}

func (l *lossy) shut() { l.does(asks("PATCH", "/accounts/{name}", body{"state": "closed"})) }

func (l *lossy) supplier() { l.does(asks("POST", "/vendors", body{"short": "{name}", "name": "V"})) }

func (l *lossy) folder() { l.does(asks("POST", "/users/{name}/directories", folder)) }

func (l *lossy) note() {
	l.id = answered[model.Note](l, "POST", "/notes", body{"account": "{name}", "text": "Calls on Mondays."}).ID
}

// wish records a request for access.
func wish(l *lossy) client.Request {
	return asks("POST", "/requests", body{"first_name": "Jo", "last_name": "Hill", "email": "{name}@wish.example",
		"company": "C", "account_number": l.name, "key": publicKey("wish " + l.name), "channel": "phone",
		"verified": "called back"})(l)
}

func (l *lossy) wished() {
	r := wish(l)
	l.id = testkit.Call[model.Request](l.Node, r.Method, r.Path, r.Body).Reference
}

func (l *lossy) invited() {
	l.does(asks("POST", "/operators", body{"email": "{name}-o@example.net", "role": "support"}))
}

// nobody removes all operators.
func (l *lossy) nobody() {
	l.insert("DELETE FROM operator_sessions")
	l.insert("DELETE FROM operators")
}

// signedIn is an operator whose browser is signed in.
func (l *lossy) signedIn() {
	l.invited()
	l.insert(`INSERT INTO operator_sessions (id, hash, operator_id, method, address, agent, created_at, seen_at, ends_at,
		ended_by) SELECT $1, $1, id, 'passkey', '', '', 1, 1, 4102444800000000, '' FROM operators WHERE email = $2`,
		l.name+"-s", l.name+"-o@example.net")
}

func (l *lossy) reviewed() { l.id = answered[model.Review](l, "POST", "/reviews", nil).ID }

func (l *lossy) announced() {
	l.id = answered[model.Announced](l, "POST", "/announcements", body{"all": true, "no_mail": true,
		"subject": "Work for {name}",
		"text":    "From ten.", "until": "2200-01-01T00:00:00Z", "from": "2199-12-31T00:00:00Z"}).Announcement.ID
}

func (l *lossy) forgetOther() {
	l.insert("DELETE FROM keys WHERE fingerprint = $1", ssh.FingerprintSHA256(namedKey("other").PublicKey()))
}

func (l *lossy) pending() {
	k := namedKey(l.name).PublicKey()
	l.id = ssh.FingerprintSHA256(k)
	l.insert(`INSERT INTO pending_keys (user_id, fingerprint, type, bits, public, address, client, first_at, last_at,
		times)
		SELECT id, $1, 'ssh-ed25519', 256, $2, '203.0.113.9', 'SSH-2.0-x', 0, 0, 1 FROM users WHERE name = $3`, l.id,
		publicKey(l.name), l.name)
}

func (l *lossy) frozen() {
	l.does(asks("POST", "/contacts", body{"account": "{name}", "name": "B", "email": "b-{name}@example.com"}))
	l.does(asks("POST", "/keys/freeze", body{"fingerprint": "{print}", "by": "{name}@example.com"}))
}

func (l *lossy) banned() {
	l.insert(`INSERT INTO bans (address, since, until, failures, refused, reason)
		VALUES ('203.0.113.9', 0, 9000000000000000, 1, 0, 'x')
		ON CONFLICT DO NOTHING`)
}

func (l *lossy) link() {
	l.id = answered[model.Link](l, "POST", "/links",
		body{"kind": "verify", "contact": "{name}@example.com", "token": "{token}"}).ID
}

func (l *lossy) notice() {
	l.id = l.name
	l.insert(`INSERT INTO notices (id, at, kind, user_id, fingerprint, mark, roles, text) SELECT $1, 0, 'x', id, '', '',
		'[]', 'x' FROM users WHERE name = $1`, l.id)
}

func (l *lossy) arrived() {
	c := l.SFTP(l.name, l.key)
	testkit.Must(l.t, put(c, "/upload/f.csv", []byte("a file")))
}

func (l *lossy) unscanned() {
	l.arrived()
	l.insert(`UPDATE drops SET state = 'unscanned', cleared = 0, scanner = 'clam'
		WHERE user_id = (SELECT id FROM users WHERE name = $1)`, l.name)
}

func (l *lossy) claimed() {
	l.arrived()
	d := answered[[]model.Drop](l, "POST", "/inbox/claims", body{"consumer": "erp", "user": "{name}"})[0]
	l.id, l.claim = d.ID, d.Claim
}

func (l *lossy) subscribed() {
	l.does(asks("POST", "/feeds/{name}/subscriptions", body{"user": "{name}"}))
}

func (l *lossy) published() {
	l.subscribed()
	l.does(publication)
	l.id = answered[model.Page[model.Delivery]](l, "GET", "/deliveries?account={name}", nil).Items[0].ID
}

// counted has counted up to 3 in a feed's numbers, and gap has missed 2 and 3.
func (l *lossy) counted() { l.does(asks("PUT", "/feeds/{name}/sequences", body{"next": 4})) }

func (l *lossy) gap() {
	l.insert(`INSERT INTO feed_sequences (feed, account_id, last, missing) VALUES ($1, '', 4, '[{"from": 2, "to": 3}]')`,
		l.name)
}

func (l *lossy) webhook() { l.does(asks("POST", "/webhooks", receiver)) }

func (l *lossy) deadMessage() {
	l.webhook()
	l.id = l.name
	l.insert(`INSERT INTO messages (id, channel, target, event_id, kind, ref, contact_id, subject, body, html, state,
		attempts, error, created_at)
		VALUES ($1, 'webhook', $1, $1, 'test', '', '', '', '{}', '', 'dead', 5, 'x', 0)`, l.name)
}

func (l *lossy) mailed() {
	l.id = l.name
	l.insert(`INSERT INTO messages (id, channel, target, event_id, kind, ref, contact_id, subject, body, html, state,
		attempts, error, created_at)
		VALUES ($1, 'mail', $2, '', 'test', '', '', '', '', '', 'sent', 1, '', $3)`, l.name, l.name+"@example.com",
		time.Now().UnixMicro())
}

func (l *lossy) held() {
	l.id = answered[model.Hold](l, "POST", "/retention/holds",
		body{"kind": "user", "target": "{name}", "reason": "a dispute"}).ID
}

func (l *lossy) planned() {
	l.id = l.name
	l.insert(`INSERT INTO retention_runs (id, kind, account_id, due_at, state, confirm, confirmed_by, created_at, files,
		bytes, removed_files, removed_bytes, report, list_key, planner)
		VALUES ($1, 'regular', '', 9000000000000000, 'announced', 'x', '', 0, 0, 0, 0, 0, '', '', '')`, l.id)
	l.insert(`INSERT INTO retention_notices (id, run_id, account_id, mark, at, text, told_by)
		VALUES ($1, $1, $1, 'first', 0, 'x', '')`, l.id)
}
