// Package siem writes events in the forms that a SIEM reads, and sends them: JSON lines, or syslog (RFC 5424) over
// TCP, TLS (RFC 5425, RFC 6587) or UDP (RFC 5426).
package siem

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Bounds of a syslog message, in bytes. RFC 5425 (4.3.1) has receivers take 8192, RFC 5426 (3.2) 2048.
const (
	MostStream   = 8192
	MostDatagram = 2048
	mostValue    = 1024 // of one value
)

const (
	facilityAudit = 13 // log audit (RFC 5424, table 1)
	facilityAuth  = 10 // security and authorization messages
	notice        = 5
	warning       = 4
	// dataID names our structured data. 32473 is the enterprise number that RFC 5612 sets apart for whoever has none.
	dataID = "sallyport@32473"
)

// JSON returns an event as a line of JSON, with its end.
func JSON(e model.StreamEvent) ([]byte, error) {
	b, err := json.Marshal(e)
	return append(b, '\n'), err
}

// Syslog returns an event as a message of RFC 5424 of at most most bytes. host is the machine that sends it. Values
// that are too long are cut, and what has no room is left out: then the structured data has truncated="true".
func Syslog(e model.StreamEvent, host string, most int) []byte {
	facility, severity := facilityAudit, notice
	if e.Source == model.SourceConnection {
		facility = facilityAuth
		if e.Action == model.ActionRefused {
			severity = warning
		}
	}
	var b strings.Builder
	b.WriteString("<" + strconv.Itoa(facility*8+severity) + ">1 " + e.Time.UTC().Format("2006-01-02T15:04:05.000000Z") +
		" " + header(host, 255) + " sallyport - " + header(e.Action, 32) + " [" + dataID)
	cut := false
	add := func(name, value string) {
		if value == "" {
			return
		}
		text, whole := quoted(value)
		pair := " " + paramName(name) + `="` + text + `"`
		if b.Len()+len(pair)+len(` truncated="true"]`) > most {
			cut = true
			return
		}
		cut = cut || !whole
		b.WriteString(pair)
	}
	for _, f := range [][2]string{{"source", e.Source}, {"seq", strconv.FormatInt(e.Seq, 10)}, {"id", e.ID},
		{"action", e.Action}, {"outcome", e.Outcome}, {"address", e.Address}, {"user", e.User}, {"account", e.Account},
		{"actor", e.Actor}, {"subject", e.Subject}} {
		add(f[0], f[1])
	}
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		add("d."+name, e.Detail[name])
	}
	if cut {
		b.WriteString(` truncated="true"`)
	}
	b.WriteString("]")
	return []byte(b.String())
}

// header makes a field of the header: printable ASCII without blanks, or "-".
func header(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

// paramName makes the name of a value: at most 32 bytes of printable ASCII without = ] and quotes.
func paramName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '=' || r == ']' || r == '"' {
			return '_'
		}
		return r
	}, header(s, 32))
}

// quoted makes a value: printable UTF-8, with a backslash before each quote, backslash and closing bracket, as RFC
// 5424 (6.3.3) says. whole is false if it was cut.
func quoted(s string) (text string, whole bool) {
	s = valid.Printable(s)
	whole = len(s) <= mostValue
	if !whole {
		s = s[:mostValue]
		for !utf8.ValidString(s) { // it was cut inside of a character
			s = s[:len(s)-1]
		}
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s), whole
}
