package mail

import (
	"bufio"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxReport is the largest size of a bounce that is read, in bytes.
const maxReport = 10 << 20

// ReadBounce parses a delivery status notification (RFC 3464, RFC 6533). It returns the ids of
// the mails it is about, and the addresses that failed permanently. It returns Invalid for
// other mails, and for a report of a failure without a readable address.
func ReadBounce(in io.Reader) (model.MailReport, error) {
	notReport := fault.E("mail.ReadBounce", fault.Invalid, "This mail is no delivery report (RFC 3464).")
	m, err := netmail.ReadMessage(io.LimitReader(in, maxReport))
	if err != nil {
		return model.MailReport{}, notReport
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["boundary"] == "" {
		return model.MailReport{}, notReport
	}
	var out report
	for _, name := range []string{"Delivered-To", "X-Original-To", "To"} { // the envelope sender of our mail (VERP)
		out.add(m.Header[textproto.CanonicalMIMEHeaderKey(name)]...)
	}
	status, failed := out.readParts(multipart.NewReader(m.Body, params["boundary"]))
	switch {
	case !status:
		return model.MailReport{}, notReport
	case failed > 0 && len(out.Failures) == 0:
		return model.MailReport{}, fault.E("mail.ReadBounce", fault.Invalid,
			"The report says that mail failed, and no address could be read from it.").
			WithHint("read the report, and note the address").WithAction("note-bounce")
	}
	return model.MailReport(out), nil
}

// report collects what was read so far.
type report model.MailReport

// readParts reads the parts of a report. It returns whether there is a status part, and how
// many recipients failed.
func (r *report) readParts(parts *multipart.Reader) (status bool, failed int) {
	for range 20 {
		part, err := parts.NextPart()
		if err != nil {
			break
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil {
			continue
		}
		var body io.Reader = part // quoted-printable is decoded by the library
		if strings.EqualFold(strings.TrimSpace(part.Header.Get("Content-Transfer-Encoding")), "base64") {
			body = base64.NewDecoder(base64.StdEncoding, part)
		}
		switch kind {
		case "message/delivery-status", "message/global-delivery-status":
			if !status {
				status = true
				failed = r.readStatus(body)
			}
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers": // the returned mail
			h, _ := readBlock(bufio.NewReader(body))
			r.add(h["Message-Id"]...)
		}
	}
	return status, failed
}

// messageID matches the id of one of our mails: before the @ of its Message-ID, or in the tag
// of its envelope sender. Ids are stored in capitals.
var messageID = regexp.MustCompile(`(?i)(?:^|[<+\s,;=])([0-9a-hjkmnp-tv-z]{26})@`)

func (r *report) add(fields ...string) {
	for _, text := range fields {
		for _, found := range messageID.FindAllStringSubmatch(text, 10) {
			if id := strings.ToUpper(found[1]); len(r.Messages) < 10 && !slices.Contains(r.Messages, id) {
				r.Messages = append(r.Messages, id)
			}
		}
	}
}
