package store

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// leastPrint is how many characters behind SHA256: a shortened fingerprint has at least, as in tables.
	leastPrint = 8
	// mostPrints is how many fingerprints a sentence lists.
	mostPrints = 5

	printHead = "SHA256:"
	printed   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// prints are the fingerprints that a shortened one may stand for.
var prints = map[string]string{
	model.NounKey: `(SELECT fingerprint FROM keys UNION SELECT fingerprint FROM pending_keys
		UNION SELECT fingerprint FROM burned_keys) k`,
	model.NounPendingKey: `(SELECT DISTINCT fingerprint FROM pending_keys) k`,
}

// knownKey returns the fingerprint that a shortened one stands for: with or without SHA256:, and with or without the
// ellipsis of tables. A whole one is returned as it is, since a key that nobody has can be blocked. Case matters: a
// wrong key must not be revoked.
func (q *Q) knownKey(kind, name string) (string, error) {
	const op = "store.Known"
	if valid.IsFingerprint(name) {
		return name, nil
	}
	short := strings.TrimSpace(name)
	if len(short) >= len(printHead) && strings.EqualFold(short[:len(printHead)], printHead) {
		short = short[len(printHead):]
	}
	short = strings.TrimRight(strings.TrimRight(short, "…."), "=")
	if strings.Trim(short, printed) != "" {
		return "", unknownKey(kind, "%q is no fingerprint of a key.", name)
	}
	if len(short) < leastPrint {
		return "", fault.E(op, fault.Invalid, "%q is too short for a fingerprint.", valid.Printable(name)).
			WithHint("give at least %d characters of what follows %s", leastPrint, printHead)
	}
	begins := printHead + short
	found, err := collect(q, "Known", scanString, `SELECT fingerprint FROM `+prints[kind]+`
		WHERE SUBSTR(fingerprint, 1, $2) = $1 ORDER BY fingerprint LIMIT $3`, begins, len(begins), mostPrints+1)
	switch {
	case err != nil:
		return "", err
	case len(found) == 1:
		return found[0], nil
	case len(found) > mostPrints:
		found = append(found[:mostPrints], "more")
	case len(found) == 0:
		if kind == model.NounPendingKey {
			return "", unknownKey(kind, "No key waits whose fingerprint begins with %q.", begins)
		}
		return "", unknownKey(kind, "No user has a key whose fingerprint begins with %q.", begins)
	}
	return "", fault.E(op, fault.Invalid, "Several keys have fingerprints that begin with %q: %s.", begins,
		strings.Join(found, ", ")).WithHint("give more of it")
}

// unknownKey is the error for a fingerprint that stands for no key.
func unknownKey(kind, text, name string) error {
	e := fault.E("store.Known", fault.NotFound, text, valid.Printable(name))
	if kind == model.NounPendingKey {
		return e.WithAction("list-pending-keys")
	}
	return e.WithAction("list-keys")
}
