package onboard

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Kinds of letters.
const (
	MailVerify    = "request-verify"
	MailReceived  = "request-received"
	MailContacts  = "request-contacts" // to the contacts of the account that it is about
	MailQuestion  = "request-question"
	MailReady     = "request-ready"
	MailRejected  = "request-rejected"
	MailReminder  = "request-reminder"
	MailUnused    = "request-unused"
	MailWithdrawn = "request-withdrawn"
	MailExpired   = "request-expired"
	MailNew       = "request-new"  // to operators
	MailLate      = "request-late" // to operators
)

// Letter is a mail about a request.
type Letter struct {
	Kind      string
	Request   model.Request
	Contact   *model.Contact // whom it goes to; nil: the requester
	Operators bool           // it goes to the operators instead
	Path      string         // of the page that its link leads to; "" for none
	Secret    string         // the end of the link
	Expires   time.Time      // when the link ends
	Text      string         // question, reason or finding
	Findings  []model.RequestFinding
}

// mail queues a letter, if there is a mail server.
func (s *Service) mail(tx *store.Tx, l Letter) error {
	if s.o.Mail == nil {
		return nil
	}
	return s.o.Mail(tx, l)
}

// mailVerify mails the link that confirms a request's address.
func (s *Service) mailVerify(tx *store.Tx, r model.Request) error {
	if s.o.Mail == nil {
		return nil
	}
	secret, err := s.link(tx, r, forVerify)
	if err != nil {
		return err
	}
	return s.mail(tx, Letter{Kind: MailVerify, Request: r, Path: VerifyPath, Secret: secret,
		Expires: s.now().Add(s.policy.Load().VerifyWithin)})
}

// mailStatus mails the requester a letter with a link to the request's page.
func (s *Service) mailStatus(tx *store.Tx, kind string, r model.Request, text string) error {
	if s.o.Mail == nil {
		return nil
	}
	secret, err := s.link(tx, r, forStatus)
	if err != nil {
		return err
	}
	return s.mail(tx, Letter{Kind: kind, Request: r, Path: StatusPath, Secret: secret,
		Expires: s.now().Add(statusLasts), Text: text})
}
