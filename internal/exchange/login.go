package exchange

import (
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Arrival is an upload whose name has become final, or has changed to another final name.
type Arrival struct {
	Login     *Login
	Path      string
	VersionID string
	Size      int64
	SHA256    []byte
	At        time.Time
}

// OnlyFetches is the sentence that refuses a change because of the state of the account, whatever the rights in the
// directory.
const OnlyFetches = "This account may fetch files, but not send any."

// Login identifies who acts in a mailbox: a partner's session, with the values of the moment when its
// key was verified, or a member of the operator's staff.
type Login struct {
	User        model.User
	ReadOnly    bool   // the account may fetch but not send
	Region      string // the account's
	Fingerprint string // the key that signed
	KeyID       string
	Address     string // the client's, without port
	Client      string // its version string
	Session     string // id of the session
	Revocation  int64  // the revocation number the login was checked at
	Probe       bool   // made by this process to test a set-up: it may only list, and leaves no record
	Operator    string // actor of the operator's staff; "" for a partner
}

// Actor returns the name of the acting user or operator in audit rows.
func (l *Login) Actor() string {
	if l.Operator != "" {
		return l.Operator
	}
	return "user:" + l.User.Name
}
