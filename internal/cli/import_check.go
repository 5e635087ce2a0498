//go:build linux

package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/oldserver"
)

// checkedLogs is what import check found.
type checkedLogs struct {
	Lines    int                 `json:"lines"`
	Known    int                 `json:"known_lines"`
	Partners []oldserver.Partner `json:"partners"`
}

func (a *app) importCheck() *cobra.Command {
	all := false
	c := command("check LOGFILE...", "Say from an OpenSSH server's logs who could not log in here, and what to do",
		cobra.MinimumNArgs(1), func(_ context.Context, args []string) error {
			log := oldserver.NewLog()
			for _, name := range args {
				if err := a.readLog(log, name); err != nil {
					return err
				}
			}
			return a.printChecked(checkedLogs{Lines: log.Lines, Known: log.Known, Partners: log.Partners()}, all)
		})
	c.Long = c.Short + `.
It reads auth.log and its like, also packed with gzip, and what journalctl -u ssh
prints; - is standard input. The old server says more at LogLevel VERBOSE, and
most at DEBUG: which programs and algorithms partners use.`
	c.Flags().BoolVar(&all, "all", false, "list those for whom nothing is in the way, too")
	return c
}

// readLog reads a file, packed or not.
func (a *app) readLog(log *oldserver.Log, name string) error {
	const op = "cli.readLog"
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fault.E(op, fault.NotFound, "The log cannot be read: %v.", fault.InWords(err))
		}
		defer f.Close()
		in = f
	}
	buffered := bufio.NewReader(in)
	var r io.Reader = buffered
	if magic, _ := buffered.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return fault.E(op, fault.Invalid, "%s is not a whole gzip file.", name)
		}
		defer z.Close()
		r = z
	}
	return log.Read(r)
}

func (a *app) printChecked(v checkedLogs, all bool) error {
	t := table{head: []string{"USER", "LOG-INS", "FROM", "PROGRAM", "WHAT"}, long: true,
		none: "Nothing in these logs would fail here."}
	wrong := 0
	for _, p := range v.Partners {
		if len(p.Problems) == 0 && !all {
			continue
		}
		var what []string
		for _, x := range p.Problems {
			what = append(what, x.What+" To do: "+x.Do+".")
		}
		wrong += min(1, len(p.Problems))
		t.add(p.User, p.Keys+p.Passwords, strings.Join(p.Addresses, " "), strings.Join(p.Clients, " "), strings.Join(what,
			" "))
	}
	if err := a.show(v, t); err != nil || a.json {
		return err
	}
	fmt.Fprintf(a.Out, "\n%s read, %d of them known; %s would fail here.\n", counted(v.Lines, "line", "lines"), v.Known,
		counted(wrong, "partner or program", "partners and programs"))
	if v.Known == 0 {
		return fault.E("cli.printChecked", fault.Invalid, "No line of these files is one of OpenSSH's server.").
			WithHint("name auth.log, or the output of: journalctl -u ssh")
	}
	return nil
}
