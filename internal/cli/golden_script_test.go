package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// world is the environment of a script.
type world struct {
	*testing.T
	env   []string
	clock clock
	names names
	node  nodeUnderTest
}

// script runs the lines in a script's first column. It returns them with the output below each:
//
//	$ sallyport account list        its output, errors and exit code are recorded
//	+ sallyport account add acme    must succeed; nothing is recorded
//	+ upload acme calls.csv /upload/calls.csv
//	# a comment
//
// "<" gives standard input, "<<" what a person types at a terminal, ">" a file for standard output.
// Words in '…' are one word. Placeholders
// of earlier output (ID-1, SHA256:KEY-1) stand for what they replaced.
func (w *world) script(text string) string {
	w.Helper()
	var out strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		switch kind {
		case "#":
			fmt.Fprintln(&out, line)
		case "+":
			fmt.Fprintln(&out, line)
			w.prepare(split(w.names.expand(rest)))
		case "$":
			fmt.Fprintln(&out, line)
			stdout, stderr, code := w.run(split(w.names.expand(rest)))
			out.WriteString(w.recorded(stdout, stderr, code))
		}
	}
	return out.String()
}

// recorded formats output for a golden file.
func (w *world) recorded(stdout, stderr string, code int) string {
	var out strings.Builder
	indent := func(text, mark string) {
		for line := range strings.Lines(w.names.settle(text)) {
			fmt.Fprintln(&out, strings.TrimRight("  "+mark+strings.TrimSuffix(line, "\n"), " "))
		}
	}
	indent(stdout, "")
	indent(stderr, "! ")
	if code != 0 {
		fmt.Fprintf(&out, "  [exit %d]\n", code)
	}
	return out.String() + "\n"
}

// run runs one command line: sallyport ….
func (w *world) run(words []string) (stdout, stderr string, code int) {
	w.Helper()
	if len(words) == 0 || words[0] != "sallyport" {
		w.Fatalf("%q is no command line of sallyport", words)
	}
	words = words[1:]
	var in io.Reader = bytes.NewReader(nil)
	to := ""
	for len(words) > 1 {
		mark, file := words[len(words)-2], words[len(words)-1]
		if mark == "<" {
			in = bytes.NewReader(testkit.MustRead(w, file))
		} else if mark == "<<" {
			in = typed{strings.NewReader(file + "\n")}
		} else if mark == ">" {
			to = file
		} else {
			break
		}
		words = words[:len(words)-2]
	}
	var o, e bytes.Buffer
	code = Run(IO{In: in, Out: &o, Err: &e, Env: w.env, Clock: w.clock.now}, words)
	if to != "" {
		testkit.Must(w, os.WriteFile(to, o.Bytes(), 0o600))
		return "", e.String(), code
	}
	return o.String(), e.String(), code
}

// typed is standard input at a terminal.
type typed struct{ io.Reader }

// Terminal says that a person types.
func (typed) Terminal() bool { return true }

// split splits a line into words. Text in '…' is one word, or a part of one.
func split(line string) (words []string) {
	word, quoted, any := "", false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				words = append(words, word)
			}
			word, any = "", false
		default:
			word, any = word+string(r), true
		}
	}
	if any {
		words = append(words, word)
	}
	return words
}
