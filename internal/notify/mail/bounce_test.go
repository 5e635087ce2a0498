package mail_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// dsn is a report by Postfix about two of three recipients.
const dsn = "Return-Path: <>\r\nDate: Mon,  5 Jan 2026 09:00:00 +0000 (UTC)\r\nFrom: MAILER-DAEMON@mx.example.net " +
	"(Mail Delivery System)\r\n" +
	"Subject: Undelivered Mail Returned to Sender\r\nTo: files@example.com\r\nAuto-Submitted: " +
	"auto-replied\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/report; " +
	"report-type=delivery-status;\r\n\tboundary=\"4XyZ.1767603600/mx.example.net\"\r\n\r\nThis is a MIME-encapsulated " +
	"message.\r\n\r\n" +
	"--4XyZ.1767603600/mx.example.net\r\nContent-Description: Notification\r\nContent-Type: text/plain; " +
	"charset=us-ascii\r\n\r\nI'm sorry to have to inform you...\r\n\r\n" +
	"--4XyZ.1767603600/mx.example.net\r\nContent-Description: Delivery report\r\nContent-Type: " +
	"message/delivery-status\r\n\r\n" +
	"Reporting-MTA: dns; mx.example.net\r\nX-Postfix-Queue-ID: 4XyZ\r\nArrival-Date: Mon,  5 Jan 2026 08:59:58 +0000 " +
	"(UTC)\r\n\r\n" +
	"Final-Recipient: rfc822; gone@example.org\r\nOriginal-Recipient: rfc822;Gone@example.org\r\nAction: " +
	"failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mail.example.org\r\n" +
	"Diagnostic-Code: smtp; 550 5.1.1 <gone@example.org>: Recipient address\r\n    rejected: User unknown\r\n\r\n" +
	"Final-Recipient: rfc822; slow@example.org\r\nAction: delayed\r\nStatus: 4.4.1\r\n\r\n" +
	"Final-Recipient: rfc822; left@example.org\r\nAction: FAILED\r\nStatus: 5.7.1\r\n\r\n" +
	"--4XyZ.1767603600/mx.example.net\r\nContent-Description: Undelivered Message Headers\r\nContent-Type: " +
	"text/rfc822-headers\r\n\r\nFrom: files@example.com\r\nMessage-ID: <01kabcdefghjkmnpqrstvwxyz0@example.com>\r\nTo: " +
	"gone@example.org\r\n\r\n" +
	"--4XyZ.1767603600/mx.example.net--\r\n"

// TestABounceNamesWhomMailDidNotReach: the report returns recipients that failed permanently,
// not delayed ones, with the server's reason.
func TestABounceNamesWhomMailDidNotReach(t *testing.T) {
	for name, text := range map[string]string{"as it came": dsn,
		"with line ends of Unix": strings.ReplaceAll(dsn, "\r\n", "\n")} {
		report, err := mail.ReadBounce(strings.NewReader(text))
		testkit.Must(t, err)
		if len(report.Messages) != 1 || report.Messages[0] != "01KABCDEFGHJKMNPQRSTVWXYZ0" {
			t.Errorf("%s: it is about %q", name, report.Messages)
		}
		if got := report.Failures; len(got) != 2 || !strings.EqualFold(got[0].Address, "gone@example.org") ||
			got[1].Address != "left@example.org" ||
			!strings.Contains(got[0].Why, "5.1.1") || !strings.Contains(got[0].Why, "User unknown") || got[1].Why != "5.7.1" {
			t.Errorf("%s: %+v", name, report)
		}
	}
}

// reported returns a report with these status blocks.
func reported(kind, blocks string) string {
	return "To: bounces+01KABCDEFGHJKMNPQRSTVWXYZ1@example.com\nContent-Type: multipart/report; " +
		"report-type=delivery-status; boundary=B\n\n--B\nContent-Type: " + kind +
		"\n\n" + blocks + "\n--B--\n"
}

// TestReportsAsServersWriteThem: each report gives exactly the address that failed.
func TestReportsAsServersWriteThem(t *testing.T) {
	const head, failed = "Reporting-MTA: dns; mx.example.net\n\n", "Action: failed\nStatus: 5.1.1\n"
	final := func(who string) string { return head + "Final-Recipient: " + who + "\n" + failed }
	for name, text := range map[string]string{
		"plain":           reported("message/delivery-status", final("rfc822; jo@example.org")),
		"angle brackets":  reported("message/delivery-status", final("rfc822;<jo@example.org>")),
		"a name in front": reported("message/delivery-status", final("rfc822; Jo <jo@example.org>")),
		"a comment behind": reported("message/delivery-status",
			final("rfc822; jo@example.org (Jo; sales)")),
		"no type": reported("message/delivery-status", final("jo@example.org")),
		"an original that is none": reported("message/delivery-status",
			head+"Original-Recipient: rfc822;unknown\nFinal-Recipient: rfc822; jo@example.org\n"+failed),
		"a diagnostic that is not indented": reported("message/delivery-status",
			head+"Final-Recipient: rfc822; ann@example.org\nDiagnostic-Code: smtp; 550-5.1.1 No account.\n550 5.1.1 See: "+
				"https://example.net\nAction: delayed\nStatus: 4.1.1\n\nFinal-Recipient: rfc822; jo@example.org\n"+failed),
		"global": reported("message/global-delivery-status", final("utf-8; jo@example.org")),
		"a comment behind the action": reported("message/delivery-status",
			head+"Final-Recipient: rfc822; jo@example.org\nAction: Failed (bad mailbox)\nStatus: 5.1.1 (no such user)\n"),
		"base64": reported("message/delivery-status\nContent-Transfer-Encoding: BASE64",
			base64.StdEncoding.EncodeToString([]byte(final("rfc822; jo@example.org")))),
		"quoted-printable": reported("message/delivery-status\nContent-Transfer-Encoding: quoted-printable",
			final("rfc822; jo=40example.org")),
		"several empty lines between blocks": reported("message/delivery-status",
			"\n"+head+"\n\n"+final("rfc822; jo@example.org")),
		"the letters large and small": reported("Message/Delivery-Status",
			strings.ToUpper(head)+"FINAL-RECIPIENT: RFC822; jo@example.org\n"+strings.ToUpper(failed)),
		"a diagnostic of a megabyte": reported("message/delivery-status",
			head+"Diagnostic-Code: smtp; "+strings.Repeat("x", 1<<20)+"\nFinal-Recipient: rfc822; jo@example.org\n"+failed),
	} {
		got, err := mail.ReadBounce(strings.NewReader(text))
		if err != nil || len(got.Failures) != 1 || got.Failures[0].Address != "jo@example.org" || got.Failures[0].Full ||
			len(got.Messages) != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestAFullMailboxIsTold: a full mailbox is distinguished from a wrong address.
func TestAFullMailboxIsTold(t *testing.T) {
	for status, full := range map[string]bool{"5.2.2": true, "4.2.2": true, "5.2.2 (over quota)": true, "5.2.1": false,
		"5.1.1": false, "5.2.22": false, "2.2": false, "": false} {
		got, err := mail.ReadBounce(
			strings.NewReader(reported("message/delivery-status",
				"Final-Recipient: rfc822; jo@example.org\nAction: failed\nStatus: "+status+"\n")))
		if err != nil || len(got.Failures) != 1 || got.Failures[0].Full != full {
			t.Errorf("%q: %+v, %v", status, got, err)
		}
	}
}

// TestAReportThatCannotBeReadIsSaid: a report of a failure without an address is an error.
func TestAReportThatCannotBeReadIsSaid(t *testing.T) {
	for _, who := range []string{"Final-Recipient: rfc822; unknown", "X-Recipient: jo@example.org",
		"Final-Recipient: x400; /C=DE/"} {
		_, err := mail.ReadBounce(strings.NewReader(reported("message/delivery-status", who+"\nAction: failed\n")))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "no address could be read") {
			t.Errorf("%s: %v", who, err)
		}
	}
	if got, err := mail.ReadBounce(
		strings.NewReader(reported("message/delivery-status",
			"Final-Recipient: rfc822; jo@example.org\nAction: delayed\n"))); err != nil || len(got.Failures) != 0 {
		t.Errorf("late mail: %+v, %v", got, err)
	}
}

// TestABounceIsFoundByTheAddressItWentTo: the address has the tag of the mail.
func TestABounceIsFoundByTheAddressItWentTo(t *testing.T) {
	text := strings.ReplaceAll(dsn, "To: files@example.com", "To: bounces+01KABCDEFGHJKMNPQRSTVWXYZ1@example.com")
	got, err := mail.ReadBounce(strings.NewReader(text))
	testkit.Must(t, err)
	if want := []string{"01KABCDEFGHJKMNPQRSTVWXYZ1", "01KABCDEFGHJKMNPQRSTVWXYZ0"}; !slices.Equal(got.Messages, want) {
		t.Errorf("it is about %q", got.Messages)
	}
}

// TestWhatIsNoReportIsInvalid: other mails give no addresses.
func TestWhatIsNoReportIsInvalid(t *testing.T) {
	for name, text := range map[string]string{"nothing": "", "garbage": "\x00\xff",
		"a letter": "From: a@example.com\r\n\r\nhello", "no boundary": "Content-Type: multipart/report\r\n\r\nx",
		"a holiday answer": "Content-Type: text/plain\r\nAuto-Submitted: auto-replied\r\n\r\nFinal-Recipient: rfc822; " +
			"a@example.org\r\nAction: failed\r\n",
		"no status part": strings.ReplaceAll(dsn, "message/delivery-status", "text/plain"), "cut off": dsn[:500]} {
		got, err := mail.ReadBounce(strings.NewReader(text))
		if !fault.Is(err, fault.Invalid) || len(got.Failures)+len(got.Messages) > 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// FuzzReadBounce: for any input the result has only valid addresses, and reasons that may be
// stored.
func FuzzReadBounce(f *testing.F) {
	f.Add(dsn)
	f.Add(strings.ReplaceAll(dsn, "User unknown", strings.Repeat("ж", 300)))
	f.Add("Content-Type: multipart/report; boundary=a\n\n--a\nContent-Type: message/delivery-status\n\nFinal-Recipient: " +
		";@\nAction: failed\n")
	f.Add(reported("message/global-delivery-status",
		"Final-Recipient: utf-8; <jo@example.org> (x)\nAction: failed (y)\n550 z\n"))
	f.Add(reported("message/delivery-status\nContent-Transfer-Encoding: base64",
		"RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGpvQGV4YW1wbGUub3JnCkFjdGlvbjogZmFpbGVkCg=="))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := mail.ReadBounce(strings.NewReader(text))
		if err != nil && len(got.Failures) > 0 {
			t.Errorf("an error and %+v", got)
		}
		for _, v := range got.Failures {
			if _, err := valid.CheckEmail(v.Address); err != nil {
				t.Errorf("%q is no address", v.Address)
			}
			if err := valid.CheckLabel("reason", v.Why); err != nil {
				t.Errorf("%q cannot be stored: %v", v.Why, err)
			}
		}
	})
}
