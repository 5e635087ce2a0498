package mail

import (
	"bufio"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// maxReport bounds a bounce, in bytes.
const maxReport = 10 << 20

// Failure is an address that a mail server's report says mail did not reach.
type Failure struct {
	Address string `json:"address"`
	Why     string `json:"why"`
}

// Report is what a delivery report says.
type Report struct {
	// Messages are ids that may be those of the mail which it is about, the
	// likeliest first. Anybody can send a report; who never had the mail does not
	// know its id.
	Messages []string  `json:"messages"`
	Failures []Failure `json:"failures"`
}

// ReadBounce reads a delivery status notification (RFC 3464): which mail it is
// about, and the addresses that failed for good. A mail that is no such report is
// Invalid.
func ReadBounce(in io.Reader) (Report, error) {
	notReport := exchange.E("mail.ReadBounce", exchange.Invalid, "This mail is no delivery report (RFC 3464).")
	m, err := netmail.ReadMessage(io.LimitReader(in, maxReport))
	if err != nil {
		return Report{}, notReport
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["boundary"] == "" {
		return Report{}, notReport
	}
	var out Report
	for _, name := range []string{"Delivered-To", "X-Original-To", "To"} { // the address that the mail came from (VERP)
		out.add(m.Header[textproto.CanonicalMIMEHeaderKey(name)]...)
	}
	if !out.readParts(multipart.NewReader(m.Body, params["boundary"])) {
		return Report{}, notReport
	}
	return out, nil
}

// readParts reads the parts of a report; false says that none is a status.
func (r *Report) readParts(parts *multipart.Reader) (status bool) {
	for range 20 {
		part, err := parts.NextPart()
		if err != nil {
			break
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch {
		case err != nil:
		case kind == "message/delivery-status" && !status:
			status = true
			r.readStatus(part)
		case kind == "message/rfc822" || kind == "text/rfc822-headers": // the mail that came back
			h, _ := textproto.NewReader(bufio.NewReader(part)).ReadMIMEHeader()
			r.add(h["Message-Id"]...)
		}
	}
	return status
}

// messageID finds the id of a mail of ours, in capitals as it is kept: before the
// @ of its Message-ID, or in a tag of the address that it came from.
var messageID = regexp.MustCompile(`(?i)(?:^|[<+\s,;=])([0-9a-hjkmnp-tv-z]{26})@`)

func (r *Report) add(fields ...string) {
	for _, text := range fields {
		for _, found := range messageID.FindAllStringSubmatch(text, 10) {
			if id := strings.ToUpper(found[1]); len(r.Messages) < 10 && !slices.Contains(r.Messages, id) {
				r.Messages = append(r.Messages, id)
			}
		}
	}
}

// readStatus reads the blocks of a delivery status: one of the message, then
// one a recipient.
func (r *Report) readStatus(in io.Reader) {
	blocks := textproto.NewReader(bufio.NewReader(in))
	for range 1000 {
		h, err := blocks.ReadMIMEHeader()
		r.add(h["Original-Envelope-Id"]...)
		if strings.EqualFold(strings.TrimSpace(h.Get("Action")), "failed") {
			who := h.Get("Original-Recipient")
			if who == "" {
				who = h.Get("Final-Recipient")
			}
			_, address, _ := strings.Cut(who, ";")
			if address, bad := exchange.CheckEmail(strings.TrimSpace(address)); bad == nil {
				why := exchange.Printable(strings.TrimSpace(h.Get("Status") + " " + h.Get("Diagnostic-Code")))
				if len(why) > 180 {
					why = why[:180]
				}
				if why == "" {
					why = "a mail server reported that it failed"
				}
				r.Failures = append(r.Failures, Failure{address, strings.ToValidUTF8(why, "")})
			}
		}
		if err != nil {
			return
		}
	}
}
