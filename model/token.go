package model

import "time"

// TokenState says whether an API token works.
type TokenState string

// States of API tokens.
const (
	TokenActive  TokenState = "active"
	TokenExpired TokenState = "expired"
	TokenRevoked TokenState = "revoked"
)

// Token lets a program use the API over the network. Its secret is shown once, when it is made.
type Token struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Role        Role       `json:"role" enum:"admin,onboarding,support,publisher,auditor"`
	Prefix      string     `json:"prefix" doc:"What its secret begins with, to recognise it"`
	AllowIPs    []string   `json:"allow_ips,omitempty" doc:"Networks from which it works; none: any"`
	State       TokenState `json:"state" enum:"active,expired,revoked"`
	CreatedAt   time.Time  `json:"created_at"`
	CreatedBy   string     `json:"created_by"`
	ExpiresAt   time.Time  `json:"expires_at"`
	LastUsedAt  *time.Time `json:"last_used_at,omitempty" doc:"To the minute"`
	LastAddress string     `json:"last_address,omitempty" doc:"From where it was last used"`
	RevokedAt   *time.Time `json:"revoked_at,omitempty"`
	RevokedBy   string     `json:"revoked_by,omitempty"`
	Secret      string     `json:"secret,omitempty" doc:"Only in the answer that makes it"`
	Hash        string     `json:"-"`
}

// StateAt returns a token's state at a time.
func (t *Token) StateAt(now time.Time) TokenState {
	switch {
	case t.RevokedAt != nil:
		return TokenRevoked
	case !now.Before(t.ExpiresAt):
		return TokenExpired
	}
	return TokenActive
}

// NewToken is the body that makes an API token.
type NewToken struct {
	Name     string   `json:"name" doc:"What it is for: billing. The audit log says token:billing"`
	Role     Role     `json:"role" enum:"admin,onboarding,support,publisher,auditor"`
	Expires  string   `json:"expires,omitempty" doc:"After this period: 12mo (default), 30d; at most 36mo"`
	AllowIPs []string `json:"allow_ips,omitempty" doc:"Networks from which it works: 192.0.2.0/24; none: any"`
}

// Identity says who sent a request.
type Identity struct {
	Name string `json:"name" doc:"As the audit log names it: token:billing, operator:jo@example.com, local:root(0)"`
	Role Role   `json:"role"`
}
