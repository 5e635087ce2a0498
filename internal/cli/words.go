package cli

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/model"
)

// stateWord returns the word for a state.
func stateWord[S ~string](code S) string { return model.Word(code) }

// word quotes a name with spaces for the shell.
func word(name string) string {
	if strings.Contains(name, " ") {
		return "'" + name + "'"
	}
	return name
}

// shellQuote quotes a path for a shell.
func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
