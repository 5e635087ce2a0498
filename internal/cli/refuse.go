package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// refusal is an error as JSON: with --json, one object on standard error, on one line.
type refusal struct {
	Kind     string        `json:"kind"`    // not_found, invalid, denied, …: docs/operate.md has all
	Message  string        `json:"message"` // one sentence
	Field    string        `json:"field,omitempty"`
	Hint     string        `json:"hint,omitempty"`
	Action   *model.Action `json:"action,omitempty"`
	Command  string        `json:"command,omitempty"` // of the action
	Usage    string        `json:"usage,omitempty"`
	Mistakes []mistake     `json:"mistakes,omitempty"` // of a configuration
	ExitCode int           `json:"exit_code"`
}

// mistake is one mistake in a configuration.
type mistake struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// refused turns an error into what people and programs are told.
func refused(err error) refusal {
	var e *fault.Error
	if !errors.As(err, &e) { // an error of the library about the command line, or of the output
		e = fault.E("cli.Run", fault.Invalid, "%s.", fault.InWords(err))
	}
	r := refusal{Kind: e.Kind.String(), Message: fault.PublicText(e), Field: e.Field, Hint: e.Hint, Action: e.Action,
		Command: commandFor(e.Action), ExitCode: e.Kind.ExitCode()}
	if e.Public == "" && e.Err != nil { // the reader is the operator, who may see the cause
		r.Message += " (" + fault.InWords(e.Err) + ")"
	}
	var m *misuse
	if errors.As(err, &m) {
		r.Usage = m.usage
	}
	var list config.Mistakes
	if errors.As(err, &list) {
		for _, one := range list {
			r.Mistakes = append(r.Mistakes, mistake{one.File, one.Line, one.Setting, one.Text, one.Hint})
		}
	}
	return r
}

// refuse prints an error, and returns the exit code.
func (a *app) refuse(err error) int {
	r := refused(err)
	if a.json {
		a.complain(r)
		return r.ExitCode
	}
	if len(r.Mistakes) > 1 {
		a.printMistakes(r.Mistakes)
		return r.ExitCode
	}
	fmt.Fprintf(a.Err, "sallyport: %s\n", r.Message)
	if r.Usage != "" {
		fmt.Fprintf(a.Err, "usage: %s\n", r.Usage)
	}
	if next := nextStep(r.Hint, r.Action); next != "" {
		fmt.Fprintf(a.Err, "hint: %s\n", next)
	}
	return r.ExitCode
}

// failed tells of one of several things that failed, while a command goes on. The texts are put
// before and after the error's.
func (a *app) failed(err error, before, after string) {
	r := refused(err)
	if a.json {
		r.Message = strings.TrimPrefix(before, "sallyport: ") + r.Message + after
		a.complain(r)
		return
	}
	fmt.Fprintf(a.Err, "%s%s%s\n", before, r.Message, after)
}

// printMistakes prints all mistakes of a configuration, each with its hint.
func (a *app) printMistakes(list []mistake) {
	fmt.Fprintf(a.Err, "sallyport: The configuration has %d mistakes.\n", len(list))
	for _, m := range list {
		place := ""
		if m.File != "" {
			place = fmt.Sprintf("%s:%d: ", m.File, m.Line)
		}
		fmt.Fprintf(a.Err, "  %s%s\n", place, m.Message)
		if m.Hint != "" {
			fmt.Fprintf(a.Err, "    hint: %s\n", m.Hint)
		}
	}
}

// complain prints an error as JSON.
func (a *app) complain(r refusal) {
	enc := json.NewEncoder(a.Err)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(r) // texts and numbers can be encoded; without standard error nobody is told
}

// asksForJSON reports whether a command line has --json. It is looked for before the line is
// parsed, so that an error of parsing is JSON, too.
func asksForJSON(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "--":
			return false
		case "--json", "--json=true":
			return true
		}
	}
	return false
}
