package connection

import (
	"cmp"

	"github.com/sallyport-sftp/sallyport/model"
)

// short are the words for a reason in a list or in the middle of a sentence.
var short = map[string]string{
	model.ReasonOK:             "logged in",
	model.ReasonNoKeyOffered:   "no key was offered",
	model.ReasonPassword:       "a password was tried",
	model.ReasonUnknownUser:    "there is no such user",
	model.ReasonUnknownKey:     "nobody has the key",
	model.ReasonOtherUsersKey:  "the key is another user's",
	model.ReasonKeyRevoked:     "the key is revoked",
	model.ReasonKeyExpired:     "the key has expired",
	model.ReasonKeyBurned:      "the key is blocked: its private half was exposed",
	model.ReasonKeyPending:     "the key waits for your word",
	model.ReasonKeyReplaced:    "the key was replaced",
	model.ReasonKeyFrozen:      "the key is frozen",
	model.ReasonNotSigned:      "the key was not unlocked",
	model.ReasonBadSignature:   "the signature was wrong",
	model.ReasonBanned:         "the address was banned",
	model.ReasonUserDisabled:   "the user is disabled",
	model.ReasonSuspended:      "the account is suspended",
	model.ReasonClosed:         "the account is closed",
	model.ReasonAddress:        "the address is not on the list",
	model.ReasonTooMany:        "too many sessions",
	model.ReasonWeakAlgorithm:  "the signature is of a kind that is not taken",
	model.ReasonNoAlgorithm:    "no algorithm in common",
	model.ReasonTimeout:        "the log-in took too long",
	model.ReasonSecondRequest:  "a second log-in on one connection",
	model.ReasonTooManyTries:   "too many keys were offered",
	model.ReasonProtocol:       "broken off before the log-in, or not SSH",
	model.ReasonSilent:         "a port check",
	model.ReasonNoSFTP:         "something other than SFTP was asked for",
	model.ReasonDirectory:      "refused in a directory",
	model.ReasonQuota:          "an upload did not fit",
	model.ReasonSlowed:         "slowed down",
	model.ReasonUnread:         "more was sent than was read",
	model.ReasonChannels:       "too many channels",
	model.ReasonServerOverload: "the server was overloaded",
	model.ReasonUnavailable:    "the database could not be asked",
}

// Words returns the words for a reason code.
func Words(reason string) string { return cmp.Or(short[reason], reason) }
