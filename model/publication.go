package model

import "time"

// Publication is one file published to a feed.
type Publication struct {
	ID          string    `json:"id"`
	Feed        string    `json:"feed"`
	Account     string    `json:"account,omitempty" doc:"Empty: all subscribers"`
	Name        string    `json:"name"`
	Size        int64     `json:"size" doc:"Bytes"`
	SHA256      string    `json:"sha256" doc:"Lower-case hexadecimal"`
	Deliveries  int       `json:"deliveries" doc:"How many mailboxes got it"`
	Repeated    bool      `json:"repeated,omitempty" doc:"The idempotency key was seen before; nothing was published now"`
	Via         string    `json:"via,omitempty" doc:"How it came: api, folder, sftp"`
	Missing     []string  `json:"missing,omitempty" doc:"Numbers that are missing before this one"`
	Flag        string    `json:"flag,omitempty" doc:"Why the content does not look like what its name says"`
	PublishedAt time.Time `json:"published_at"`
}

// DeliveryState is the state of a delivery.
type DeliveryState string

// Delivery states.
const (
	DeliveryPublished DeliveryState = "published"
	DeliveryOpened    DeliveryState = "opened"
	DeliveryCollected DeliveryState = "collected" // every byte was served
	DeliveryExpired   DeliveryState = "expired"   // removed by retention
	DeliveryWithdrawn DeliveryState = "withdrawn" // taken back by the operator
	DeliveryReplaced  DeliveryState = "replaced"  // a newer issue came before it was downloaded in full
)

// Delivery is one file placed for one subscription.
type Delivery struct {
	ID          string        `json:"id"`
	Publication string        `json:"publication"`
	Feed        string        `json:"feed"`
	User        string        `json:"user" doc:"Username"`
	Account     string        `json:"account" doc:"Account ID"`
	Name        string        `json:"name"`
	Path        string        `json:"path,omitempty" doc:"Where it was placed"`
	Issue       int64         `json:"issue" doc:"1, or more for a later file of the same name"`
	Size        int64         `json:"size" doc:"Bytes"`
	SHA256      string        `json:"sha256" doc:"Lower-case hexadecimal"`
	State       DeliveryState `json:"state" enum:"published,opened,collected,expired,withdrawn,replaced"`
	Served      int64         `json:"served" doc:"Distinct bytes served so far"`
	PublishedAt time.Time     `json:"published_at"`
	OpenedAt    *time.Time    `json:"opened_at,omitempty"`
	CollectedAt *time.Time    `json:"collected_at,omitempty"`
	EndedAt     *time.Time    `json:"ended_at,omitempty" doc:"When it was removed, replaced or taken back"`
	TakenAt     *time.Time    `json:"taken_at,omitempty" doc:"When the partner removed or renamed the file"`
	Fingerprint string        `json:"fingerprint,omitempty" doc:"The key that opened it first, or collected it"`
	Client      string        `json:"client,omitempty" doc:"That client's version string"`
	Address     string        `json:"address,omitempty" doc:"That client's address"`
	UserID      string        `json:"-"`
}

// NewUpload is the body that begins a file in parts.
type NewUpload struct {
	Size *int64 `json:"size,omitempty" doc:"Bytes that are to come in all"`
}

// Upload is a large file that is sent in parts. A part is durable once it was answered. After an
// interruption the sender asks for the offset and continues there.
type Upload struct {
	ID        string    `json:"id"`
	Offset    int64     `json:"offset" doc:"Bytes that are here, from the start on"`
	Size      int64     `json:"size" doc:"Bytes that are to come in all; -1: not declared"`
	ExpiresAt time.Time `json:"expires_at" doc:"When it is forgotten, unless it goes on"`
}
