package model

import "time"

// RequestState is where a request for access is in its life.
type RequestState string

// States of requests.
const (
	RequestUnverified  RequestState = "unverified" // the e-mail address is not confirmed
	RequestNew         RequestState = "new"        // an operator has to decide
	RequestNeedsAnswer RequestState = "asked"      // needs an answer: the requester was asked something
	RequestApproved    RequestState = "approved"   // a second operator has to approve
	RequestReady       RequestState = "ready"      // the log-in exists, and nobody has used it
	RequestFirstLogin  RequestState = "entered"    // first log-in: somebody has logged in
	RequestFirstFile   RequestState = "in_use"     // first file: one was sent or downloaded; the end
	RequestWithdrawn   RequestState = "withdrawn"  // by the requester
	RequestRejected    RequestState = "rejected"   // by an operator
	RequestExpired     RequestState = "expired"    // the requester did not answer in time
)

// Over reports whether nothing follows the state.
func (s RequestState) Over() bool {
	return s == RequestFirstFile || s == RequestWithdrawn || s == RequestRejected || s == RequestExpired
}

// RequestChannel is how a request came.
type RequestChannel string

// Ways in which requests come.
const (
	ChannelForm     RequestChannel = "form"
	ChannelByMail   RequestChannel = "mail"
	ChannelPhone    RequestChannel = "phone"
	ChannelOperator RequestChannel = "operator"
)

// Awaited says who has to act next.
type Awaited string

// Who may be waited for.
const (
	AwaitedRequester Awaited = "requester"
	AwaitedOperator  Awaited = "operator"
	AwaitedSecond    Awaited = "second_operator" // another operator than the one who approved
	AwaitedNobody    Awaited = "nobody"
)

// Actions of requests' histories, and of the audit log behind "request.".
const (
	StepSubmit     = "submit"
	StepAdd        = "add"
	StepVerify     = "verify"
	StepAsk        = "ask"
	StepAnswer     = "answer"
	StepApprove    = "approve"
	StepReady      = "ready"
	StepReject     = "reject"
	StepWithdraw   = "withdraw"
	StepExpire     = "expire"
	StepAssign     = "assign"
	StepRemind     = "remind"
	StepFirstLogin = "first_login"
	StepFirstFile  = "first_file"
)

// RequestKey is the public key of a request, and how it was read.
type RequestKey struct {
	Type        string `json:"type" doc:"SSH name: ssh-ed25519"`
	Bits        int    `json:"bits"`
	Fingerprint string `json:"fingerprint"`
	MD5         string `json:"md5" doc:"The old fingerprint"`
	Comment     string `json:"comment,omitempty"`
	Format      string `json:"format" doc:"What it was read from: OpenSSH, RFC 4716, …"`
	Public      string `json:"public" doc:"The line of authorized_keys"`
}

// Request is a person's wish for access, from the form to the first file.
type Request struct {
	ID        string         `json:"id"`
	Reference string         `json:"reference" doc:"For the phone: 7kxm-w2pd"`
	State     RequestState   `json:"state" doc:"unverified, new, asked, approved, ready, entered, in_use, withdrawn, …"`
	Since     time.Time      `json:"since" doc:"When it came into its state"`
	WaitsFor  Awaited        `json:"waits_for" enum:"requester,operator,second_operator,nobody"`
	Due       *time.Time     `json:"due,omitempty" doc:"When whoever is waited for should have acted"`
	Late      bool           `json:"late,omitempty" doc:"Due is over"`
	Owner     string         `json:"owner,omitempty" doc:"The operator who looks after it"`
	Channel   RequestChannel `json:"channel" enum:"form,mail,phone,operator"`
	CreatedAt time.Time      `json:"created_at"`

	FirstName     string     `json:"first_name"`
	LastName      string     `json:"last_name"`
	Email         string     `json:"email"`
	Phone         string     `json:"phone,omitempty"`
	Company       string     `json:"company"`
	AccountNumber string     `json:"account_number,omitempty" doc:"As the requester wrote it"`
	Username      string     `json:"username,omitempty" doc:"The username that is wished for"`
	Key           RequestKey `json:"key"`
	Feeds         []string   `json:"feeds" doc:"Names of the feeds that are wished for"`
	Types         []string   `json:"types" doc:"File types: csv, pdf; empty: all"`
	Message       string     `json:"message,omitempty"`
	Language      string     `json:"language,omitempty" doc:"Of mails; empty: the default"`
	From          string     `json:"from,omitempty" doc:"The address that it was sent from"`

	VerifiedAt *time.Time `json:"verified_at,omitempty" doc:"When the e-mail address was confirmed"`
	Verified   string     `json:"verified,omitempty" doc:"How: by link, or an operator's words"`
	Approver   string     `json:"approver,omitempty" doc:"Who approved it, or approved it first"`
	Approval   *Approval  `json:"approval,omitempty" doc:"What was approved"`
	Account    string     `json:"account,omitempty" doc:"Of the log-in that was made"`
	User       string     `json:"user,omitempty" doc:"The username of the log-in that was made"`
	UserID     string     `json:"-"`
	Contact    string     `json:"contact,omitempty" doc:"Id of the contact that the requester is"`
	Reason     string     `json:"reason,omitempty" doc:"Why it was rejected, in words for the requester"`

	RemindedAt *time.Time    `json:"reminded_at,omitempty"`
	Reminders  int           `json:"reminders,omitempty" doc:"Since it came into its state"`
	History    []RequestStep `json:"history,omitempty" doc:"The oldest step first; not in lists"`
}

// Name returns the requester's name.
func (r *Request) Name() string { return r.FirstName + " " + r.LastName }

// Question returns the latest question to the requester; "" if there is none.
func (r *Request) Question() string {
	for i := len(r.History) - 1; i >= 0; i-- {
		if r.History[i].Action == StepAsk {
			return r.History[i].Text
		}
	}
	return ""
}

// RequestStep is one step of a request's history. Questions and answers are steps, too.
type RequestStep struct {
	ID     string       `json:"id"`
	At     time.Time    `json:"at"`
	Actor  string       `json:"actor"`
	Action string       `json:"action" doc:"submit, verify, ask, answer, approve, ready, reject, …"`
	State  RequestState `json:"state" doc:"After the step"`
	Text   string       `json:"text,omitempty" doc:"The question, answer, reason or name"`
}

// NewRequest is what a person fills in to ask for access.
type NewRequest struct {
	FirstName     string   `json:"first_name"`
	LastName      string   `json:"last_name"`
	Email         string   `json:"email"`
	Phone         string   `json:"phone,omitempty"`
	Company       string   `json:"company"`
	AccountNumber string   `json:"account_number,omitempty"`
	Username      string   `json:"username,omitempty" doc:"The username that is wished for"`
	Key           string   `json:"key" doc:"A public key in any form, or the content of its file"`
	Feeds         []string `json:"feeds,omitempty" doc:"Names of the feeds that are wished for"`
	Types         []string `json:"types,omitempty" doc:"File types: csv, pdf; none: all"`
	Message       string   `json:"message,omitempty"`
	Language      string   `json:"language,omitempty" doc:"Of mails, as a tag: de"`
}

// AddRequest is the body that records a request that came another way than the form.
type AddRequest struct {
	NewRequest
	Channel RequestChannel `json:"channel" enum:"mail,phone,operator" doc:"How it came"`
	// Verified says how it was checked that the address is the requester's.
	Verified string `json:"verified,omitempty" doc:"How the requester was checked; empty: a link is mailed"`
}

// Submitted is the answer to a request that was sent. It is the same whether or not the account exists.
type Submitted struct {
	Reference string    `json:"reference"`
	Email     string    `json:"email" doc:"Where the link to confirm was mailed"`
	VerifyBy  time.Time `json:"verify_by" doc:"Until when the link works"`
}

// ReadKey is a public key as it was read, before anything is sent.
type ReadKey struct {
	RequestKey
	Accepted bool   `json:"accepted"`
	Problem  string `json:"problem,omitempty" doc:"Why it can't be used"`
}

// Offer is a feed that may be asked for.
type Offer struct {
	Name  string   `json:"name"`
	Title string   `json:"title"`
	Kind  string   `json:"kind"`
	Types []string `json:"types" doc:"File types that it has: csv, pdf"`
}

// Verified is the answer to a confirmed address.
type Verified struct {
	Reference string `json:"reference"`
	Status    string `json:"-"` // secret of a status page
}

// RequestStatus is what the requester may see of a request.
type RequestStatus struct {
	Reference     string
	State         RequestState
	Since         time.Time
	WaitsFor      Awaited
	Due           *time.Time // until when; nil: there is no limit
	Name          string
	Email         string
	Company       string
	AccountNumber string
	Username      string // wished for; of a log-in that exists, its own
	Key           RequestKey
	Feeds         []string
	Types         []string
	Message       string
	Reason        string        // why it was rejected
	Question      string        // that waits for an answer
	Talk          []RequestWord // questions and answers, the oldest first
	Steps         []RequestMark // states and when they began, the oldest first
	MayAnswer     bool
	MayWithdraw   bool
	MayVerify     bool // the secret confirms the address
}

// RequestWord is a question or an answer.
type RequestWord struct {
	At       time.Time
	Question bool // else it is an answer
	Text     string
}

// RequestMark is when a request came into a state.
type RequestMark struct {
	At    time.Time
	State RequestState
}

// Approval is what an operator decides about a request. Of a second approval, all fields are empty: it
// approves what the first one said.
type Approval struct {
	Account       string   `json:"account,omitempty" doc:"Account ID; empty: the account number of the request"`
	CreateAccount bool     `json:"create_account,omitempty" doc:"Make the account"`
	AccountName   string   `json:"account_name,omitempty" doc:"Of a new account; empty: the company"`
	Region        string   `json:"region,omitempty" doc:"Of a new account"`
	Username      string   `json:"username,omitempty" doc:"Empty: the one wished for, or the account ID"`
	UserExists    bool     `json:"user_exists,omitempty" doc:"Add the key to a user that is there"`
	Feeds         []string `json:"feeds,omitempty" doc:"Absent: those wished for"`
	NoFeeds       bool     `json:"no_feeds,omitempty" doc:"Subscribe to none"`
	Types         []string `json:"types,omitempty" doc:"Absent: those wished for"`
	Days          int      `json:"days,omitempty" doc:"Also give the files of so many past days"`
	Roles         []string `json:"roles,omitempty" doc:"Of a new contact: technical (default), billing, security"`
}

// AskRequest is the body that asks the requester something.
type AskRequest struct {
	Text string `json:"text" doc:"The question, in words for the requester"`
}

// RejectRequest is the body that rejects a request.
type RejectRequest struct {
	Reason string `json:"reason" doc:"In words for the requester"`
}

// WithdrawRequest is the body that withdraws a request at the requester's word.
type WithdrawRequest struct {
	Reason string `json:"reason" doc:"Who said so, and how"`
}

// AssignRequest is the body that gives a request an owner.
type AssignRequest struct {
	Owner string `json:"owner" doc:"The operator; empty: nobody"`
}

// RequestFilter chooses requests.
type RequestFilter struct {
	In RequestState `query:"state" enum:"unverified,new,asked,approved,ready,entered,in_use,withdrawn,rejected,expired"`

	Open   bool   `query:"open" doc:"Only those that are not over, and whose address is confirmed"`
	Late   bool   `query:"late" doc:"Only those that wait for an operator for longer than they should"`
	Owner  string `query:"owner" doc:"Only this operator's"`
	Number string `query:"number" doc:"Only with this account number, or of this account"`
	Email  string `query:"email" doc:"Only of this address"`
	// WaitsFor counts the second operator as an operator.
	WaitsFor Awaited `query:"waits_for" enum:"operator,requester" doc:"Only those that wait for an operator, or for them"`
	Text     string  `query:"text" doc:"Only with this text in reference, name, address, company or account number"`
	Span
	Order
	Paging
}

// RequestCountQuery asks how many requests wait.
type RequestCountQuery struct {
	Owner string `query:"owner" doc:"Also count what this operator looks after"`
}

// RequestCounts says how many requests wait, and for whom.
type RequestCounts struct {
	Operator   int64 `json:"operator" doc:"Wait for an operator, the second one included"`
	Late       int64 `json:"late" doc:"Of these, have waited for longer than they should"`
	Requester  int64 `json:"requester" doc:"Wait for the requester, whose address is confirmed"`
	Unverified int64 `json:"unverified" doc:"Wait until the address is confirmed"`
	Open       int64 `json:"open" doc:"Are not over, and have a confirmed address"`
	Owned      int64 `json:"owned" doc:"Are open, and the asked owner's"`
}

// Judgement is what an operator needs to decide about a request.
type Judgement struct {
	Request  Request          `json:"request"`
	Findings []RequestFinding `json:"findings" doc:"What decides, the gravest first"`
	Account  *RequestAccount  `json:"account,omitempty" doc:"The account of the number, if there is one"`
	Feeds    []RequestFeed    `json:"feeds" doc:"What the requester would get"`
	Earlier  []Request        `json:"earlier" doc:"Others of the same address, number or key, the newest first"`
	Proposed Approval         `json:"proposed" doc:"What approving does, unless you say otherwise"`
}

// Weight says what a finding means for the decision.
type Weight string

// Weights of findings.
const (
	WeightStop Weight = "stop" // approving fails, as things are
	WeightWarn Weight = "warn" // look twice
	WeightGood Weight = "good" // as it should be
)

// RequestFinding is one fact that decides, in a sentence.
type RequestFinding struct {
	Topic  string  `json:"topic" doc:"A fixed word: account, domain, duplicate, key, username, feed, verified, earlier"`
	Weight Weight  `json:"weight" enum:"stop,warn,good"`
	Text   string  `json:"text"`
	Action *Action `json:"action,omitempty" doc:"An operation that shows or changes it"`
}

// RequestAccount is the account that a request means.
type RequestAccount struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Region   string       `json:"region,omitempty"`
	State    AccountState `json:"state"`
	Contacts []Contact    `json:"contacts" doc:"The present ones, who are told of the request"`
	Users    []string     `json:"users" doc:"Usernames"`
}

// RequestFeed is a feed that is wished for, with what the requester would get.
type RequestFeed struct {
	Name    string   `json:"name"`
	Title   string   `json:"title,omitempty"`
	Types   []string `json:"types" doc:"File types of the feed"`
	Files30 int      `json:"files_30d" doc:"Files of the past 30 days that the log-in would be given"`
	Offered bool     `json:"offered" doc:"It may be asked for (onboarding.feeds)"`
	Problem string   `json:"problem,omitempty" doc:"Why the requester can't have it"`
}

// RequestChanged is the payload of the events of a request.
type RequestChanged struct {
	Request   string       `json:"request" doc:"Its id"`
	Reference string       `json:"reference"`
	State     RequestState `json:"state" doc:"After the step"`
	WaitsFor  Awaited      `json:"waits_for"`
	Company   string       `json:"company"`
	Number    string       `json:"account_number,omitempty"`
	Email     string       `json:"email"`
	Actor     string       `json:"actor"`
	Owner     string       `json:"owner,omitempty"`
	Reason    string       `json:"reason,omitempty" doc:"Of a rejection"`
}
