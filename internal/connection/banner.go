package connection

import (
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Banner is the text for a failed log-in. It depends on the listener alone, never on the client, so
// that it reveals nothing. help is how to reach support, or "".
func Banner(help, reference string) string {
	return fmt.Sprintf("This server takes SSH keys only, no passwords. Choose your private key file in your SFTP\r\n"+
		"program; a passphrase only unlocks that file. Help: %s, reference %s.\r\n", helpers(help), reference)
}

// Turned is the text for a banned address, sent before anything else. reference may be "".
func Turned(help, reference string, until time.Time) string {
	text := fmt.Sprintf("Too many log-ins from your address failed. Correct the program that keeps trying, and try "+
		"again after %s UTC. Help: %s", until.UTC().Format("15:04"), helpers(help))
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
