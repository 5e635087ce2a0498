package connection

import (
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Banner is the text for a failed log-in. It depends on the listener alone, never on the client, so
// that it reveals nothing. operator is the name of who runs the server, help is how to reach support; both may be "".
func Banner(operator, help, reference string) string {
	return fmt.Sprintf("This server%s takes SSH keys only, no passwords. Choose your private key file in your SFTP\r\n"+
		"program; a passphrase only unlocks that file. Help: %s, reference %s.\r\n", of(operator), helpers(help), reference)
}

// of names the operator.
func of(operator string) string {
	if operator == "" {
		return ""
	}
	return " of " + valid.Printable(operator)
}

// Turned is the text for a banned address, sent before anything else. reference may be "".
func Turned(operator, help, reference string, until time.Time) string {
	text := fmt.Sprintf("Too many log-ins from your address at this server%s failed. Correct the program that keeps "+
		"trying, and try again after %s UTC. Help: %s", of(operator), until.UTC().Format("15:04"), helpers(help))
	if reference != "" {
		text += ", reference " + reference
	}
	return text + "."
}

func helpers(help string) string {
	if help != "" {
		return valid.Printable(help)
	}
	return "the people who gave you your username"
}
