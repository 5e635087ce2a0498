package cli

import (
	"cmp"
	"crypto/x509"
	"os"
	"strings"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// serverURL returns the address of the server to manage, or "" for one of this machine. --data says
// that it is of this machine, whatever the environment says.
func (a *app) serverURL() string {
	if a.data != "" {
		return ""
	}
	return cmp.Or(a.url, a.env["SALLYPORT_URL"])
}

// elsewhere returns a client of the server at an address. If its token or its authorities cannot be
// read, every request fails with the reason.
func (a *app) elsewhere() *client.Client {
	token, err := a.token()
	if err != nil {
		return client.Unusable(err)
	}
	file := a.env["SALLYPORT_CA"]
	if file == "" {
		return client.Remote(a.serverURL(), token)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return client.Unusable(fault.E("cli.elsewhere", fault.NotFound, "SALLYPORT_CA cannot be read: %v.",
			fault.InWords(err)))
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(text) {
		return client.Unusable(fault.E("cli.elsewhere", fault.Invalid, "SALLYPORT_CA: %s has no certificate.", file).
			WithHint("it is a file in PEM, with BEGIN CERTIFICATE"))
	}
	return client.Remote(a.serverURL(), token, client.Trusting(authorities))
}

// token returns the API token: of --token-file, else of the environment.
func (a *app) token() (string, error) {
	const op = "cli.token"
	file := a.key
	if file == "" && a.env["SALLYPORT_TOKEN"] != "" {
		return a.env["SALLYPORT_TOKEN"], nil
	}
	if file = cmp.Or(file, a.env["SALLYPORT_TOKEN_FILE"]); file == "" {
		return "", fault.E(op, fault.Unauthenticated, "An API token is needed for %s.", a.serverURL()).
			WithHint("put it into a file, and name that with --token-file or SALLYPORT_TOKEN_FILE; " +
				"an administrator makes one on the server with: sallyport token add NAME --role ROLE")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fault.E(op, fault.NotFound, "The file with the token cannot be read: %v.", fault.InWords(err))
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, " \r\n\t") {
		return "", fault.E(op, fault.Invalid, "%s has no token: it must have one line, with the token alone.", file)
	}
	return token, nil
}
