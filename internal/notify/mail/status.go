package mail

import (
	"bufio"
	"io"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Bounds of a block of fields, in fields and in bytes.
const (
	maxFields = 200
	maxField  = 8 << 10
)

// readBlock reads header fields up to an empty line. It is more tolerant than the library: a
// line that is not a field continues the field before it, since mail servers often do not
// indent long diagnostics. It returns io.EOF at the end of the text.
func readBlock(in *bufio.Reader) (textproto.MIMEHeader, error) {
	h := textproto.MIMEHeader{}
	last := ""
	for {
		line, err := readLine(in)
		text := strings.TrimSpace(line)
		if text == "" {
			if err != nil || len(h) > 0 {
				return h, err
			}
			continue // empty lines before the first field
		}
		name, value, ok := strings.Cut(line, ":")
		switch {
		case ok && fieldName.MatchString(name) && len(h) < maxFields:
			last = textproto.CanonicalMIMEHeaderKey(strings.TrimRight(name, " "))
			h[last] = append(h[last], strings.TrimSpace(value))
		case last != "":
			v := h[last]
			if end := &v[len(v)-1]; len(*end) < maxField {
				*end += " " + text
			}
		}
		if err != nil {
			return h, err
		}
	}
}

// fieldName matches the name of a field. It must not begin with a digit, as lines of a
// diagnostic do ("550-5.1.1 ...: ...").
var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]* ?$`)

// readLine reads one line and cuts it to maxField bytes.
func readLine(in *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		part, err := in.ReadSlice('\n')
		if service := maxField - b.Len(); service > 0 {
			b.Write(part[:min(len(part), service)])
		}
		if err != bufio.ErrBufferFull {
			return b.String(), err
		}
	}
}

// readStatus reads the blocks of a delivery status: one for the message, then one for each
// recipient. It returns how many recipients failed, including those without a readable address.
func (r *report) readStatus(in io.Reader) (failed int) {
	lines := bufio.NewReader(in)
	for range 1000 {
		h, err := readBlock(lines)
		r.add(h["Original-Envelope-Id"]...)
		if action, _, _ := strings.Cut(comments.ReplaceAllString(h.Get("Action"), " "),
			";"); strings.EqualFold(strings.TrimSpace(action), "failed") {
			failed++
			if address, ok := recipient(h); ok {
				r.Failures = append(r.Failures, model.MailFailure{Address: address, Why: why(h), Full: full(h)})
			}
		}
		if err != nil {
			break
		}
	}
	return failed
}

// comments matches comments of RFC 5322, without nesting.
var comments = regexp.MustCompile(`\([^()]*\)`)

// recipient returns the address as the sender wrote it, or else as the server knows it.
func recipient(h textproto.MIMEHeader) (string, bool) {
	for _, name := range []string{"Original-Recipient", "Final-Recipient"} {
		for _, v := range h[name] {
			if _, rest, typed := strings.Cut(v, ";"); typed {
				v = rest
			}
			v = strings.TrimSpace(comments.ReplaceAllString(v, " "))
			if from, to := strings.LastIndexByte(v, '<'), strings.LastIndexByte(v, '>'); from >= 0 && to > from {
				v = v[from+1 : to]
			}
			if address, err := valid.CheckEmail(strings.Trim(v, "<> ")); err == nil {
				return address, true
			}
		}
	}
	return "", false
}

// why returns the report's reason for a recipient, in at most 180 bytes.
func why(h textproto.MIMEHeader) string {
	text := valid.Printable(strings.TrimSpace(h.Get("Status") + " " + h.Get("Diagnostic-Code")))
	if len(text) > 180 {
		text = text[:180]
	}
	if text == "" {
		text = "a mail server reported that it failed"
	}
	return strings.ToValidUTF8(text, "")
}

// full reports whether the mailbox was full, in which case the address is valid (RFC 3463:
// X.2.2).
func full(h textproto.MIMEHeader) bool {
	status, _, _ := strings.Cut(strings.TrimSpace(comments.ReplaceAllString(h.Get("Status"), " ")), " ")
	_, detail, ok := strings.Cut(status, ".")
	return ok && detail == "2.2"
}
