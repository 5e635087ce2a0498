package trace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

func publish(t *testing.T, n *testkit.Node, account, name, content string) model.Publication {
	t.Helper()
	p, err := client.Call[model.Publication](ctx, n.API,
		client.Request{Method: "PUT", Path: "/feeds/report/publications/" + name,
			Query: url.Values{"account": {account}}, Body: bytes.NewReader([]byte(content)), Size: int64(len(content))})
	testkit.Must(t, err)
	return p
}

// trace asks, and fails on an error.
func trace(t *testing.T, n *testkit.Node, q model.TraceQuery) model.Sheet {
	t.Helper()
	s, err := n.API.Trace(ctx, q)
	testkit.Must(t, err)
	return s
}

func find(t *testing.T, n *testkit.Node, about string) model.Sheet {
	t.Helper()
	return trace(t, n, model.TraceQuery{About: about})
}

// names are the names of a trace's files, in its order.
func names(s model.Sheet) (out []string) {
	for _, f := range s.Files {
		out = append(out, f.Name)
	}
	return out
}

// reports makes a feed with acme and globex as subscribers, and returns acme's SFTP client.
func reports(t *testing.T, n *testkit.Node) *sftp.Client {
	t.Helper()
	key := n.User("acme")
	n.User("globex")
	testkit.Call[model.Feed](n, "POST", "/feeds", map[string]string{"name": "report", "kind": "report"})
	for _, u := range []string{"acme", "globex"} {
		testkit.Call[model.Subscription](n, "POST", "/feeds/report/subscriptions", map[string]string{"user": u})
	}
	return n.SFTP("acme", key)
}

func send(t *testing.T, c *sftp.Client, path, content string) {
	t.Helper()
	f, err := c.Create(path)
	testkit.Must(t, err)
	_, err = f.Write([]byte(content))
	testkit.Must(t, err)
	testkit.Must(t, f.Close())
}

// TestTraceTellsAFilesWholeLife: a trace by name, account, user, content or path has the whole history of a
// file, and nothing of other partners' files.
func TestTraceTellsAFilesWholeLife(t *testing.T) {
	n := testkit.Start(t)
	c := reports(t, n)
	p := publish(t, n, "acme", "invoice-acme.csv", "a\n")
	publish(t, n, "globex", "invoice-globex.csv", "b\n")
	if s := find(t, n, "invoice-acme.csv"); !strings.Contains(s.Files[0].Sentence,
		"Nobody has opened it yet; it is there as /download/report/invoice-acme.csv.") {
		t.Errorf("not opened: %s", s.Sheet)
	}
	f, err := c.Open("/download/report/invoice-acme.csv")
	testkit.Must(t, err)
	_, err = f.WriteTo(&bytes.Buffer{})
	testkit.Must(t, err)
	testkit.Must(t, f.Close())
	testkit.Eventually(t, "it was collected", func() bool {
		return strings.Contains(find(t, n, "invoice-acme.csv").Sheet, "downloaded in full by acme with key SHA256:")
	})
	for about, kind := range map[string]model.TraceKind{
		"invoice-acme.csv": model.TraceName, "acme": model.TraceAccount,
		p.SHA256: model.TraceContent, p.SHA256[:8]: model.TraceContent, strings.ToUpper(p.SHA256[:9]): model.TraceContent,
		"INVOICE-ACME.csv": model.TraceName, "voice-ACME": model.TracePart,
		"/download/report/invoice-acme.csv": model.TraceName, "report/INVOICE-acme.CSV": model.TraceName,
		"acme:/download/report/invoice-acme.csv": model.TraceName} {
		s := find(t, n, about)
		if s.Kind != kind || len(s.Files) != 1 || s.Files[0].State != string(model.DeliveryCollected) ||
			strings.Contains(s.Sheet, "globex") || !strings.Contains(s.Files[0].Sentence, ", and downloaded in full on ") {
			t.Errorf("by %s: %s\n%s", about, s.Kind, s.Sheet)
		}
	}
	for _, about := range []string{"/upload/invoice-acme.csv", "globex:/download/report/invoice-acme.csv",
		"/elsewhere/x"} {
		_, err := n.API.Trace(ctx, model.TraceQuery{About: about})
		testkit.WantKind(t, err, fault.NotFound)
	}
}

// TestTraceByUserIsNotTheAccounts: a user's trace has that user's files alone.
func TestTraceByUserIsNotTheAccounts(t *testing.T) {
	n := testkit.Start(t)
	c := n.SFTP("acme", n.User("acme"))
	testkit.Call[model.User](n, "POST", "/users", model.NewUser{Account: "acme", Name: "acme-two"})
	send(t, c, "/upload/a.csv", "x")
	if s := find(t, n, "acme"); len(s.Files) != 1 || s.Kind != model.TraceAccount || len(s.Users) != 2 {
		t.Errorf("%d files, %s, %+v", len(s.Files), s.Kind, s.Users)
	}
	s := find(t, n, "ACME-two")
	if len(s.Files) != 0 || s.Kind != model.TraceUser || !strings.Contains(s.Sheet, "There is no file yet") {
		t.Errorf("%d files, %s\n%s", len(s.Files), s.Kind, s.Sheet)
	}
}

// TestTraceDeniesOnlyWhatIsExact: a mistyped name was answered with a sheet that denied that it had ever been sent.
func TestTraceDeniesOnlyWhatIsExact(t *testing.T) {
	n := testkit.Start(t)
	reports(t, n)
	publish(t, n, "acme", "invoice-acme.csv", "a\n")
	for _, q := range []model.TraceQuery{{About: "invoice-acne.csv"}, {About: "invoice-acne.csv", Account: "acme"},
		{About: "invoice-acne.csv", Exact: true}} {
		_, err := n.API.Trace(ctx, q)
		testkit.WantKind(t, err, fault.NotFound)
		if text := fault.PublicText(err); !strings.Contains(text, "Did you mean invoice-acme.csv?") {
			t.Errorf("%+v: %s", q, text)
		}
		if a := fault.ActionIn(err); a == nil || a.Operation != "trace" || a.Values["account"] != q.Account {
			t.Errorf("%+v: %v", q, a)
		}
	}
	for _, q := range []model.TraceQuery{{About: "x", Account: "nosuch", Exact: true}, {About: "zzz"},
		{About: "acm", Account: "globex"}, {About: "%"}, {About: "_"}, {About: "\\"}, {About: "a' OR 1=1 --"}} {
		_, err := n.API.Trace(ctx, q)
		testkit.WantKind(t, err, fault.NotFound)
	}
	for _, about := range []string{"", "/", "  "} {
		_, err := n.API.Trace(ctx, model.TraceQuery{About: about})
		testkit.WantKind(t, err, fault.Invalid)
	}
	s := trace(t, n, model.TraceQuery{About: "invoice-acme.csv", Account: "GLOBEX", Exact: true})
	if !strings.Contains(s.Sheet, "never published to account globex, and never received from account globex") ||
		strings.Contains(s.Sheet, "acme") && !strings.Contains(s.Sheet, "the file invoice-acme.csv") ||
		!slices.Equal(s.Near, []string(nil)) || len(s.Users) != 1 || s.Users[0].User != "globex" {
		t.Errorf("%v %+v\n%s", s.Near, s.Users, s.Sheet)
	}
	for _, about := range []string{"Invoice-acme.csv", "invoice-acme"} { // exactly so
		s := trace(t, n, model.TraceQuery{About: about, Account: "acme", Exact: true})
		if len(s.Files) != 0 || !slices.Equal(s.Near, []string{"invoice-acme.csv"}) {
			t.Errorf("%s: %v\n%s", about, s.Near, s.Sheet)
		}
	}
}

// TestTraceSearchesByPart: the files that match best come first.
func TestTraceSearchesByPart(t *testing.T) {
	n := testkit.Start(t)
	c := reports(t, n)
	for _, name := range []string{"old-bill.csv", "Bill-2.csv", "bill-1.csv", "Rechnung-Müller.csv"} {
		publish(t, n, "acme", name, name)
	}
	publish(t, n, "globex", "bill-globex.csv", "g")
	send(t, c, "/upload/paid-BILL.csv", "x")
	for about, want := range map[string][]string{
		"bill":      {"bill-globex.csv", "bill-1.csv", "Bill-2.csv", "paid-BILL.csv", "old-bill.csv"},
		"BILL-1":    {"bill-1.csv"},
		"bill-1.CS": {"bill-1.csv"},
		"BILL-2.CSV": {
			"Bill-2.csv"},
		"müLLer": {"Rechnung-Müller.csv"}, // by its ASCII letters in the database, and then as text
		"d_bill": nil, "l%l": nil,
	} {
		s, err := n.API.Trace(ctx, model.TraceQuery{About: about})
		if want == nil {
			testkit.WantKind(t, err, fault.NotFound)
		} else if got := names(s); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q (%v)", about, got, want, err)
		}
	}
	s := trace(t, n, model.TraceQuery{About: "bill", Account: "acme"})
	if slices.Contains(names(s), "bill-globex.csv") || len(s.Files) != 4 || s.Files[0].Match != model.MatchBegins ||
		s.Files[3].Match != model.MatchContains {
		t.Errorf("%+v", s.Files)
	}
	for i := range 6 {
		publish(t, n, "acme", fmt.Sprintf("many-%d.csv", i), "m")
	}
	if s := find(t, n, "many"); !strings.Contains(s.Sheet, "6 files, the best matches first.") ||
		strings.Contains(s.Sheet, "SHA-256") || strings.Count(s.Sheet, "\n- many-") != 6 {
		t.Errorf("many files have a line each:\n%s", s.Sheet)
	}
}

// TestTraceTellsOfWhatCameIn: a file is received, refused with a reason, and sent again.
func TestTraceTellsOfWhatCameIn(t *testing.T) {
	n := testkit.Start(t)
	c := n.SFTP("acme", n.User("acme"))
	send(t, c, "/upload/usage.csv", "x\n")
	id := n.Drops()[0].ID
	testkit.Call[model.Drop](n, "POST", "/inbox/"+id+"/reject", map[string]string{"reason": "no date"})
	send(t, c, "/upload/usage.csv", "x\n")
	s := trace(t, n, model.TraceQuery{About: "usage.csv", Account: "acme"})
	if len(s.Files) != 2 || !strings.Contains(s.Sheet, "refused by ") || !strings.Contains(s.Sheet, ": no date") ||
		!strings.Contains(s.Sheet, "it had come before ("+id+")") ||
		!strings.HasSuffix(s.Files[0].Sentence, "Nobody has taken it yet.") {
		t.Errorf("%d files\n%s", len(s.Files), s.Sheet)
	}
	testkit.Must(t, c.Remove("/upload/usage.csv"))
	s = find(t, n, "usage.csv")
	if len(s.Files) != 2 || !strings.Contains(s.Files[0].Sentence, "acme has removed it from its folder since; what was "+
		"received stays.") || !strings.Contains(s.Sheet, "removed from its folder by acme; what was received stays") {
		t.Errorf("withdrawn: %d files\n%s", len(s.Files), s.Sheet)
	}
}

// TestTraceTellsOfUploadsThatFailed: refused and broken uploads, and files that were removed before they were
// handed on.
func TestTraceTellsOfUploadsThatFailed(t *testing.T) {
	n := testkit.Start(t)
	key := n.User("acme")
	testkit.Call[model.User](n, "PATCH", "/users/acme", map[string]int64{"quota_bytes": 10})
	c := n.SFTP("acme", key)
	f, err := c.Create("/upload/big.csv")
	testkit.Must(t, err)
	if _, err = f.Write(bytes.Repeat([]byte("x"), 299)); err == nil {
		err = f.Close()
	}
	testkit.WantKind(t, wantError(err), fault.Internal)
	_ = f.Close()
	s := find(t, n, "big.csv")
	if len(s.Files) != 1 || s.Files[0].State != "upload_refused" || !strings.Contains(s.Files[0].Sentence,
		"was refused on ") || !strings.Contains(s.Sheet, "The file is larger than the whole quota of 10 bytes.") {
		t.Fatalf("over the quota:\n%s", s.Sheet)
	}
	if _, err := c.Create("/download/mine.csv"); err == nil {
		t.Fatal("no right, and it was taken")
	}
	if s := find(t, n, "mine"); !strings.Contains(s.Sheet, "Not allowed in this directory.") {
		t.Errorf("without the right:\n%s", s.Sheet)
	}
	// A connection breaks off in an upload.
	link := n.SSH("acme", key)
	other, err := sftp.NewClient(link)
	testkit.Must(t, err)
	f, err = other.Create("/upload/half.csv")
	testkit.Must(t, err)
	_, err = f.Write([]byte("12345"))
	testkit.Must(t, err)
	if s := find(t, n, "half"); len(s.Files) != 1 ||
		!strings.Contains(s.Files[0].Sentence, "is being uploaded by acme now") {
		t.Errorf("under way:\n%s", s.Sheet)
	}
	testkit.Must(t, link.Close())
	testkit.Eventually(t, "the upload is unfinished", func() bool {
		s := find(t, n, "HALF.csv")
		return len(s.Files) == 1 && strings.Contains(s.Files[0].Sentence, "The upload of half.csv by acme is unfinished: 4 "+
			"bytes are here") && strings.Contains(s.Sheet, "its upload broke off: the connection ended")
	})
	send(t, c, "/upload/half.csv", "123456")
	if s := find(t, n, "half.csv"); len(s.Files) != 1 || s.Files[0].State != "new" ||
		!strings.Contains(s.Sheet, "its upload broke off after 5 bytes") {
		t.Errorf("then it came:\n%s", s.Sheet)
	}
	// A file under a temporary name is removed.
	send(t, c, "/upload/gone.tmp", "1")
	if s := find(t, n, "gone"); len(s.Files) != 1 || !strings.Contains(s.Files[0].Sentence, "but not handed on") {
		t.Errorf("temporary:\n%s", s.Sheet)
	}
	testkit.Must(t, c.Remove("/upload/gone.tmp"))
	for _, about := range []string{"gone.tmp", "GONE", "/upload/gone.tmp"} {
		if s := find(t, n, about); len(s.Files) != 1 || s.Files[0].State != "removed" || s.Files[0].Size != 1 ||
			!strings.Contains(s.Files[0].Sentence, "gone.tmp was removed by acme on ") {
			t.Errorf("removed:\n%s", s.Sheet)
		}
	}
	s = trace(t, n, model.TraceQuery{About: "gone.tmp", Account: "acme", Exact: true})
	if strings.Contains(s.Sheet, "Nothing.") {
		t.Errorf("denied although it was here:\n%s", s.Sheet)
	}
}

// wantError makes an error of a nil one.
func wantError(err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap("trace_test", fault.Internal, err)
}

// TestTraceOfWhoIsLoggedIn: a user who was connected for the first time had "no record" of a log-in.
func TestTraceOfWhoIsLoggedIn(t *testing.T) {
	n := testkit.Start(t)
	link := n.SSH("acme", n.User("acme"))
	c, err := sftp.NewClient(link)
	testkit.Must(t, err)
	send(t, c, "/upload/a.csv", "x")
	s := find(t, n, "a.csv")
	if len(s.Users) != 1 || s.Users[0].Now == nil || s.Users[0].LastOK == nil ||
		!strings.Contains(s.Sheet, "acme is logged in now, since ") {
		t.Fatalf("connected: %+v\n%s", s.Users, s.Sheet)
	}
	testkit.Must(t, link.Close())
	testkit.Eventually(t, "the session has ended", func() bool {
		s := find(t, n, "a.csv")
		return s.Users[0].Now == nil && s.Users[0].LastOK != nil && strings.Contains(s.Sheet, "acme last logged in on ")
	})
}

// TestTraceOfTakenBack: a delivery that was withdrawn says when and why.
func TestTraceOfTakenBack(t *testing.T) {
	n := testkit.Start(t)
	reports(t, n)
	publish(t, n, "acme", "wrong.csv", "a\n")
	id := find(t, n, "wrong.csv").Files[0].ID
	_, err := n.API.WithdrawDelivery(ctx, id, model.Why{Reason: "it was another month's"})
	testkit.Must(t, err)
	s := find(t, n, "wrong.csv")
	if len(s.Files) != 1 || !strings.Contains(s.Files[0].Sentence,
		"Nobody opened it. It was taken back by the operator: it was another month's, on ") {
		t.Errorf("%s", s.Sheet)
	}
}

// TestTracesOfNamesThatWereNotUnderstood: an account by its name was said not to exist, and a vendor was not pointed
// out.
func TestTracesOfNamesThatWereNotUnderstood(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	testkit.Call[model.Account](n, "PATCH", "/accounts/acme", map[string]string{"name": "Acme Telecom"})
	if s := find(t, n, "acme telecom"); s.Kind != model.TraceAccount || s.About != "acme" {
		t.Errorf("by its name: %+v", s.Trace)
	}
	testkit.Call[model.Vendor](n, "POST", "/vendors", map[string]string{"short": "carrier1", "name": "Carrier One"})
	testkit.Call[model.User](n, "POST", "/users", map[string]string{"account": "acme", "vendor": "carrier1"})
	for about, want := range map[string]string{
		"Acme Tele":   `No file here has "Acme Tele" in its name, but the account acme is called Acme Telecom.`,
		"carrier1":    `but carrier1 is a vendor (Carrier One), whose users are acme-carrier1.`,
		"Carrier ONE": `but carrier1 is a vendor (Carrier One), whose users are acme-carrier1.`} {
		_, err := n.API.Trace(ctx, model.TraceQuery{About: about})
		e, ok := errors.AsType[*client.Error](err)
		if !ok || !strings.HasSuffix(e.Message, want) || e.Action == nil || e.Action.Values["account"] != "" || e.Hint != "" {
			t.Errorf("%s: %v", about, err)
		}
	}
}

// TestASheetHasTheZoneOfItsReadersAndNamesTheOperator: sheets were in UTC whatever the account's zone, and named the
// machine alone.
func TestASheetHasTheZoneOfItsReadersAndNamesTheOperator(t *testing.T) {
	n := testkit.Start(t, func(c *config.Config) {
		c.Operator.Name, c.TimeZone = "Example Telecom", "Asia/Tokyo"
	})
	reports(t, n)
	testkit.Call[model.Account](n, "PATCH", "/accounts/acme", map[string]string{"time_zone": "Asia/Kolkata"})
	p := publish(t, n, "acme", "one.csv", "a\n")
	publish(t, n, "globex", "two.csv", "a\n")
	for about, zone := range map[string]string{"one.csv": "Asia/Kolkata", "acme": "Asia/Kolkata", "two.csv": "Asia/Tokyo",
		".csv": "Asia/Tokyo"} {
		s := find(t, n, about)
		in, err := time.LoadLocation(zone)
		testkit.Must(t, err)
		at := p.PublishedAt.In(in)
		if !strings.HasPrefix(s.Sheet, "What Example Telecom") || !strings.Contains(s.Sheet, "("+zone+", like all times") ||
			!strings.Contains(s.Sheet, "published") ||
			!strings.Contains(s.Files[0].Sentence, at.Format("on 2006-01-02 at 15:")) {
			t.Errorf("%s:\n%s", about, s.Sheet)
		}
	}
}
