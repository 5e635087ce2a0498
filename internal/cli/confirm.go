package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// onTerminal reports whether a person types the input.
func (a *app) onTerminal() bool {
	f, ok := a.In.(*os.File)
	return a.Terminal || ok && term.IsTerminal(int(f.Fd()))
}

// confirm has a person type a word before something is done that is hard to take back. In scripts, yes stands for
// the word. what ends a sentence: "closing the account acme".
func (a *app) confirm(what, word string, yes bool) error {
	const op = "cli.confirm"
	if yes {
		return nil
	}
	if !a.onTerminal() {
		return fault.E(op, fault.Invalid, "Nothing was changed: %s must be confirmed.", what).
			WithHint("run it on a terminal, or in a script with --yes")
	}
	fmt.Fprintf(a.Err, "Type %s to confirm %s: ", word, what)
	typed, _ := bufio.NewReader(a.In).ReadString('\n') // the end of the input is an empty word
	if typed = strings.TrimSpace(typed); typed != word {
		return fault.E(op, fault.Invalid, "Nothing was changed: %q is not %q.", valid.Printable(typed), word)
	}
	return nil
}
