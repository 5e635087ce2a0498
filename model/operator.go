package model

import "time"

// OperatorState says whether an operator may sign in.
type OperatorState string

// States of operators.
const (
	OperatorInvited  OperatorState = "invited"  // has not used its link yet
	OperatorActive   OperatorState = "active"   // may sign in
	OperatorDisabled OperatorState = "disabled" // may not
)

// SignInMethod is a way to sign in.
type SignInMethod string

// Ways to sign in.
const (
	SignInPassword SignInMethod = "password" // with a code of an authenticator app
	SignInPasskey  SignInMethod = "passkey"
	SignInSSO      SignInMethod = "sso"  // single sign-on (OpenID Connect)
	SignInLink     SignInMethod = "link" // the link to join, once
)

// Operator is a person who manages the server in a browser. The audit log names it operator:EMAIL.
type Operator struct {
	ID        string         `json:"id"`
	Email     string         `json:"email" doc:"Empty: the first administrator, who has not joined yet"`
	Name      string         `json:"name"`
	Role      Role           `json:"role" enum:"admin,onboarding,support,publisher,auditor"`
	State     OperatorState  `json:"state" enum:"invited,active,disabled"`
	Methods   []SignInMethod `json:"methods,omitempty" doc:"How it can sign in"`
	Passkeys  int            `json:"passkeys"`
	LinkUntil *time.Time     `json:"link_until,omitempty" doc:"Its link to join works until then"`
	CreatedAt time.Time      `json:"created_at"`
	CreatedBy string         `json:"created_by"`
	JoinedAt  *time.Time     `json:"joined_at,omitempty"`

	LastAt     *time.Time   `json:"last_at,omitempty" doc:"Of its latest sign-in"`
	LastFrom   string       `json:"last_from,omitempty"`
	LastMethod SignInMethod `json:"last_method,omitempty" enum:"password,passkey,sso,link"`

	RefusedAt   *time.Time `json:"refused_at,omitempty" doc:"When a sign-in was last refused"`
	RefusedFrom string     `json:"refused_from,omitempty"`
	RefusedFor  string     `json:"refused_for,omitempty" doc:"Why, as a sentence"`

	DisabledAt  *time.Time `json:"disabled_at,omitempty"`
	DisabledBy  string     `json:"disabled_by,omitempty"`
	DisabledFor string     `json:"disabled_for,omitempty" doc:"The reason"`

	Link string `json:"link,omitempty" doc:"The link to join: only in the answer that makes it"`

	Password string `json:"-"` // argon2id in PHC form
	TOTP     string `json:"-"` // sealed
	TOTPStep int64  `json:"-"` // of the latest code that was used
	Subject  string `json:"-"` // at the single sign-on
	LinkHash string `json:"-"`
}

// Actor is how the audit log names an operator.
func (o *Operator) Actor() string { return "operator:" + o.Email }

// Complete sets what follows from the row: the state, and how the operator can sign in.
func (o *Operator) Complete() {
	o.State = OperatorActive
	switch {
	case o.DisabledAt != nil:
		o.State = OperatorDisabled
	case o.JoinedAt == nil:
		o.State = OperatorInvited
	}
	o.Methods = nil
	if o.Password != "" && o.TOTP != "" {
		o.Methods = append(o.Methods, SignInPassword)
	}
	if o.Passkeys > 0 {
		o.Methods = append(o.Methods, SignInPasskey)
	}
	if o.Subject != "" {
		o.Methods = append(o.Methods, SignInSSO)
	}
}

// OperatorFilter selects operators.
type OperatorFilter struct {
	Role Role          `query:"role" enum:"admin,onboarding,support,publisher,auditor" doc:"Those with this role"`
	In   OperatorState `query:"state" enum:"invited,active,disabled" doc:"Those in this state"`
	Paging
}

// NewOperator is the body that invites an operator.
type NewOperator struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty" doc:"The person's name"`
	Role  Role   `json:"role" enum:"admin,onboarding,support,publisher,auditor"`
}

// EditOperator is the body that changes an operator. What is left out stays.
type EditOperator struct {
	Name *string `json:"name,omitempty"`
	Role *Role   `json:"role,omitempty" enum:"admin,onboarding,support,publisher,auditor"`
}

// OperatorSession is a browser in which an operator is signed in.
type OperatorSession struct {
	ID        string       `json:"id"`
	Operator  string       `json:"operator" doc:"Its e-mail address"`
	Method    SignInMethod `json:"method" enum:"password,passkey,sso,link"`
	Address   string       `json:"address" doc:"From where it began"`
	Agent     string       `json:"agent" doc:"The browser, as it names itself"`
	CreatedAt time.Time    `json:"created_at"`
	SeenAt    time.Time    `json:"seen_at" doc:"To the minute"`
	EndsAt    time.Time    `json:"ends_at" doc:"Then at the latest"`
	EndedAt   *time.Time   `json:"ended_at,omitempty"`
	EndedBy   string       `json:"ended_by,omitempty"`
}

// OperatorSessionFilter selects sessions of operators.
type OperatorSessionFilter struct {
	Operator string `query:"operator" doc:"Of this operator: id or e-mail"`
	Live     bool   `query:"live" doc:"Only those that have not ended"`
	Paging
}

// Passkey is a key in a device or a password manager, with which an operator signs in.
type Passkey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	OperatorID string     `json:"-"`
	Credential string     `json:"-"`
}

// Review is a list of who and what has access, made at a moment, to be looked at and signed off.
type Review struct {
	ID        string     `json:"id"`
	MadeAt    time.Time  `json:"made_at"`
	MadeBy    string     `json:"made_by"`
	Operators int        `json:"operators" doc:"How many"`
	Tokens    int        `json:"tokens"`
	Keys      int        `json:"keys"`
	SignedAt  *time.Time `json:"signed_at,omitempty"`
	SignedBy  string     `json:"signed_by,omitempty"`
	Note      string     `json:"note,omitempty"`
	Access    []Access   `json:"access,omitempty" doc:"The list; left out in lists of reviews"`
}

// AccessKind says what has access.
type AccessKind string

// Kinds of access.
const (
	AccessOperator AccessKind = "operator"
	AccessToken    AccessKind = "token"
	AccessKey      AccessKind = "key"
)

// Access is a row of a review: who or what has access, and when it was last used.
type Access struct {
	Kind   AccessKind `json:"kind" enum:"operator,token,key"`
	Name   string     `json:"name" doc:"Of an operator its address, of a key its user"`
	Detail string     `json:"detail" doc:"Role, or fingerprint"`
	State  string     `json:"state"`
	Since  time.Time  `json:"since"`
	Ends   *time.Time `json:"ends,omitempty"`
	Used   *time.Time `json:"used,omitempty"`
	From   string     `json:"from,omitempty" doc:"From where it was last used"`
}

// SignReview is the body that signs a review off.
type SignReview struct {
	Note string `json:"note,omitempty" maxLength:"2000" doc:"What was found, and what was done about it"`
}
