package fault

import (
	"errors"
	"fmt"

	"github.com/sallyport-sftp/sallyport/model"
)

// Kind classifies an error. It alone determines the SFTP status, the HTTP status and the exit code.
type Kind int

// The kinds.
const (
	Internal        Kind = iota // a bug or fault of ours; the public text gives no details
	Invalid                     // the request is wrong in itself
	NotFound                    // no such thing, or none that this actor may know of
	Exists                      // the name is taken
	Denied                      // known, but not allowed
	Conflict                    // the state changed meanwhile, or contradicts the request
	Quota                       // the mailbox is full
	NoSpace                     // the server's storage is full
	TooLarge                    // over a size limit
	Busy                        // over a count limit: handles, sessions, requests
	Unsupported                 // never offered here
	Unavailable                 // cannot be answered now; trying again may help
	NoRecipient                 // nobody is entitled to what was published
	Unauthenticated             // nobody knows who asks: no log-in, or one that does not work
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

// kinds maps a Kind to its word, and to what each server answers.
var kinds = [...]struct {
	word string // in JSON, logs and tests
	sftp uint32 // SSH_FXP_STATUS code
	http int    // response status
	exit int    // process exit code
	text string // public text when the error brings none
}{
	Internal:        {"internal", StatusFailure, 500, 1, "Something went wrong on the server."},
	Invalid:         {"invalid", StatusBadMessage, 422, 2, "The request is not valid."},
	NotFound:        {"not_found", StatusNoSuchFile, 404, 3, "No such file or directory."},
	Exists:          {"exists", StatusFailure, 409, 4, "The name is already taken."},
	Denied:          {"denied", StatusPermissionDenied, 403, 5, "Not allowed here."},
	Conflict:        {"conflict", StatusFailure, 409, 4, "It was changed by someone else meanwhile."},
	Quota:           {"quota", StatusFailure, 507, 6, "Quota exceeded."},
	NoSpace:         {"no_space", StatusFailure, 507, 6, "The server has no space left."},
	TooLarge:        {"too_large", StatusFailure, 413, 6, "The file is too large."},
	Busy:            {"busy", StatusFailure, 429, 7, "Too many at once."},
	Unsupported:     {"unsupported", StatusOpUnsupported, 501, 2, "Not supported."},
	Unavailable:     {"unavailable", StatusFailure, 503, 7, "The server cannot answer now; please try again."},
	NoRecipient:     {"no_recipient", StatusFailure, 422, 8, "Nobody is entitled to this file."},
	Unauthenticated: {"unauthenticated", StatusPermissionDenied, 401, 5, "Please sign in first."},
}

// String returns the kind's word, as in JSON and logs.
func (k Kind) String() string { return kinds[k.known()].word }

// SFTPStatus returns the SSH_FXP_STATUS code for partners.
func (k Kind) SFTPStatus() uint32 { return kinds[k.known()].sftp }

// HTTPStatus returns the response status of the REST API.
func (k Kind) HTTPStatus() int { return kinds[k.known()].http }

// ExitCode returns the exit status of the command line.
func (k Kind) ExitCode() int { return kinds[k.known()].exit }

func (k Kind) known() Kind {
	if k < 0 || int(k) >= len(kinds) {
		return Internal
	}
	return k
}

// KindOf returns the kind of a word; an unknown word is Internal.
func KindOf(word string) Kind {
	for k, row := range kinds {
		if row.word == word {
			return Kind(k)
		}
	}
	return Internal
}

// Error is an error that may be sent to a client. Only Public, or the kind's own text, may leave
// the process. Err is for the log.
type Error struct {
	Op     string // the operation, such as "tree.Rename"
	Kind   Kind
	Public string        // one sentence for the client; "" means the kind's text
	Field  string        // the field, flag or setting that is wrong, or ""
	Hint   string        // the next step for operators, or ""
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

// Wrap adds an operation and a kind to err. An err that is or wraps an *Error is returned
// unchanged, because the place nearest to the cause knows its kind best. Wrap of nil is nil.
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

// WithHint sets the operator's next step, and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithField names the field, flag or setting that is wrong, and returns e.
func (e *Error) WithField(name string) *Error {
	e.Field = name
	return e
}

// WithAction sets an API operation that would help, and returns e. values are parameter names and
// values in turn.
func (e *Error) WithAction(operation string, values ...string) *Error {
	e.Action = model.Do(operation, values...)
	return e
}

// KindIn returns the kind in an error chain; an error without one is Internal.
func KindIn(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether KindIn(err) is k. It is false for a nil error.
func Is(err error, k Kind) bool { return err != nil && KindIn(err) == k }

// Missing replaces a NotFound error with one that says what was not found. Other errors pass
// unchanged.
func Missing(op string, err error, format string, args ...any) error {
	if Is(err, NotFound) {
		return E(op, NotFound, format, args...)
	}
	return err
}

// PublicText returns the text of err that may be shown to the client.
func PublicText(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Public != "" {
		return e.Public
	}
	return kinds[KindIn(err).known()].text
}

// ActionIn returns the operation that would help, if the chain has one; else nil.
func ActionIn(err error) *model.Action {
	var e *Error
	if errors.As(err, &e) {
		return e.Action
	}
	return nil
}

// FieldIn returns the field, flag or setting that is wrong, if the chain names one; else "".
func FieldIn(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

// InField names the field that err is about, unless the chain names one. A nil error stays nil.
func InField(name string, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Field != "" {
		return err
	}
	named := *e
	named.Field = name
	return &named
}

// HintIn returns the operator's next step, if the chain has one; else "".
func HintIn(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
