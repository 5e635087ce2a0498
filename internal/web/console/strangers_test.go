package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/web/console"
	"github.com/sallyport-sftp/sallyport/model"
)

func testPublic(key ssh.Signer) []byte { return ssh.MarshalAuthorizedKey(key.PublicKey()) }

// What strangers fill in is text on every page, never a part of it.
func TestStrangersWriteNoPages(t *testing.T) {
	w := begin(t)
	const mark = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}javascript:`
	w.account("acme", mark)
	_, err := w.API.AddContact(ctx, model.NewContact{Account: "acme", Name: mark, Email: "x@acme.example"})
	testkit.Must(t, err)
	_, err = w.API.AddFeed(ctx, model.NewFeed{Name: "cdr", Title: mark, Kind: "cdr", Types: []string{"csv"}})
	testkit.Must(t, err)
	r := w.request("acme", func(n *model.AddRequest) {
		n.FirstName, n.LastName, n.Company, n.Phone = mark, mark, mark, mark
		n.Message, n.Verified, n.Key = mark+"\n"+mark, mark, strings.TrimSpace(n.Key)+" "+mark
		n.Feeds = []string{"cdr"}
	})
	w.post(at(r)+"/assign", "owner", mark)
	w.post(at(r)+"/ask", "text", mark)
	query := url.QueryEscape(mark)
	pages := []answer{w.get(requests + "?view=open"), w.get(at(r)),
		w.post(at(r)+"/approve", "account", mark, "username", mark, "days", mark), w.post(at(r)+"/reject", "reason", " "),
		w.ask(w.admin, requests+"/new", recorded("email", mark, "first_name", mark, "key", mark, "message", mark,
			"channel", mark)), w.get("/console/give?text=" + query),
		w.get(requests + "?text=" + query + "&owner=" + query + "&since=" + query),
		w.get("/console/give?account=acme"), w.get(requests + "?done=" + query),
		w.post("/console/give/account", "id", mark, "name", mark)}
	w.post(at(r)+"/approve", "account", "acme", "username", "acme", "feeds", "cdr").goes(at(r))
	pages = append(pages, w.get(at(r)), w.get("/console/users/acme"), w.get("/console/users/acme/give"),
		w.post("/console/users/acme/contact", "name", mark, "email", mark))
	for _, page := range pages {
		page.lacks("<script>", "<img", `onerror=alert(2)>'`, `href="javascript:`)
		if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("the policy is %q", policy)
		}
	}
	if !strings.Contains(pages[1].text, "&lt;script&gt;") {
		t.Error("the mark is nowhere, so this test shows nothing")
	}
}

func TestWhatIsNotThere(t *testing.T) {
	w := begin(t)
	w.get(requests+"/2345-6789").says(404, "There is no request", "Back to the requests")
	w.get("/console/users/nobody").says(404, "nobody")
	w.get("/console/users/nobody/give").says(404)
	w.get("/console/none/such").says(404, "There is no page at this address.")
	w.post(requests+"/2345-6789/approve").says(404, "There is no request")
	r := w.request("acme")
	w.ask(w.admin, at(r)+"/ask", form("text", strings.Repeat("x", 200<<10))).says(413, "This is too much")
	w.Stop()
	w.get(requests).says(503, "Please try again")
}

// Another site's page can't send forms here.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w := begin(t)
	r := w.request("acme")
	req, err := http.NewRequest(http.MethodPost, at(r)+"/reject", strings.NewReader("ready=known"))
	testkit.Must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	rec := httptest.NewRecorder()
	w.admin.ServeHTTP(rec, req)
	if rec.Code != http.StatusForbidden || w.state(r) != model.RequestNew {
		t.Errorf("%d, %s", rec.Code, w.state(r))
	}
}

// TestEveryPageWithEveryRole: a page, and what its forms do, is open to a role exactly if the table of roles says so of
// the operation that it is about. Nobody is told more than "not this role".
func TestEveryPageWithEveryRole(t *testing.T) {
	w := begin(t)
	w.partner("acme")
	r := w.request("acme")
	for _, role := range model.Roles {
		h := w.role(role)
		for _, one := range console.Routes() {
			method, path, _ := strings.Cut(one.Pattern, " ")
			path = strings.NewReplacer("{reference}", r.Reference, "{user}", "acme", "{program}", "winscp", "{file}",
				"acme.winscp.ini").Replace(path)
			var sent url.Values
			if method == http.MethodPost { // nothing in it that could be done
				sent = form("account", "nonesuch", "contact", "nobody@acme.example", "link", "none", "message", "none",
					"fingerprint", "SHA256:none", "key", "none")
			}
			duty, _ := model.DutyOf(one.Operation)
			may, _ := duty.May(role)
			if role == model.RoleAdmin && sent != nil && strings.HasSuffix(path, "/approve") {
				continue // it would be done
			}
			a := w.ask(h, path, sent)
			if refused := a.status == http.StatusForbidden; refused == may {
				t.Errorf("%s for %s: %d", one.Pattern, role, a.status)
			} else if refused {
				a.says(403, "Your role may not do this", fmt.Sprintf("The role %s may not do this; ", role))
			}
		}
	}
}

// Who may look, and not decide, is offered nothing that would be refused.
func TestSupportSeesAndDoesNotDecide(t *testing.T) {
	w := begin(t)
	w.partner("acme")
	r := w.request("acme")
	support := w.role(model.RoleSupport)
	w.ask(support, at(r), nil).says(200, "Your role sees requests and does not decide", "test-support, support").
		lacks(`action="` + at(r))
	w.ask(support, "/console/users/acme", nil).says(200).lacks("Give a key")
	w.ask(support, "/console/users/acme/give", nil).says(200, "Your role sees this").lacks("Add a contact")
	w.ask(support, requests, nil).says(200, ">Users<").lacks("Record one", "Record a request")
	publisher := w.as(client.Remote(w.WebURL(), "sp_wrong"), model.Identity{Name: "token:x", Role: model.RolePublisher})
	w.ask(publisher, requests, nil).says(401, "Please sign in")
}
