// Command sallyport is the whole product: server, tools and help.
package main

import (
	"os"

	"github.com/sallyport-sftp/sallyport/internal/cli"
)

func main() {
	os.Exit(cli.Run(cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ()}, os.Args[1:]))
}
