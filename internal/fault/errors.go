package fault

import (
	"errors"
	"fmt"

	"github.com/sallyport-sftp/sallyport/model"
)

// Kind says what sort of failure an error is. The servers turn it into an SFTP
// status, an HTTP status or an exit code; nothing else decides those.
type Kind int

// The kinds.
const (
	Internal    Kind = iota // a fault of ours; the public text says nothing of it
	Invalid                 // the request makes no sense as it stands
	NotFound                // no such thing, or none that this actor may know of
	Exists                  // the name is taken
	Denied                  // known, but not allowed
	Conflict                // true a moment ago, no longer
	Quota                   // the mailbox is full
	NoSpace                 // the server's storage is full
	TooLarge                // over a size limit
	Busy                    // over a count limit: handles, sessions, requests
	Unsupported             // never offered here
	Unavailable             // cannot be answered now; trying again may help
	NoRecipient             // nobody is entitled to what was published
)

// SFTP v3 status codes (draft-ietf-secsh-filexfer-02 §7).
const (
	StatusOK               uint32 = 0
	StatusEOF              uint32 = 1
	StatusNoSuchFile       uint32 = 2
	StatusPermissionDenied uint32 = 3
	StatusFailure          uint32 = 4
	StatusBadMessage       uint32 = 5
	StatusOpUnsupported    uint32 = 8
)

// kinds is the one table from a Kind to its word and to what each server answers.
var kinds = [...]struct {
	word string // in JSON, logs and tests
	sftp uint32 // SSH_FXP_STATUS code
	http int    // response status
	exit int    // process exit code
	text string // public text when the error brings none
}{
	Internal:    {"internal", StatusFailure, 500, 1, "Something went wrong on the server."},
	Invalid:     {"invalid", StatusBadMessage, 422, 2, "The request is not valid."},
	NotFound:    {"not_found", StatusNoSuchFile, 404, 3, "No such file or directory."},
	Exists:      {"exists", StatusFailure, 409, 4, "The name is already taken."},
	Denied:      {"denied", StatusPermissionDenied, 403, 5, "Not allowed here."},
	Conflict:    {"conflict", StatusFailure, 409, 4, "It was changed by someone else meanwhile."},
	Quota:       {"quota", StatusFailure, 507, 6, "Quota exceeded."},
	NoSpace:     {"no_space", StatusFailure, 507, 6, "The server has no space left."},
	TooLarge:    {"too_large", StatusFailure, 413, 6, "The file is too large."},
	Busy:        {"busy", StatusFailure, 429, 7, "Too many at once."},
	Unsupported: {"unsupported", StatusOpUnsupported, 501, 2, "Not supported."},
	Unavailable: {"unavailable", StatusFailure, 503, 7, "The server cannot answer now; please try again."},
	NoRecipient: {"no_recipient", StatusFailure, 422, 8, "Nobody is entitled to this file."},
}

// String is the kind's word, as in JSON and logs.
func (k Kind) String() string { return kinds[k.known()].word }

// SFTPStatus is the SSH_FXP_STATUS code that partners get.
func (k Kind) SFTPStatus() uint32 { return kinds[k.known()].sftp }

// HTTPStatus is the response status of the REST API.
func (k Kind) HTTPStatus() int { return kinds[k.known()].http }

// ExitCode is the exit status of the command line.
func (k Kind) ExitCode() int { return kinds[k.known()].exit }

func (k Kind) known() Kind {
	if k < 0 || int(k) >= len(kinds) {
		return Internal
	}
	return k
}

// KindOf reads a word of the table back; an unknown word is Internal.
func KindOf(word string) Kind {
	for k, row := range kinds {
		if row.word == word {
			return Kind(k)
		}
	}
	return Internal
}

// Error is a failure on its way to a client. Only Public, or the kind's own
// text, may leave the process; Err is for the log.
type Error struct {
	Op     string // what was being done, "tree.Rename"
	Kind   Kind
	Public string        // one sentence for whoever asked; "" means the kind's text
	Hint   string        // for operators: the next step; "" where there is none
	Action *model.Action // an operation that would help; nil: none is known
	Err    error         // the cause, never shown
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.String()
	if e.Public != "" {
		s += ": " + e.Public
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// E makes an Error with a formatted public sentence.
func E(op string, kind Kind, format string, args ...any) *Error {
	return &Error{Op: op, Kind: kind, Public: fmt.Sprintf(format, args...)}
}

// Wrap gives a cause its operation and kind. An error that has a kind keeps
// it: the deepest service knows best.
func Wrap(op string, kind Kind, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Kind: kind, Err: err}
}

// WithHint returns the error with the operator's next step added.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithAction returns the error with an operation of the API that would help; values are names and values in turn.
func (e *Error) WithAction(operation string, values ...string) *Error {
	e.Action = model.Do(operation, values...)
	return e
}

// KindIn finds the kind in an error chain; an error without one is Internal.
func KindIn(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether the chain's kind is k. A nil error has none.
func Is(err error, k Kind) bool { return err != nil && KindIn(err) == k }

// Missing says in words what was not found; other errors pass.
func Missing(op string, err error, format string, args ...any) error {
	if Is(err, NotFound) {
		return E(op, NotFound, format, args...)
	}
	return err
}

// PublicText is what may be shown of err to whoever asked.
func PublicText(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Public != "" {
		return e.Public
	}
	return kinds[KindIn(err).known()].text
}

// ActionIn is the operation that would help, if the chain names one.
func ActionIn(err error) *model.Action {
	var e *Error
	if errors.As(err, &e) {
		return e.Action
	}
	return nil
}

// HintIn is the operator's next step, if the chain brings one.
func HintIn(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
