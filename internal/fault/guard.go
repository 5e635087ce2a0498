package fault

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// ErrPanic is the cause of an error that was a panic.
var ErrPanic = errors.New("it panicked")

// Guard runs fn. A panic in it is logged under a reference and becomes an Internal
// error, ErrPanic in its chain, that names it, so that it ends what it happened in and nothing else. what says
// in the log what that was.
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
