package console_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// requests is where the pages of requests are.
const requests = "/console/requests"

func at(r model.Request) string { return requests + "/" + r.Reference }

// state returns the state of a request.
func (w *world) state(r model.Request) model.RequestState {
	w.t.Helper()
	v, err := w.API.ShowRequest(ctx, r.Reference)
	testkit.Must(w.t, err)
	return v.State
}

// between is the part of a text between two others: what a form would send.
func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	value, _, _ := strings.Cut(rest, to)
	return value
}

func TestFromTheQueueToALogInWithTwoClicks(t *testing.T) {
	w := begin(t)
	w.get(requests).says(200, "Nobody waits for us.", "Record one that came by mail or phone")
	w.account("acme", "ACME Telecom")
	_, err := w.API.AddFeed(ctx, model.NewFeed{Name: "cdr", Title: "Call detail records", Kind: "cdr",
		Types: []string{"csv"}})
	testkit.Must(t, err)
	r := w.request("acme", func(n *model.AddRequest) { n.Feeds = []string{"cdr"} })
	w.get("/console/").goes(requests)
	w.get(requests).says(200, "Jo Hill, ACME Telecom", "jo@acme.example", "us, just now", "new", `href="`+at(r)+`"`)

	page := w.get(at(r)).says(200, "Everything is in order.", "The account number is that of ACME Telecom (acme).",
		"1 of 1 contacts have addresses at acme.example, too.", `The username &#34;acme&#34; is free.`, "sam@acme.example",
		"AEDT", "Hello.", r.Key.Fingerprint)
	// The form as it stands, and the button.
	sent := []string{"username", between(page.text, `id="username" name="username" type="text" value="`, `"`),
		"account", between(page.text, `id="account" name="account" type="text" value="`, `"`), "feeds", "cdr",
		"roles", "technical"}
	w.post(at(r)+"/approve", sent...).goes(at(r) + "?done=approved")

	w.get(at(r)+"?done=approved").says(200, "Approved. The user was made", "What was made",
		`href="/console/users/acme"`, "Mails to jo@acme.example", "was approved", "First log-in").
		lacks(`name="create_account"`)
	testkit.Eventually(t, "the welcome is listed", func() bool {
		return strings.Contains(w.get(at(r)).text, "file access for ACME Telecom is ready")
	})
	w.get("/console/users/acme").says(200, r.Key.Fingerprint, "nobody has logged in yet", "<dt>Request</dt>",
		"Call detail records", "acme.filezilla.xml")
	w.get("/console/users/acme/site/filezilla/other.xml").says(404)
	w.get("/console/users/acme/site/filezilla/acme.filezilla.xml").says(200, "files.example.com")
	w.get("/console/users/acme/guide?format=text").says(200, "files.example.com", "acme")
	w.get(requests+"?view=us").says(200, "Nobody waits for us.")
	w.get(requests+"?view=them").says(200, "Jo Hill")
}

func TestAQuestionIsAskedAndAnswered(t *testing.T) {
	w := begin(t)
	w.account("acme", "ACME Telecom")
	r := w.request("acme")
	w.post(at(r)+"/ask", "text", " ").says(422, "The question is empty.", `href="#text"`)
	w.post(at(r)+"/ask", "text", "Which of your companies?").goes(at(r) + "?done=asked")
	w.get(at(r)+"?done=asked").says(200, "The question is on its way.", "Which of your companies?", "needs answer",
		"waits for <strong>the requester</strong>", "root(0) asked")
	w.get(requests+"?state=asked").says(200, "needs answer", "Jo Hill")
	w.post(at(r) + "/remind").goes(at(r) + "?done=reminded")
}

func TestARequestIsRejectedWithAReasonToChoose(t *testing.T) {
	w := begin(t)
	w.account("acme", "ACME Telecom")
	r := w.request("acme")
	w.post(at(r)+"/reject", "ready", "none").says(422, "The reason is empty.")
	w.post(at(r)+"/reject", "ready", "known").goes(at(r) + "?done=rejected")
	w.get(at(r)).says(200, "Your account has a log-in already.", "rejected", "There is nothing to decide any more.")
	other := w.request("acme")
	w.get(at(other)).says(200, "Check 1 thing first.", "was rejected on", "Other requests of the same address")
	w.post(at(other)+"/reject", "ready", "known", "reason", "As told on the phone.").goes(at(other))
	w.get(at(other)).says(200, "As told on the phone.").lacks("has a log-in already. Please")
	withdrawn := w.request("acme", func(n *model.AddRequest) { n.Email = "kim@acme.example" })
	w.post(at(withdrawn)+"/withdraw", "withdraw_reason", "Sam called").goes(at(withdrawn))
	w.get(at(withdrawn)).says(200, "Withdrawn by root(0): Sam called")
}

// Whoever comes second sees what has become of the request, and that nothing was done.
func TestTwoOperatorsApproveAtOnce(t *testing.T) {
	w := begin(t)
	w.account("acme", "ACME Telecom")
	r := w.request("acme")
	answers := make([]answer, 2)
	var both sync.WaitGroup
	for i := range answers {
		both.Go(func() { answers[i] = w.post(at(r)+"/approve", "username", "acme", "account", "acme") })
	}
	both.Wait()
	first, second := answers[0], answers[1]
	if first.status == 409 {
		first, second = second, first
	}
	first.goes(at(r) + "?done=approved")
	second.says(409, "was approved by local:root(0), so it can&#39;t be approved", "What was made")
	w.post(at(r)+"/ask", "text", "Why?").says(409, "so it can&#39;t be asked about")
	w.post(at(r)+"/reject", "ready", "known").says(409, "so it can&#39;t be rejected")
}

// What is in the way is said, the form keeps what was typed, and it names the field.
func TestWhatIsInTheWayIsMended(t *testing.T) {
	w := begin(t)
	w.account("acme", "ACME Telecom")
	w.User("globex")
	r := w.request("nonesuch")
	w.get(at(r)).says(200, "Make it with the approval", "New account",
		"The approval makes the account.", "Make the account and approve")
	w.post(at(r)+"/approve", "username", "globex", "account", "nonesuch", "create_account", "1", "account_name",
		"Nonesuch", "roles", "technical").says(409, `value="globex"`, `name="create_account" value="1"`)
	w.post(at(r)+"/approve", "username", "nonesuch", "account", "nonesuch", "days", "many").says(422,
		"That is no number of days.", `<a href="#days">`, `value="many"`)
	w.post(at(r)+"/approve", "username", "nonesuch", "account", "nonesuch", "create_account", "1", "account_name",
		"Nonesuch Pty", "roles", "technical").goes(at(r))
	a, err := w.API.ShowAccount(ctx, "nonesuch")
	if err != nil || a.Name != "Nonesuch Pty" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTwoPeopleApproveWithFourEyes(t *testing.T) {
	w := begin(t, func(c *config.Config) { c.Onboard.FourEyes = true })
	w.account("acme", "ACME Telecom")
	r := w.request("acme")
	w.post(at(r)+"/approve", "username", "acme", "account", "acme").goes(at(r) + "?done=first")
	w.get(at(r)).says(200, "a second operator", "local:root(0) approved this", "Approve as well")
	w.post(at(r)+"/approve", "second", "1").says(403, "You approved the request", "Approve as well")
	second := w.role(model.RoleOnboarding)
	w.ask(second, at(r)+"/approve", form("second", "1")).goes(at(r) + "?done=approved")
	if s := w.state(r); s != model.RequestReady {
		t.Errorf("it is %s", s)
	}
}

func TestOwnersAndFilters(t *testing.T) {
	w := begin(t)
	w.account("acme", "ACME Telecom")
	r, other := w.request("acme"), w.request("globex", func(n *model.AddRequest) { n.Company = "Globex" })
	w.post(at(r)+"/assign", "to", "me").goes(at(r))
	w.get(at(r)).says(200, "owner <strong>kim</strong> (you)", "Assign to nobody", "Given to kim by root(0)")
	w.get(requests+"?view=mine").says(200, "ACME Telecom").lacks("Globex")
	w.post(at(r)+"/assign", "owner", "lee").goes(at(r))
	w.post(at(r)+"/assign", "owner", "lee").goes(at(r)) // a second click
	w.get(requests+"?owner=lee").says(200, "ACME Telecom").lacks("Globex")
	w.post(at(r)+"/assign", "owner", strings.Repeat("x", 300)).says(422, "The owner is longer than 200 bytes.")
	w.post(at(r)+"/assign", "to", "nobody").goes(at(r))
	for query, want := range map[string]bool{"text=globex": true, "text=GLOBEX&state=new": true, "number=Globex": true,
		"email=jo@globex.example": true, "state=ready": false, "text=" + other.Reference: true, "view=late": false,
		"since=2020-01-01": true, "until=2020-01-01": false, "view=unverified": false} {
		page := w.get(requests + "?" + query).says(200)
		if strings.Contains(page.text, "Jo Hill, Globex") != want {
			t.Errorf("%s: not %v", query, want)
		}
	}
	w.get(requests+"?since=yesterday").says(422, "That is no day.", `href="#since"`)
	w.get(requests + "?state=odd").says(422)
	w.get(requests+"?cursor=odd").says(422, "This cursor is not from this list")
}

func TestTheQueueHasPages(t *testing.T) {
	w := begin(t)
	line := testkit.NewPair(t).Line
	for range 120 {
		w.request("acme", func(n *model.AddRequest) {
			n.Key, n.Email = line, "p"+strings.ToLower(testkit.NewPair(t).Print[7:15])+"x@acme.example"
			n.Email = strings.NewReplacer("/", "a", "+", "b").Replace(n.Email)
		})
	}
	seen, next, pages := map[string]bool{}, requests+"?view=open", 0
	for next != "" {
		page := w.get(next).says(200)
		if len(page.text) > 100<<10 {
			t.Errorf("the page has %d bytes", len(page.text))
		}
		for part := range strings.SplitSeq(page.text, `<th scope="row"><a href="`) {
			path, _, _ := strings.Cut(part, `"`)
			seen[path] = true
		}
		pages++
		next = strings.ReplaceAll(between(page.text, `rel="next" href="`, `"`), "&amp;", "&")
	}
	if pages != 3 || len(seen) != 121 { // one is what is before the first
		t.Errorf("%d pages with %d requests", pages, len(seen)-1)
	}
}

// recorded fills in the form that records a request.
func recorded(change ...string) url.Values {
	v := form("channel", "phone", "verified", "called back", "first_name", "Jo", "last_name", "Hill", "email",
		"jo@acme.example", "company", "ACME Telecom", "account_number", "acme", "message", "Hello.")
	for i := 0; i+1 < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return v
}

func TestACallIsRecorded(t *testing.T) {
	w := begin(t)
	w.account("acme", "ACME Telecom")
	w.get(requests+"/new").says(200, "How it came", "How you checked who it is", `data-read="/console/read-key"`)
	w.ask(w.admin, requests+"/new", recorded("email", "nobody", "first_name", "")).says(422, `<a href="#email">`,
		`<a href="#first_name">`, `<a href="#key">`, "Please give your public key.", `value="ACME Telecom"`)
	pair := testkit.NewPair(t)
	to := w.ask(w.admin, requests+"/new", recorded("key", pair.Line)).goes(requests + "/").location
	w.get(to).says(200, "Recorded. Now decide about it.", pair.Print, "a call", "called back")
	w.ask(w.admin, requests+"/new", recorded("key", pair.Line)).says(409, "is the same")
	to = w.ask(w.admin, requests+"/new", recorded("key", testkit.NewPair(t).Line, "verified", "", "email",
		"lee@acme.example")).goes(requests + "/").location
	w.get(to).says(200, "A link to confirm the address is on its way.", "unverified")
}

// A private key that is sent is blocked, and nothing of it comes back.
func TestAPrivateKeyIsNotShownAgain(t *testing.T) {
	w := begin(t)
	pair := testkit.NewPair(t)
	private := string(pair.File(t, ""))
	secret := strings.Fields(private)[8]
	w.ask(w.admin, requests+"/new", recorded("key", private)).says(422, "This is a private key").lacks(secret)
	w.ask(w.admin, "/console/read-key", form("key", private)).says(422, "This is a private key").lacks(secret)
	w.ask(w.admin, "/console/read-key", form("key", pair.Line)).says(200, "Good: ssh-ed25519, 256 bits.", pair.Print)
	w.ask(w.admin, "/console/read-key", form("key", "odd")).says(422)
	to := w.ask(w.admin, requests+"/new", recorded("key", pair.Line)).goes(requests + "/").location
	w.get(to).says(200, "The key was blocked for ever", "Not ready to approve: 1 thing to settle.", "Ask for another")
}
