package api_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// document is the part of the OpenAPI document that says what lists take.
type document struct {
	Paths map[string]struct {
		Get *struct {
			ID         string `json:"operationId"`
			Parameters []parameter
		}
	}
}

type parameter struct {
	Name, In string
	Required bool
	Schema   struct {
		Type, Format string
		Enum         []string
	}
}

// freeText lists the filters that may have any text.
var freeText = []string{"text", "cursor", "name", "actor", "action", "subject", "path", "key_dir", "for",
	"inactive", "owner", "email", "number"}

// failure sends a request and returns its error.
func failure(n *testkit.Node, r client.Request) error {
	resp, err := send(n, r)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

// TestAMistypedFilterIsNotFound: each filter of each list refuses names that nothing has and states
// that there are not. An empty list would be a false answer.
func TestAMistypedFilterIsNotFound(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	resp, err := send(n, client.Request{Method: "GET", Path: "/../openapi.json"})
	testkit.Must(t, err)
	defer resp.Body.Close()
	var doc document
	testkit.Must(t, json.NewDecoder(resp.Body).Decode(&doc))
	checked := 0
	for path, item := range doc.Paths {
		isCursor := func(p parameter) bool { return p.Name == "cursor" }
		if item.Get == nil || !slices.ContainsFunc(item.Get.Parameters, isCursor) {
			continue
		}
		for _, p := range item.Get.Parameters {
			want := fault.NotFound
			switch {
			case p.Schema.Type != "string" || p.Schema.Format == "date-time" || slices.Contains(freeText, p.Name):
				continue
			case len(p.Schema.Enum) > 0:
				want = fault.Invalid
			}
			const nothing = "nothing-like-it"
			checked++
			at := strings.TrimPrefix(path, "/api/v1")
			query := url.Values{}
			for _, other := range item.Get.Parameters {
				switch {
				case other.In == "path":
					at = strings.ReplaceAll(at, "{"+other.Name+"}", nothing)
				case other.Name == p.Name:
					query.Set(p.Name, nothing)
				case other.Required:
					query.Set(other.Name, "winscp")
				}
			}
			err := failure(n, client.Request{Method: "GET", Path: at, Query: query})
			if !fault.Is(err, want) {
				t.Errorf("%s: %s of nothing: %v, want %v", item.Get.ID, p.Name, err, want)
			}
			if want == fault.Invalid && !strings.HasPrefix(fault.HintIn(err), "say ") {
				t.Errorf("%s: the values of %s are not listed: %q", item.Get.ID, p.Name, fault.HintIn(err))
			}
		}
	}
	if checked < 25 {
		t.Errorf("only %d filters were checked", checked)
	}
}

// TestAnUnknownNameHasTheNearestAsHint: whoever mistypes a name is told the nearest, and whoever names
// an account where a user is wanted is told its users.
func TestAnUnknownNameHasTheNearestAsHint(t *testing.T) {
	n := testkit.Start(t)
	ctx := context.Background()
	for _, err := range []error{
		second(n.API.AddAccount(ctx, model.NewAccount{ID: "4471", Name: "Acme Ltd"})),
		second(n.API.AddAccount(ctx, model.NewAccount{ID: "5000", Name: "Globex"})),
		second(n.API.AddVendor(ctx, model.NewVendor{Short: "carrier1", Name: "Carrier One"})),
		second(n.API.AddVendor(ctx, model.NewVendor{Short: "carrier2", Name: "Carrier Two"})),
		second(n.API.AddUser(ctx, model.NewUser{Account: "4471", Vendor: "carrier1"})),
		second(n.API.AddUser(ctx, model.NewUser{Account: "4471", Vendor: "carrier2"})),
		second(n.API.AddFeed(ctx, model.NewFeed{Name: "invoices", Kind: "invoice"})),
		second(n.API.AddContact(ctx, model.NewContact{Account: "4471", Name: "Jo Hill", Email: "jo@acme.example"})),
	} {
		testkit.Must(t, err)
	}
	for _, c := range []struct{ path, text, hint string }{
		{"/deliveries?account=4472", `There is no account "4472".`, "did you mean 4471 (Acme Ltd)?"},
		{"/deliveries?account=acme", `There is no account "acme".`, "did you mean 4471 (Acme Ltd)?"},
		{"/deliveries?feed=invoice", `There is no feed "invoice".`, "did you mean invoices?"},
		{"/deliveries?feed=zebra", `There is no feed "zebra".`, ""},
		{"/deliveries?user=4471", "4471 is an account; its users are 4471-carrier1, 4471-carrier2.", "name one of its users"},
		{"/deliveries?user=5000", "5000 is an account, and has no users yet.", "add one, or name another user"},
		{"/inbox?user=4471-carier1", `There is no user "4471-carier1".`, "did you mean 4471-carrier1?"},
		{"/inbox?user=carrier1", "carrier1 is a vendor; its user is 4471-carrier1.", "did you mean 4471-carrier1?"},
		{"/inbox?account=4471-carrier1", "4471-carrier1 is a user; its account is 4471.", "did you mean 4471?"},
		{"/users?account=carrier1", "carrier1 is a vendor, not an account.", "name an account"},
		{"/users?vendor=4471-carrier1", "4471-carrier1 is a user; its vendor is carrier1.", "did you mean carrier1?"},
		{"/contacts?of=4417", `There is no account or vendor "4417".`, "did you mean 4471 (Acme Ltd)?"},
		{"/contacts?of=4471-carrier1", "4471-carrier1 is a user; its account is 4471.", "did you mean 4471?"},
		{"/messages?target=jo@acme.exampel", `There is no webhook or mail address "jo@acme.exampel".`,
			"did you mean jo@acme.example?"},
		{"/users/4471", "4471 is an account; its users are 4471-carrier1, 4471-carrier2.", "name one of its users"},
		{"/users/4471/keys", "4471 is an account; its users are 4471-carrier1, 4471-carrier2.", "name one of its users"},
		{"/accounts/447", `There is no account "447".`, "did you mean 4471 (Acme Ltd)?"},
		{"/feeds/invoises", `There is no feed "invoises".`, "did you mean invoices?"},
		{"/retention/runs/none/notices", `There is no run "none".`, ""},
	} {
		at, query, _ := strings.Cut(c.path, "?")
		values, err := url.ParseQuery(query)
		testkit.Must(t, err)
		err = failure(n, client.Request{Method: "GET", Path: at, Query: values})
		if !fault.Is(err, fault.NotFound) || fault.PublicText(err) != c.text || fault.HintIn(err) != c.hint {
			t.Errorf("%s: %v: %q (%q), want %q (%q)", c.path, fault.KindIn(err), fault.PublicText(err), fault.HintIn(err),
				c.text, c.hint)
		}
	}
}

// TestStatesAreAskedForInWords: a filter takes the words that tables show, and the codes.
func TestStatesAreAskedForInWords(t *testing.T) {
	n := testkit.Start(t)
	for _, path := range []string{"/deliveries", "/inbox"} {
		for _, state := range map[string][]string{
			"/deliveries": {"downloaded in full", "downloaded", "Downloaded in full", "collected", "replaced"},
			"/inbox":      {"accepted", "acked", "refused", "Refused", "rejected", "new"}}[path] {
			err := failure(n, client.Request{Method: "GET", Path: path, Query: url.Values{"state": {state}}})
			testkit.Must(t, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestNamesAreFoundInAnyCase: feeds, vendors, webhooks and tags were found in lower case alone, and the lists of an
// account that was written in capitals were empty.
func TestNamesAreFoundInAnyCase(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	testkit.Call[model.Vendor](n, "POST", "/vendors", map[string]string{"short": "carrier1", "name": "Carrier One"})
	testkit.Call[model.Feed](n, "POST", "/feeds", map[string]string{"name": "invoice", "kind": "invoice"})
	testkit.Call[model.Contact](n, "POST", "/contacts",
		map[string]any{"vendor": "CARRIER1", "name": "Jo", "email": "jo@carrier.example"})
	testkit.Call[model.Contact](n, "POST", "/contacts",
		map[string]any{"account": "ACME", "name": "Ann", "email": "ann@acme.example"})
	testkit.Call[model.Tags](n, "POST", "/tags", map[string]any{"account": "acme", "add": []string{"gold"}})
	if f := testkit.Call[model.Feed](n, "GET", "/feeds/INVOICE", nil); f.Name != "invoice" {
		t.Errorf("%+v", f)
	}
	if v := testkit.Call[model.Vendor](n, "GET", "/vendors/CARRIER1", nil); v.Short != "carrier1" {
		t.Errorf("%+v", v)
	}
	for path, want := range map[string]int{"/contacts?of=ACME": 1, "/contacts?of=CARRIER1": 1, "/users?account=ACME": 1,
		"/accounts?tag=GOLD": 1, "/users?tag=Gold": 1, "/users/ACME/keys": 1} {
		if list := testkit.List[map[string]any](n, path); len(list) != want {
			t.Errorf("%s: %v", path, list)
		}
	}
	key := testkit.List[model.Key](n, "/users/acme/keys")[0]
	found := testkit.Call[model.Found](n, "GET", "/find?text="+url.QueryEscape(strings.ToLower(key.Fingerprint[:16])), nil)
	if len(found.Groups) != 1 || found.Groups[0].Hits[0].Name != key.Fingerprint {
		t.Errorf("a fingerprint as it is read out: %+v", found)
	}
}

// TestNearNamesWhereTheyWereMissing: holds, announcements and explain refused a mistyped name without the nearest.
func TestNearNamesWhereTheyWereMissing(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	testkit.Call[model.Tags](n, "POST", "/tags", map[string]any{"account": "acme", "add": []string{"gold"}})
	for near, r := range map[string]client.Request{
		"acme": {Method: "POST", Path: "/retention/holds",
			Body: model.NewHold{Kind: model.HoldAccount, Target: "acmee", Reason: "a claim"}},
		"gold": {Method: "POST", Path: "/announcements",
			Body: model.NewAnnouncement{Tag: "glod", Subject: "Hello", Text: "Hello.", DryRun: true}},
		"acme?": {Method: "GET", Path: "/explain?about=acmee"},
	} {
		if err := failure(n, r); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintIn(err), near) {
			t.Errorf("%s %s: %v", r.Method, r.Path, err)
		}
	}
}
