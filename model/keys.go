package model

import (
	"strings"
	"time"
)

// Origins of keys.
const (
	OriginSubmitted = "submitted" // its holder made it and sent the public half
	OriginIssued    = "issued"    // the operator made it, and kept nothing of it
)

// Key states, as lists show them.
const (
	KeyActive   = "active"
	KeyRetiring = "retiring" // works until it retires: another replaces it
	KeyFrozen   = "frozen"
	KeyExpired  = "expired"
	KeyRevoked  = "revoked"
	KeyBurned   = "burned"
)

// Key is an authorized public key.
type Key struct {
	ID          string     `json:"-"`
	User        string     `json:"user" doc:"Username"`
	Fingerprint string     `json:"fingerprint" doc:"SHA256:… as OpenSSH prints it"`
	MD5         string     `json:"md5,omitempty" doc:"The old form of the fingerprint; when it is enrolled"`
	Type        string     `json:"type" doc:"ssh-ed25519, ssh-rsa, ecdsa-sha2-…"`
	Bits        int        `json:"bits"`
	Public      string     `json:"public" doc:"The key as an authorized_keys line without comment"`
	Comment     string     `json:"comment,omitempty"`
	Origin      string     `json:"origin" enum:"submitted,issued"`
	Holder      string     `json:"holder,omitempty" doc:"E-mail of the contact who has the private half"`
	HolderID    string     `json:"-"`
	State       string     `json:"state" enum:"active,retiring,frozen,expired,revoked,burned"`
	Flag        string     `json:"flag,omitempty" doc:"What an operator should look into"`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	RetiresAt   *time.Time `json:"retires_at,omitempty" doc:"It is being replaced, and works until then at the latest"`
	ReplacedBy  string     `json:"replaced_by,omitempty" doc:"Fingerprint of the key that replaces it"`
	FrozenAt    *time.Time `json:"frozen_at,omitempty"`
	FrozenBy    string     `json:"frozen_by,omitempty" doc:"E-mail of the contact who had it frozen"`
	FrozenByID  string     `json:"-"`
	LastUsedAt  *time.Time `json:"last_used_at,omitempty"`
	LastAddress string     `json:"last_address,omitempty"`
	LastClient  string     `json:"last_client,omitempty" doc:"Version string of the program that used it last"`
	RevokedAt   *time.Time `json:"revoked_at,omitempty"`
	RevokedWhy  string     `json:"revoked_why,omitempty"`
	Burned      bool       `json:"-"`
}

// StateAt is what a key is good for at a time.
func (k *Key) StateAt(now time.Time) string {
	switch {
	case k.Burned:
		return KeyBurned
	case k.RevokedAt != nil:
		return KeyRevoked
	case k.FrozenAt != nil:
		return KeyFrozen
	case k.RetiresAt != nil && !now.Before(*k.RetiresAt):
		return KeyRevoked
	case k.ExpiresAt != nil && !now.Before(*k.ExpiresAt):
		return KeyExpired
	case k.RetiresAt != nil:
		return KeyRetiring
	}
	return KeyActive
}

// How a key came to be burned.
const (
	BurnExposed   = "exposed"   // its private half was sent to us, readable
	BurnReported  = "reported"  // somebody said that it is in other hands
	BurnSuspected = "suspected" // an encrypted private file with it was sent, before anybody enrolled it
)

// BurnedKey is a fingerprint that can never be enrolled, by anyone.
type BurnedKey struct {
	Fingerprint string    `json:"fingerprint"`
	How         string    `json:"how" enum:"exposed,reported,suspected"`
	Why         string    `json:"why"`
	Actor       string    `json:"actor"`
	At          time.Time `json:"at"`
}

// PendingKey is an unknown key that was seen for a user and waits for an
// operator's word.
type PendingKey struct {
	User        string    `json:"user" doc:"Username"`
	UserID      string    `json:"-"`
	Fingerprint string    `json:"fingerprint"`
	Type        string    `json:"type"`
	Bits        int       `json:"bits"`
	Public      string    `json:"public"`
	Address     string    `json:"address" doc:"Where it was seen last"`
	Client      string    `json:"client"`
	FirstAt     time.Time `json:"first_at"`
	LastAt      time.Time `json:"last_at"`
	Times       int64     `json:"times"`
}

// Link kinds.
const (
	LinkKey        = "key"        // the encrypted private key files
	LinkPassphrase = "passphrase" // what unlocks them
	LinkVerify     = "verify"     // proves that a contact reads its e-mail
)

// Link is a one-time link, as operators see it: never its secret.
type Link struct {
	ID          string     `json:"id"`
	Kind        string     `json:"kind" enum:"key,passphrase,verify"`
	User        string     `json:"user,omitempty" doc:"Username that it is about"`
	Contact     string     `json:"contact" doc:"E-mail of the contact it is for"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	State       string     `json:"state" enum:"waiting,opened,revoked,expired"`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   time.Time  `json:"expires_at"`
	EndedAt     *time.Time `json:"ended_at,omitempty" doc:"When it was opened or revoked"`
	OpenedFrom  string     `json:"opened_from,omitempty" doc:"Address"`
	UserID      string     `json:"-"`
	ContactID   string     `json:"-"`
}

// Link states.
const (
	LinkWaiting = "waiting"
	LinkOpened  = "opened"
	LinkRevoked = "revoked"
	LinkExpired = "expired"
)

// Revoked is what a revocation did.
type Revoked struct {
	Keys     []Key    `json:"keys" doc:"One for each user that held it"`
	Burned   bool     `json:"burned" doc:"The key can never be enrolled again"`
	Warnings []string `json:"warnings" doc:"Users who can't log in any more, and the like"`
}

// Exposure is what was done about private keys that somebody sent.
type Exposure struct {
	Advice  string   `json:"advice" doc:"What to tell the person"`
	Burned  []string `json:"burned" doc:"Fingerprints blocked for ever: their private half was readable"`
	Flagged []string `json:"flagged" doc:"Enrolled keys to look into: an encrypted file with their public half was sent"`
	Barred  []string `json:"barred" doc:"Keys that nobody has enrolled, and nobody can now"`
	Users   []string `json:"users" doc:"Whose keys they were"`
}

// Done says in words, for the operator, what was done.
func (x *Exposure) Done() string {
	var parts []string
	for _, p := range []struct {
		list []string
		says string
	}{{x.Burned, "blocked for ever, with its sessions ended: "}, {x.Flagged, "flagged, since the file was encrypted and proves nothing: "},
		{x.Barred, "can't be enrolled from now on: "}} {
		if len(p.list) > 0 {
			parts = append(parts, p.says+strings.Join(p.list, ", "))
		}
	}
	if len(x.Users) > 0 {
		parts = append(parts, "it was a key of "+strings.Join(x.Users, ", "))
	}
	return strings.Join(parts, "; ")
}
