package model

import (
	"strings"
	"time"
)

// Old algorithms that a listener of its own may offer. OldRSA stands for signatures of the user's key and of the host
// key: RSA with SHA-1.
const (
	OldRSA      = "ssh-rsa"
	OldGroup14  = "diffie-hellman-group14-sha1"
	OldGroup1   = "diffie-hellman-group1-sha1"
	OldExchange = "diffie-hellman-group-exchange-sha1"
	OldMAC      = "hmac-sha1"
	OldMAC96    = "hmac-sha1-96"
	OldAESCBC   = "aes128-cbc"
	OldDESCBC   = "3des-cbc"
)

// OldAlgorithms are all of them, and UsualOldAlgorithms those of a listener that names none.
var (
	OldAlgorithms = []string{OldRSA, OldGroup14, OldExchange, OldGroup1, OldMAC, OldMAC96, OldAESCBC,
		OldDESCBC}
	UsualOldAlgorithms = []string{OldRSA, OldGroup14, OldMAC}
)

// EndpointState says how a listener stands.
type EndpointState string

// States of listeners with old algorithms.
const (
	EndpointOpen   EndpointState = "open"
	EndpointFailed EndpointState = "failed" // its address cannot be listened on
	EndpointOver   EndpointState = "over"   // its day has come
	EndpointClosed EndpointState = "closed" // by hand
)

// Endpoint is a listener of its own for programs that know only old algorithms.
type Endpoint struct {
	Name       string        `json:"name"`
	Listen     string        `json:"listen"`
	AllowIPs   []string      `json:"allow_ips" doc:"The only networks that may connect"`
	Algorithms []string      `json:"algorithms" doc:"Old algorithms that it offers, besides those of every listener"`
	Until      time.Time     `json:"until" doc:"When it closes"`
	Note       string        `json:"note,omitempty"`
	State      EndpointState `json:"state" enum:"closed,failed,open,over"`
	Error      string        `json:"error,omitempty" doc:"Why its address cannot be listened on"`
	CreatedAt  time.Time     `json:"created_at"`
	CreatedBy  string        `json:"created_by"`
	ClosedAt   *time.Time    `json:"closed_at,omitempty"`
	Users      int64         `json:"users" doc:"Users who logged in through it"`
	Needing    int64         `json:"needing" doc:"Those of them whose latest log-in needed an old algorithm"`
	LastAt     *time.Time    `json:"last_at,omitempty" doc:"The latest log-in"`
}

// NewEndpoint is the body that opens a listener with old algorithms.
type NewEndpoint struct {
	Name       string    `json:"name"`
	Listen     string    `json:"listen" doc:"An address of its own: :2200"`
	AllowIPs   []string  `json:"allow_ips" minItems:"1" maxItems:"100" doc:"Addresses and networks that may connect"`
	Algorithms []string  `json:"algorithms,omitempty" maxItems:"20" doc:"Old algorithms; none: the usual ones"`
	Until      time.Time `json:"until" doc:"When it closes; at most a year away"`
	Note       string    `json:"note,omitempty" doc:"Who needs it, and why"`
}

// EditEndpoint is the body that changes a listener with old algorithms.
type EditEndpoint struct {
	AllowIPs   *[]string  `json:"allow_ips,omitempty" minItems:"1" maxItems:"100"`
	Algorithms *[]string  `json:"algorithms,omitempty" maxItems:"20" doc:"Old algorithms; none: the usual ones"`
	Until      *time.Time `json:"until,omitempty"`
	Note       *string    `json:"note,omitempty"`
}

// EndpointUse is from where a user logged in through a listener with old algorithms.
type EndpointUse struct {
	Endpoint   string    `json:"endpoint"`
	User       string    `json:"user"`
	Account    string    `json:"account"`
	Address    string    `json:"address"`
	Client     string    `json:"client,omitempty" doc:"The program, as it names itself"`
	Algorithms []string  `json:"algorithms" doc:"Old ones that the latest log-in used; none: the main address would do"`
	FirstAt    time.Time `json:"first_at"`
	LastAt     time.Time `json:"last_at"`
	Times      int64     `json:"times" doc:"Log-ins"`
}

// Mark returns the cursor of a use.
func (u EndpointUse) Mark() string { return strings.Join([]string{u.Endpoint, u.User, u.Address}, " ") }

// EndpointUseFilter chooses uses.
type EndpointUseFilter struct {
	Paging
	Endpoint string `query:"endpoint" doc:"Of this one"`
	User     string `query:"user" names:"user" doc:"Of this user"`
	Needing  bool   `query:"needing" doc:"Only those whose latest log-in needed an old algorithm"`
}

// Paged returns the paging.
func (f *EndpointUseFilter) Paged() *Paging { return &f.Paging }

// Split returns the endpoint, user and address that the cursor is after.
func (f *EndpointUseFilter) Split() (endpoint, user, address string) {
	parts := append(strings.SplitN(f.Cursor, " ", 3), "", "", "")
	return parts[0], parts[1], parts[2]
}
