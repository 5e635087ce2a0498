package mail

import (
	"bufio"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"net/textproto"
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

// ReadBounce reads a delivery status notification (RFC 3464) and returns the
// addresses that failed for good. A mail that is no such report is Invalid.
func ReadBounce(in io.Reader) ([]Failure, error) {
	notReport := exchange.E("mail.ReadBounce", exchange.Invalid, "This mail is no delivery report (RFC 3464).")
	m, err := netmail.ReadMessage(io.LimitReader(in, maxReport))
	if err != nil {
		return nil, notReport
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["boundary"] == "" {
		return nil, notReport
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return nil, notReport
		}
		if kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type")); err == nil && kind == "message/delivery-status" {
			return readStatus(part)
		}
	}
}

// readStatus reads the blocks of a delivery status: one of the message, then
// one a recipient.
func readStatus(in io.Reader) (out []Failure, err error) {
	r := textproto.NewReader(bufio.NewReader(in))
	for range 1000 {
		h, err := r.ReadMIMEHeader()
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
				out = append(out, Failure{address, strings.ToValidUTF8(why, "")})
			}
		}
		if err != nil {
			return out, nil
		}
	}
	return out, nil
}
