package model

// MailFailure is what a mail server's report says of an address that was not reached.
type MailFailure struct {
	Address string `json:"address"`
	Why     string `json:"why"`
	Full    bool   `json:"full,omitempty" doc:"The mailbox was full, so the address is not wrong"`
}
