package fault

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// ErrPanic is in the chain of an error that was made from a panic.
var ErrPanic = errors.New("it panicked")

// Guard runs fn. It turns a panic of fn into an Internal error with ErrPanic in its chain, and logs
// it. The error's public text and the log line have the same reference. what names the work in the
// log.
func Guard(log *slog.Logger, what string, fn func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		reference := NewReference()
		log.Error("a panic was caught", "in", what, "reference", reference, "panic", fmt.Sprint(p), "stack",
			string(debug.Stack()))
		err = &Error{Op: "fault.Guard", Kind: Internal, Err: ErrPanic,
			Public: "Something went wrong on our side. Please tell us this reference: " + reference + "."}
	}()
	return fn()
}
