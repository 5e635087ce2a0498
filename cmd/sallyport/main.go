// Command sallyport is the whole product: server, tools and help.
package main

import (
	"os"

	_ "golang.org/x/crypto/x509roots/fallback" // certificates of authorities, for a container that has none

	"github.com/sallyport-sftp/sallyport/internal/cli"
)

func main() {
	os.Exit(cli.Run(cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ()}, os.Args[1:]))
}
