package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// onTerminal reports whether a person types the input.
func (a *app) onTerminal() bool {
	switch f := a.In.(type) {
	case interface{ Terminal() bool }: // in tests
		return f.Terminal()
	case *os.File:
		return term.IsTerminal(int(f.Fd()))
	}
	return false
}

// typed returns the line that a person types; "" at the end of the input, and after an interrupt.
func (a *app) typed(ctx context.Context) string {
	line := make(chan string, 1)
	go func() { // the read cannot be interrupted; it ends with the process
		text, _ := bufio.NewReader(a.In).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		return strings.TrimSpace(text)
	case <-ctx.Done():
		fmt.Fprintln(a.Err)
		return ""
	}
}

// agrees asks a question. Everything but yes means no.
func (a *app) agrees(ctx context.Context, question string) bool {
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	answer := strings.ToLower(a.typed(ctx))
	return answer == "y" || answer == "yes"
}

// confirm has a person type a word before something is done that is hard to take back. In scripts, yes stands for
// the word. what ends a sentence: "closing the account acme".
func (a *app) confirm(ctx context.Context, what, word string, yes bool) error {
	const op = "cli.confirm"
	if yes {
		return nil
	}
	if !a.onTerminal() {
		return fault.E(op, fault.Invalid, "Nothing was changed: %s must be confirmed.", what).
			WithHint("run it on a terminal, or in a script with --yes")
	}
	fmt.Fprintf(a.Err, "Type %s to confirm %s: ", word, what)
	if typed := a.typed(ctx); typed != word {
		return fault.E(op, fault.Invalid, "Nothing was changed: %q is not %q.", valid.Printable(typed), word)
	}
	return nil
}

// agreed is agrees for what a script does with --yes. Without a terminal nobody can be asked, which is an
// error.
func (a *app) agreed(ctx context.Context, question string) (bool, error) {
	if !a.onTerminal() {
		return false, fault.E("cli.agreed", fault.Invalid, "%s Nobody can be asked here.", question).
			WithHint("say --yes to go on")
	}
	if a.agrees(ctx, question) {
		return true, nil
	}
	fmt.Fprintln(a.Err, "Nothing was done.")
	return false, nil
}
