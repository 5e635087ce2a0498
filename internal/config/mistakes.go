package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Mistake is one mistake in a configuration.
type Mistake struct {
	File    string // "": it is in the environment, or its place is not known
	Line    int
	Setting string // limits.idle; "": no single one
	Text    string // a sentence
	Hint    string
}

// String returns the place and the sentence.
func (m Mistake) String() string {
	if m.File == "" {
		return m.Text
	}
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Text)
}

// Mistakes are all mistakes of a configuration, in the order of their lines.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// findings collects mistakes, and knows where each setting was set.
type findings struct {
	file  string
	lines map[string]int    // setting → line of the file
	vars  map[string]string // setting → environment variable
	list  Mistakes
}

// bad notes that a setting's value cannot work. The mistake may be given a hint.
func (f *findings) bad(setting, format string, args ...any) *Mistake {
	m := Mistake{Setting: setting, Text: setting + ": " + fmt.Sprintf(format, args...)}
	if name, ok := f.vars[setting]; ok {
		m.Text = name + ": " + fmt.Sprintf(format, args...)
	} else if line := f.line(setting); line > 0 {
		m.File, m.Line = f.file, line
	}
	f.list = append(f.list, m)
	return &f.list[len(f.list)-1]
}

// oneOf notes a value that is none of those that are known.
func (f *findings) oneOf(setting, value string, known ...string) {
	if slices.Contains(known, value) {
		return
	}
	m := f.bad(setting, "%q is not one of %s.", value, strings.Join(known, ", "))
	if near := valid.Nearest(value, known); near != "" {
		m.Hint = fmt.Sprintf("did you mean %q?", near)
	}
}

// refused notes that a check from elsewhere refused a setting. A nil error is no mistake.
func (f *findings) refused(setting string, err error) {
	if err == nil {
		return
	}
	text := err.Error()
	if e := (*fault.Error)(nil); errors.As(err, &e) {
		text = fault.PublicText(err)
	}
	text = strings.TrimPrefix(text, setting+": ")
	f.bad(setting, "%s", text).Hint = fault.HintIn(err)
}

// line returns the line where a setting, or the nearest one above it, is set; 0 if none is.
func (f *findings) line(setting string) int {
	for setting != "" {
		if n := f.lines[setting]; n > 0 {
			return n
		}
		setting = setting[:max(0, strings.LastIndexByte(setting, '.'))]
	}
	return 0
}

// err returns all that was found as one error, or nil. Its sentence is the first mistake, or says
// how many there are.
func (f *findings) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(x, y Mistake) int {
		return cmp.Or(x.Line-y.Line, strings.Compare(x.Setting, y.Setting))
	})
	first := f.list[0]
	return &fault.Error{Op: "config.Load", Kind: fault.Invalid, Public: first.String(), Field: first.Setting,
		Hint: first.Hint, Err: f.list}
}
