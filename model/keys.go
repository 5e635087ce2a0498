package model

import (
	"strings"
	"time"
)

// KeyOrigin says who made a key.
type KeyOrigin string

// Origins of keys.
const (
	OriginSubmitted KeyOrigin = "submitted" // its holder made it and sent the public half
	OriginIssued    KeyOrigin = "issued"    // the operator generated it and kept no copy of the private half
)

// KeyMakers says who may make key pairs.
type KeyMakers string

// Values of KeyMakers.
const (
	KeysByBoth     KeyMakers = "both"
	KeysByCustomer KeyMakers = "customer" // partners make their pairs, and send the public half
	KeysByOperator KeyMakers = "operator" // the operator makes them, and hands them over
)

// KeyState is the state of a key.
type KeyState string

// Key states, as lists show them.
const (
	KeyActive   KeyState = "active"
	KeyRetiring KeyState = "retiring" // being replaced; works until RetiresAt
	KeyFrozen   KeyState = "frozen"
	KeyExpired  KeyState = "expired"
	KeyRevoked  KeyState = "revoked"
	KeyBurned   KeyState = "burned"
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
	Origin      KeyOrigin  `json:"origin" enum:"submitted,issued"`
	Holder      string     `json:"holder,omitempty" doc:"E-mail of the contact who has the private half"`
	HolderID    string     `json:"-"`
	State       KeyState   `json:"state" enum:"active,retiring,frozen,expired,revoked,burned"`
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

// StateAt returns the key's state at now. A key whose RetiresAt has passed counts as revoked.
func (k *Key) StateAt(now time.Time) KeyState {
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

// Values of BurnedKey.How.
const (
	BurnExposed   = "exposed"   // its private half was sent to us in readable form
	BurnReported  = "reported"  // its private half was reported to be in other hands
	BurnSuspected = "suspected" // it was in an encrypted private key file that was sent, and nobody had enrolled it
)

// BurnedKey is a fingerprint that can never be enrolled, by anyone.
type BurnedKey struct {
	Fingerprint string    `json:"fingerprint"`
	How         string    `json:"how" enum:"exposed,reported,suspected"`
	Why         string    `json:"why"`
	Actor       string    `json:"actor"`
	At          time.Time `json:"at"`
}

// PendingKey is an unknown key that was offered for a user. It waits for an operator's approval.
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

// Revoked is what a revocation did.
type Revoked struct {
	Keys     []Key    `json:"keys" doc:"One for each user that held it"`
	Burned   bool     `json:"burned" doc:"The key can never be enrolled again"`
	Warnings []string `json:"warnings" doc:"Users who can't log in any more, and the like"`
}

// Exposure reports what was done about private keys that were sent.
type Exposure struct {
	Advice  string   `json:"advice" doc:"What to tell the person"`
	Burned  []string `json:"burned" doc:"Fingerprints blocked for ever: their private half was readable"`
	Flagged []string `json:"flagged" doc:"Enrolled keys to look into: an encrypted file with their public half was sent"`
	Barred  []string `json:"barred" doc:"Keys that nobody has enrolled, and nobody can now"`
	Users   []string `json:"users" doc:"Whose keys they were"`
}

// Done describes for the operator what was done.
func (x *Exposure) Done() string {
	var parts []string
	for _, p := range []struct {
		list []string
		says string
	}{{x.Burned, "blocked for ever, with its sessions ended: "},
		{x.Flagged, "flagged, since the file was encrypted and proves nothing: "},
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

// NewKey is the body that enrols keys.
type NewKey struct {
	Text        string     `json:"text" doc:"What was sent: OpenSSH lines, an RFC 4716 block, PEM. Never a private key"`
	Origin      KeyOrigin  `json:"origin,omitempty" enum:"submitted,issued" default:"submitted"`
	Holder      string     `json:"holder,omitempty" doc:"Contact, by id or e-mail, who has the private half"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	Replaces    string     `json:"replaces,omitempty" names:"key" doc:"Fingerprint of the key that it replaces"`
	ConfirmedBy string     `json:"confirmed_by,omitempty" doc:"Second contact, needed after a key was frozen"`
}

// EditKey changes a key; absent fields stay.
type EditKey struct {
	Fingerprint string     `json:"fingerprint" names:"key" doc:"SHA256:…, or its first 8 characters or more"`
	Holder      *string    `json:"holder,omitempty" doc:"Empty: not known"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty" doc:"0001-01-01T00:00:00Z: never"`
	Flag        *string    `json:"flag,omitempty" doc:"Empty once somebody looked into it"`
}

// RevokeKey is the body that revokes a key, or several. It has one of fingerprint, holder and user.
type RevokeKey struct {
	Fingerprint string `json:"fingerprint,omitempty" names:"key" doc:"SHA256:…, or its first 8 characters or more"`
	Holder      string `json:"holder,omitempty" doc:"Contact, by id or e-mail: every key that this person holds"`
	User        string `json:"user,omitempty" doc:"Username: every key of this user"`
	Reason      string `json:"reason"`
	Burn        bool   `json:"burn,omitempty" doc:"It is in other hands: nobody can ever enrol it again"`
}

// ByContact names a key, and the contact who asked for the change.
type ByContact struct {
	Fingerprint string `json:"fingerprint" names:"key" doc:"SHA256:…, or its first 8 characters or more"`
	By          string `json:"by" doc:"Contact, by id or e-mail"`
}

// ApproveKey is the body that enrols a pending key.
type ApproveKey struct {
	Fingerprint string `json:"fingerprint" names:"pending key" doc:"SHA256:…, or its first 8 characters or more"`
	Holder      string `json:"holder,omitempty"`
	ConfirmedBy string `json:"confirmed_by,omitempty"`
}

// ExposedKeys reports private key files that were sent. It does not contain the files themselves.
type ExposedKeys struct {
	User  string        `json:"user" doc:"For whom they were sent"`
	Files []ExposedFile `json:"files"`
}

// ExposedFile is one private key file that was sent.
type ExposedFile struct {
	Format string `json:"format"`
	Public string `json:"public,omitempty" doc:"The public half, as an authorized_keys line, if the file tells"`
	Proven bool   `json:"proven" doc:"The private half was readable and fits"`
}
