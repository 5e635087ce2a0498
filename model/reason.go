package model

// Reasons are fixed codes for how a connection ended. They are used in connection records, logs and
// explanations. They are not shown to the client.
const (
	ReasonOK             = "ok"              // logged in and ended normally
	ReasonNoKeyOffered   = "no_key_offered"  // ended after "none": probably set up for a password
	ReasonPassword       = "password_tried"  // a password or keyboard-interactive was tried
	ReasonUnknownUser    = "unknown_user"    //
	ReasonUnknownKey     = "unknown_key"     // nobody has this key
	ReasonOtherUsersKey  = "other_users_key" // somebody else has it
	ReasonKeyRevoked     = "key_revoked"     //
	ReasonKeyExpired     = "key_expired"     //
	ReasonKeyBurned      = "key_burned"      // blocked: its private half was exposed
	ReasonKeyPending     = "key_pending"     // waits for an operator's word
	ReasonKeyReplaced    = "key_replaced"    // retired by its successor
	ReasonKeyFrozen      = "key_frozen"      // frozen on a contact's request
	ReasonNotSigned      = "not_signed"      // the key is right, but nothing was signed: perhaps no passphrase given
	ReasonBadSignature   = "bad_signature"   // the key is right, but the signature is not
	ReasonBanned         = "banned"          // too many failures from the address
	ReasonUserDisabled   = "user_disabled"   //
	ReasonSuspended      = "account_suspended"
	ReasonClosed         = "account_closed"
	ReasonAddress        = "address_not_allowed"
	ReasonTooMany        = "too_many_sessions"
	ReasonWeakAlgorithm  = "weak_algorithm" // only SHA-1 signatures, or a key type not taken
	ReasonNoAlgorithm    = "no_common_algorithm"
	ReasonTimeout        = "timed_out"     // before log-in
	ReasonSecondRequest  = "second_log_in" // asked to begin the log-in again on the same connection
	ReasonTooManyTries   = "too_many_tries"
	ReasonProtocol       = "protocol_error"        // not SSH, or broken SSH
	ReasonSilent         = "said_nothing"          // a port check
	ReasonNoSFTP         = "sftp_not_asked"        // shell, exec or another subsystem, and nothing else
	ReasonDirectory      = "directory_not_allowed" // logged in, and refused in a directory
	ReasonQuota          = "quota_full"            // logged in, and the mailbox was full
	ReasonSlowed         = "slowed_down"           // logged in, and past the budget of changes
	ReasonUnread         = "sent_too_much"         // logged in, and sent more than is read
	ReasonChannels       = "too_many_channels"     // logged in, and asked for more at once on one connection
	ReasonServerOverload = "server_overloaded"
	ReasonUnavailable    = "unavailable" // the database could not be asked
)
