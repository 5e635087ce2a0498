package connection_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// misledStories are about explanations that named the wrong reason, or a remedy that did not help.
var misledStories = stories{
	"explain said of a closed account that could download that it can't log in": func(t *testing.T, w *world) {
		w.policy.CloseAccess, w.Policy.CloseAccess = model.CloseReadOnly, model.CloseReadOnly
		w.Policy.AfterClose = 30 * day
		w.OpenAccounts()
		w.open()
		s := newScene(w)
		s.late = pairOf(t)
		s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountClosed))
		sum := w.explain("acme").Summary
		if want := "Can log in with " + s.good.Fingerprint + " or " + s.other.Fingerprint + "."; !contains(sum, want) ||
			!strings.Contains(sum[0].Text, "may log in read-only until ") {
			t.Errorf("%q, want %q", sum, want)
		}
		ref := w.failed("203.0.113.7", "acme", model.ReasonUnknownKey,
			func(r *connection.Record) { r.Offered = []string{s.late.Fingerprint} })
		s.Pass(time.Minute)
		s.enrolLate("acme")
		if e := w.explain(ref).Explanations[0]; !strings.HasSuffix(e.Since, ": they should try again.") {
			t.Errorf("a key that was enrolled for a closed account: %q", e.Since)
		}
	},
	"a read-only account's upload was put down to its directory": func(t *testing.T, w *world) {
		s := newScene(w)
		s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountReadOnly))
		ref := w.failed("203.0.113.7", "acme", model.ReasonDirectory,
			func(r *connection.Record) { r.Detail = "write /upload/x: " + exchange.OnlyFetches })
		e := w.explain(ref).Explanations[0]
		if e.Sentence != "Logged in, and was refused a change, because the account could only fetch files then: "+
			"write /upload/x." || !strings.HasPrefix(e.Advice, "Your access is for fetching files") || e.Since != "" {
			t.Errorf("%+v", e)
		}
		s.Pass(time.Minute)
		s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountActive))
		if e := w.explain(ref).Explanations[0]; e.Since != "The account was reinstated at 09:01 UTC: they should try again." {
			t.Errorf("reinstated: %+v", e)
		}
	},
	"a suspended partner was told that the key on file is not on file": func(t *testing.T, w *world) {
		s := newScene(w)
		s.late = pairOf(t)
		ref := w.failed("203.0.113.7", "acme", model.ReasonUnknownKey,
			func(r *connection.Record) { r.Offered = []string{s.late.Fingerprint} })
		s.Pass(10 * time.Minute)
		s.enrolLate("acme")
		s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountSuspended))
		e := w.explain(ref).Explanations[0]
		if e.Since != "That key was enrolled at 09:10 UTC, but the account is suspended now." ||
			e.Advice != "Your key is on file now. The account is suspended at the moment. Please ask us." {
			t.Errorf("%q, %q", e.Since, e.Advice)
		}
	},
	"after a limit other than the quota of bytes, --quota was offered": func(t *testing.T, w *world) {
		for said, want := range map[string]string{
			"Quota exceeded: 4 of 5 files are in use, and 1 uploads are unfinished.": " Raise the quota, if that is in order. " +
				"(edit-user quota_files= user=acme)",
			"Quota exceeded: 9 of 10 bytes are in use.": " Raise the quota, if that is in order. " +
				"(edit-user quota_bytes= user=acme)",
			"Limit reached: this mailbox keeps 9 of 10 files and directories, with older versions and removed files that the " +
				"server must still keep.": " Raise the limit, if that is in order. (edit-user keep_items= user=acme)",
			"Limit reached: all log-ins of this account keep 9 of 10 bytes together.": " Raise the limit of the account, if " +
				"that is in order. (edit-account account=acme keep_bytes=)",
			"8 uploads are unfinished, which is the limit; finish or remove some.": "",
		} {
			w.begin(t)
			u, k := w.customer("acme")
			r := w.login("203.0.113.7", u, k)
			w.service.UploadRefused(&exchange.Login{User: u, Session: r.Session, Fingerprint: k.Fingerprint},
				connection.Refusal{Path: "/upload/x", Err: fault.E("test", fault.Quota, "%s", said)})
			w.service.Flush()
			text := "The upload of /upload/x was refused on 2026-01-05 at 09:00 UTC: " + said + want
			if sum := w.explain("acme").Summary; !contains(sum, text) {
				t.Errorf("%q, want %q", sum, text)
			}
		}
		w.begin(t)
		w.policy.Limits = exchange.DefaultLimits{QuotaBytes: 1000, QuotaFiles: 5}
		w.open()
		u, k := w.customer("acme")
		r := w.login("203.0.113.7", u, k)
		end := w.Clock()
		r.EndedAt, r.Outcome, r.Detail = &end, model.ReasonQuota, "/upload/x: Quota exceeded: 4 of 5 files are in use."
		w.service.Note(r)
		e := w.explain("acme").Explanations[0]
		if !strings.HasPrefix(e.Advice, "You have as many files here as you may have.") ||
			!strings.HasPrefix(e.Since, "There is room now: it has 0 of ") {
			t.Errorf("%+v", e)
		}
	},
	"times in sentences were in UTC, whatever the zone of their reader": func(t *testing.T, w *world) {
		s := newScene(w)
		s.late = pairOf(t)
		ref := w.failed("203.0.113.7", "acme", model.ReasonUnknownKey,
			func(r *connection.Record) { r.Offered = []string{s.late.Fingerprint} })
		s.Pass(10 * time.Minute)
		s.enrolLate("acme")
		in := exchange.InZone(ctx, time.FixedZone("AEDT", 11*3600))
		e, err := w.service.Explain(in, ref)
		w.Must(err)
		if got := e.Explanations[0].Since; got != "That key was enrolled at 20:10 AEDT: they should try again." {
			t.Errorf("%q", got)
		}
		u, k := w.customer("beta")
		r := w.login("203.0.113.7", u, k)
		w.service.UploadRefused(&exchange.Login{User: u, Session: r.Session, Fingerprint: k.Fingerprint},
			connection.Refusal{Path: "/upload/x", Err: fault.E("test", fault.Denied, "No.")})
		w.service.Flush()
		b, err := w.service.Explain(in, "beta")
		w.Must(err)
		if want := "The upload of /upload/x was refused on 2026-01-05 at 20:10 AEDT: No."; !contains(b.Summary, want) {
			t.Errorf("%q, want %q", b.Summary, want)
		}
	},
}

// pairOf makes a key that nobody has yet.
func pairOf(t *testing.T) model.Key {
	pair := testkit.NewPair(t)
	return model.Key{Fingerprint: pair.Print, Public: pair.Line}
}
