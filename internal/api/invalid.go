package api

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// complaint is a validation error of the library: the pattern of its text, and our sentence and
// hint for it. The hint may be "". In both, {field} stands for the field, {value} for its value,
// and {bound} for what the pattern captures.
type complaint struct {
	pattern        *regexp.Regexp
	sentence, hint string
}

func rule(pattern, sentence, hint string) complaint {
	return complaint{regexp.MustCompile(pattern), sentence, hint}
}

// complaints are all validation errors that the operations here can cause.
var complaints = []complaint{
	rule(`^expected value to be one of "(.*)"$`, `{value} is no value of {field}.`, `say {bound}`),
	rule(`^expected number >= (\S+)$`, `{field} is {value}; it must be {bound} or more.`, ``),
	rule(`^expected number <= (\S+)$`, `{field} is {value}; it must be {bound} or less.`, ``),
	rule(`^expected length >= (\d+)$`, `{field} is too short; it has at least {bound} characters.`, ``),
	rule(`^expected length <= (\d+)$`, `{field} is too long; it has at most {bound} characters.`, ``),
	rule(`^expected array length >= (\d+)$`, `{field} is too short a list; it has at least {bound} entries.`, ``),
	rule(`^expected array length <= (\d+)$`, `{field} is too long a list; it has at most {bound} entries.`, ``),
	rule(`^(?:invalid|expected) integer$`, `{field}: {value} is not a whole number.`, ``),
	rule(`^(?:invalid float|invalid floating value|expected number)$`, `{field}: {value} is not a number.`, ``),
	rule(`^(?:invalid|expected) boolean$`, `{field}: {value} is neither true nor false.`, ``),
	rule(`^expected string$`, `{field}: {value} is not a text.`, ``),
	rule(`^expected string to be base64 encoded$`, `{field} is not base64.`, ``),
	rule(`^expected array$`, `{field}: {value} is not a list.`, ``),
	rule(`^expected object$`, `{field} is not an object.`, ``),
	rule(`^expected string to be RFC 3339 date-time$`, `{field}: {value} is not a time.`, `write 2026-11-01T06:00:00Z`),
	rule(`^invalid date/time for format`, `{field}: {value} is not a time.`, `write 2026-11-01T06:00:00Z`),
	rule(`^expected required property (\S+) to be present$`, `{bound} is missing.`, ``),
	rule(`^required \S+ parameter is missing$`, `{field} is missing.`, ``),
	rule(`^unexpected property$`, `There is no field {field}.`, ``),
	rule(`^expected at most one value`, `{field} is given more than once.`, ``),
}

// refusals are the errors with which the library refuses a whole request: the beginning of its
// text, and our sentence for it.
var refusals = []struct{ theirs, ours string }{
	{"request body is required", "The request has no body."},
	{"request body is too large", "The request is too large."},
	{"request body read timeout", "The request took too long to arrive."},
	{"cannot read request body", "The request broke off."},
	{"unknown content type", "The request is in no form that is known here; send JSON."},
}

// refused turns an error of the library into a Problem.
func refused(status int, msg string, errs ...error) *Problem {
	p := &Problem{Status: status, Title: http.StatusText(status), Kind: fault.Invalid.String()}
	if status >= 500 {
		p.Kind = fault.Internal.String()
	}
	p.Detail = fault.PublicText(&fault.Error{Kind: fault.KindOf(p.Kind)})
	for _, r := range refusals {
		if strings.HasPrefix(msg, r.theirs) {
			p.Detail = r.ours
		}
	}
	if status >= 500 {
		return p
	}
	var sentences []string
	for _, err := range errs {
		var d *huma.ErrorDetail
		if !errors.As(err, &d) {
			continue
		}
		sentence, hint := complain(d)
		if p.Field == "" {
			p.Field = fieldOf(d)
		}
		sentences = append(sentences, sentence)
		if p.Hint == "" {
			p.Hint = hint
		}
	}
	if len(sentences) > 0 {
		p.Detail = strings.Join(sentences, " ")
	}
	return p
}

// complain returns a sentence on what is wrong with a field, and a hint or "".
func complain(d *huma.ErrorDetail) (sentence, hint string) {
	field, value := fieldOf(d), quoted(d.Value)
	for _, c := range complaints {
		m := c.pattern.FindStringSubmatch(d.Message)
		if m == nil {
			continue
		}
		bound := ""
		if len(m) > 1 {
			bound = m[1]
		}
		if values := strings.Split(bound, ", "); len(values) > 1 { // of an enumeration
			words := inWords(values)
			bound = strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
			if near := valid.Nearest(fmt.Sprint(d.Value), append(words, values...)); near != "" {
				return said(c.sentence, field, value, bound), fmt.Sprintf("did you mean %s? Say %s", model.Word(near), bound)
			}
		}
		return said(c.sentence, field, value, bound), said(c.hint, field, value, bound)
	}
	if field == "body" {
		return "The body of the request cannot be read as JSON.", ""
	}
	return said("{field} is not valid.", field, value, ""), ""
}

// missingProperty matches the library's text on a field that is missing, which Location does not name.
var missingProperty = regexp.MustCompile(`^expected required property (\S+) to be present$`)

// fieldOf returns the field that a validation error is about: limit of query.limit, roles[0] of
// body.roles[0].
func fieldOf(d *huma.ErrorDetail) string {
	if m := missingProperty.FindStringSubmatch(d.Message); m != nil {
		return valid.Printable(m[1])
	}
	_, field, inside := strings.Cut(d.Location, ".")
	if !inside {
		field = d.Location
	}
	return valid.Printable(field)
}

// inWords returns the values of an enumeration as people read them.
func inWords(codes []string) []string {
	out := make([]string, len(codes))
	for i, code := range codes {
		if out[i] = code; model.Code(model.Word(code)) == code {
			out[i] = model.Word(code)
		}
	}
	return out
}

// said fills in the placeholders of a text.
func said(text, field, value, bound string) string {
	return strings.NewReplacer("{field}", field, "{value}", value, "{bound}", bound).Replace(text)
}

// longestTold is the number of bytes up to which a wrong value is repeated.
const longestTold = 80

// quoted formats a value for a sentence.
func quoted(v any) string {
	text := fmt.Sprint(v)
	if s, ok := v.(string); ok {
		text = fmt.Sprintf("%q", valid.Printable(s))
	}
	if len(text) > longestTold {
		return "what was sent"
	}
	return valid.Printable(text)
}
