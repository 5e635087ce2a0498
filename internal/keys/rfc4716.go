package keys

import (
	"regexp"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Markers of RFC 4716 §3.2.
const (
	rfc4716Begin = "---- BEGIN SSH2 PUBLIC KEY ----"
	rfc4716End   = "---- END SSH2 PUBLIC KEY ----"
)

// rfc4716Marks matches the markers. Some programs write them with five dashes as in PEM.
var rfc4716Marks = regexp.MustCompile(`-{4,5} ?(BEGIN|END) SSH2 PUBLIC KEY ?-{4,5}`)

// oneLine matches a block body whose line ends were lost: headers, then base64.
var oneLine = regexp.MustCompile(`^(.*:.*?)\s(AAAA[A-Za-z0-9+/=\s]+)$`)

// readRFC4716 reads blocks. Anything else between them is an error.
func readRFC4716(text string) (out []Public, err error) {
	const op = "keys.Read"
	for text != "" {
		before, body, found := strings.Cut(text, rfc4716Begin)
		if strings.TrimSpace(before) != "" {
			return nil, somethingElse()
		}
		if !found {
			break
		}
		body, rest, found := strings.Cut(body, rfc4716End)
		if !found {
			return nil, fault.E(op, fault.Invalid, "The key's last line (END SSH2 PUBLIC KEY) is missing. Send the whole file.")
		}
		p, err := readBlock(body)
		if err != nil {
			return nil, err
		}
		out, text = append(out, p), rest
	}
	return out, nil
}

// readBlock reads the body of a block: headers ("Tag: value", continued after a backslash at
// the end of the line), then base64.
func readBlock(body string) (Public, error) {
	var comment string
	var b64 strings.Builder
	body = strings.TrimSpace(body)
	if m := oneLine.FindStringSubmatch(body); m != nil && !strings.Contains(body, "\n") {
		body = m[1] + "\n" + m[2]
	}
	lines := strings.Split(body, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		tag, value, isHeader := strings.Cut(line, ":")
		if !isHeader {
			b64.WriteString(strings.Join(strings.Fields(line), ""))
			continue
		}
		for strings.HasSuffix(value, `\`) && i+1 < len(lines) {
			i++
			value = strings.TrimSuffix(value, `\`) + strings.TrimSpace(lines[i])
		}
		if strings.EqualFold(strings.TrimSpace(tag), "comment") {
			comment = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return readBase64(b64.String(), comment, "RFC 4716")
}
