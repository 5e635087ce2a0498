package connection_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var sinceStories = stories{
	"a record keeps what was true then, and says what has changed": func(t *testing.T, w *world) {
		off, on := false, true
		for name, c := range map[string]struct {
			reason       string
			then         func(s scene)
			key          func(s scene) string
			later        func(s scene)
			says, reads  string // of the sentence, and of what has changed since
			advice       string
			keepsWaiting bool // nothing has changed for them
		}{
			"a key that was enrolled later": {reason: model.ReasonUnknownKey,
				key:   func(s scene) string { return s.late.Fingerprint },
				later: func(s scene) { s.enrolLate("acme") }, says: "which nobody had here then. Expected: ",
				reads:  "That key was enrolled at 09:10 UTC: they should try again.",
				advice: "Your key is on file now. Please try again."},
			"a key that was enrolled another day": {reason: model.ReasonUnknownKey,
				key:   func(s scene) string { return s.late.Fingerprint },
				later: func(s scene) { s.Pass(day); s.enrolLate("acme") },
				reads: "That key was enrolled on 2026-01-06 at 09:10 UTC: they should try again."},
			"a key that was enrolled for another": {reason: model.ReasonUnknownKey,
				key:   func(s scene) string { return s.late.Fingerprint },
				later: func(s scene) { s.enrolLate("globex") }, says: "which nobody had here then.",
				reads: "That key was enrolled for globex at 09:10 UTC.", advice: "a key that we don't have for you"},
			"a key that was enrolled and revoked": {reason: model.ReasonUnknownKey,
				key: func(s scene) string { return s.late.Fingerprint },
				later: func(s scene) {
					s.enrolLate("acme")
					s.do(s.Accounts.RevokeKey(ctx, "test", s.late.Fingerprint, "a mistake", false))
				}, reads: "That key was enrolled at 09:10 UTC, and works no longer.", advice: "we don't have for you"},
			"a key that nobody has": {reason: model.ReasonUnknownKey,
				key:  func(s scene) string { return s.stranger.Fingerprint },
				says: "which nobody has here. Expected: ", keepsWaiting: true},
			"the key that was expected and was revoked since": {reason: model.ReasonUnknownKey,
				key:   func(s scene) string { return s.stranger.Fingerprint },
				later: func(s scene) { s.do(s.Accounts.RevokeKey(ctx, "test", s.good.Fingerprint, "old", false)) },
				says:  "Expected: GOOD or ", keepsWaiting: true},
			"a key that was approved": {reason: model.ReasonKeyPending, key: func(s scene) string { return s.late.Fingerprint },
				later: func(s scene) { s.enrolLate("acme") }, reads: "That key was enrolled at 09:10 UTC: they should try again."},
			"a key that was enrolled, of a user that is disabled now": {reason: model.ReasonUnknownKey,
				key: func(s scene) string { return s.late.Fingerprint },
				later: func(s scene) {
					s.enrolLate("acme")
					s.do(w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{Enabled: &off}))
				}, reads: "That key was enrolled at 09:10 UTC, but the user is disabled now."},
			"a user that was enabled": {reason: model.ReasonUserDisabled,
				then:  func(s scene) { s.do(w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{Enabled: &off})) },
				later: func(s scene) { s.do(w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{Enabled: &on})) },
				says:  "the user was disabled", reads: "The user was enabled at 09:10 UTC: they should try again.",
				advice: "That is settled. Please try again."},
			"a user that is still disabled": {reason: model.ReasonUserDisabled,
				then: func(s scene) { s.do(w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{Enabled: &off})) },
				says: "the user was disabled", keepsWaiting: true},
			"an account that was reinstated": {reason: model.ReasonSuspended,
				then:  func(s scene) { s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountSuspended)) },
				later: func(s scene) { s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountActive)) },
				says:  "the account was suspended", reads: "The account was reinstated at 09:10 UTC: they should try again."},
			"an account that is still suspended": {reason: model.ReasonSuspended,
				then: func(s scene) { s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountSuspended)) }, keepsWaiting: true},
			"a user's list that changed": {reason: model.ReasonAddress,
				then: func(s scene) { s.allow("198.51.100.0/24") }, later: func(s scene) { s.allow("203.0.113.0/24") },
				says: "203.0.113.7 was not on the list", reads: "The address was allowed at 09:10 UTC: they should try again."},
			"an account's list that changed": {reason: model.ReasonAddress, later: func(s scene) {
				s.do(w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{AllowIPs: &[]string{"203.0.113.7"}}))
			}, reads: "The address was allowed at 09:10 UTC: they should try again."},
			"a list that did not": {reason: model.ReasonAddress,
				then: func(s scene) { s.allow("198.51.100.0/24") }, keepsWaiting: true},
			"a ban that ended": {reason: model.ReasonBanned, then: func(s scene) { s.fail(20, "203.0.113.7"); s.bans() },
				later: func(s scene) { s.Pass(day) }, says: "was banned until",
				reads: "The ban ended at 09:15 UTC: they should try again.", advice: "They can try again now."},
			"a ban that was lifted": {reason: model.ReasonBanned, then: func(s scene) { s.fail(20, "203.0.113.7"); s.bans() },
				later: func(s scene) { s.Must(w.service.Unban(ctx, "test", "203.0.113.7")) },
				reads: "The ban was lifted at 09:10 UTC: they should try again."},
			"a ban that lasts": {reason: model.ReasonBanned, then: func(s scene) { s.fail(20, "203.0.113.7"); s.bans() },
				keepsWaiting: true},
		} {
			t.Run(name, func(t *testing.T) {
				w.begin(t)
				s := newScene(w)
				pair := testkit.NewPair(t)
				s.late = model.Key{Fingerprint: pair.Print, Public: pair.Line}
				if c.then != nil {
					c.then(s)
				}
				ref := w.failed("203.0.113.7", "acme", c.reason, func(r *connection.Record) {
					r.Offered = []string{s.good.Fingerprint}
					if c.key != nil {
						r.Offered[0] = c.key(s)
					}
				})
				w.service.Flush()
				w.Pass(10 * time.Minute)
				if c.later != nil {
					c.later(s)
				}
				e := w.explain(ref).Explanations[0]
				says := strings.ReplaceAll(c.says, "GOOD", s.good.Fingerprint)
				if !strings.Contains(e.Sentence, says) || e.Since != c.reads || !strings.Contains(e.Advice, c.advice) ||
					c.keepsWaiting != (e.Since == "") {
					t.Errorf("says %q\nsince %q\ntells %q", e.Sentence, e.Since, e.Advice)
				}
			})
		}
	},
	"a user that was added later": func(t *testing.T, w *world) {
		ref := w.failed("203.0.113.7", "acme", model.ReasonUnknownUser)
		w.Pass(time.Minute)
		w.customer("acme")
		e := w.explain(ref).Explanations[0]
		if e.Sentence != `There was no user "acme" then.` ||
			e.Since != "The user acme was added at 09:01 UTC: they should try again." ||
			e.Advice != "Your access is ready now. Please try again." {
			t.Fatalf("%+v", e)
		}
	},
	"suspended is said before \"can log in\", and instead of it": func(t *testing.T, w *world) {
		s := newScene(w)
		s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountSuspended))
		sum := w.explain("acme").Summary
		if sum[0].Text != "The account acme is suspended." ||
			!strings.HasPrefix(sum[1].Text, "So it can't log in, although its keys are in order: ") {
			t.Fatalf("%q", sum)
		}
	},
	"an upload that failed is named, with its reason": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		r := w.login("203.0.113.7", u, k)
		l := &exchange.Login{User: u, Session: r.Session, Fingerprint: k.Fingerprint, Address: "203.0.113.7"}
		fail := func(path string, end int64, again bool, text string) {
			w.service.UploadRefused(l, connection.Refusal{Path: path, End: end, Again: again,
				Err: fault.E("test", fault.Quota, "%s", text)})
		}
		whole := exchange.LargerThanQuota + " of 10 bytes."
		fail("/upload/big.csv", 299, false, whole)
		w.service.Flush()
		fail("/upload/big.csv", 32_768, true, whole)
		fail("/upload/big.csv", 100, false, whole)
		denied := fault.E("test", fault.Denied, "Not allowed here.")
		w.service.UploadRefused(l, connection.Refusal{Path: "/upload/\xff", Err: denied})
		w.service.UploadRefused(l, connection.Refusal{Path: "/upload/half", End: 7, Err: errors.New("x"), Unfinished: true})
		end := w.Clock()
		r.EndedAt, r.Outcome, r.Detail = &end, model.ReasonQuota, "/upload/big.csv: "+whole
		w.service.Note(r)
		e := w.explain("acme")
		want := "The upload of /upload/big.csv was refused on 2026-01-05 at 09:00 UTC: " + whole + " It has at least 32768 " +
			"bytes. That happened 2 times."
		if !contains(e.Summary, want+" Raise the quota, if that is in order. (edit-user quota_bytes= user=acme)") ||
			len(e.Explanations[0].Uploads) != 3 ||
			e.Explanations[0].Uploads[0].Words != want || strings.Contains(e.Explanations[0].Sentence, "..") ||
			!strings.HasPrefix(e.Explanations[0].Advice, "Your file is larger than all the space") {
			t.Fatalf("%q\n%+v", e.Summary, e.Explanations[0])
		}
		if got := e.Explanations[0].Uploads[1].Path; got != `/upload/\xff` {
			t.Errorf("a name of any bytes: %q", got)
		}
		if got := e.Explanations[0].Uploads[2].Words; !strings.HasSuffix(got, "after 7 bytes: the connection ended.") {
			t.Errorf("broken off: %q", got)
		}
		if n := w.Count("refused_uploads"); n != 3 {
			t.Errorf("%d rows of three paths", n)
		}
		for i := range 6000 { // bounded in memory, and in the database
			w.service.UploadRefused(l, connection.Refusal{Path: fmt.Sprint("/upload/", i), Err: denied})
		}
		w.service.Flush()
		if n := w.Count("refused_uploads"); n > 4100 {
			t.Errorf("%d rows", n)
		}
	},
	"every reason has short words": func(t *testing.T, w *world) {
		for _, code := range reasonCodes(t) {
			if connection.Words(code) == code {
				t.Errorf("%s has none", code)
			}
		}
	},
}

func (s scene) enrolLate(user string) {
	s.Enrol(user, func(n *model.NewKey) { n.Text = s.late.Public })
}
