package trace_test

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// sheet returns the API's answer.
type sheet struct {
	model.Trace
	Sheet string `json:"sheet"`
}

func publish(t *testing.T, n *testkit.Node, account, name, content string) model.Publication {
	t.Helper()
	p, err := client.Call[model.Publication](context.Background(), n.API,
		client.Request{Method: "PUT", Path: "/feeds/report/publications/" + name,
			Query: url.Values{"account": {account}}, Body: bytes.NewReader([]byte(content)), Size: int64(len(content))})
	testkit.Must(t, err)
	return p
}

func find(n *testkit.Node, about, account string) sheet {
	return testkit.Call[sheet](n, "GET", "/trace?"+url.Values{"about": {about}, "account": {account}}.Encode(), nil)
}

// TestTraceTellsAFilesWholeLife: a trace by name, account or content has the whole history of a
// file, and nothing of other partners' files.
func TestTraceTellsAFilesWholeLife(t *testing.T) {
	n := testkit.Start(t)
	key := n.User("acme")
	n.User("globex")
	testkit.Call[model.Feed](n, "POST", "/feeds", map[string]string{"name": "report", "kind": "report"})
	for _, u := range []string{"acme", "globex"} {
		testkit.Call[model.Subscription](n, "POST", "/feeds/report/subscriptions", map[string]string{"user": u})
	}
	p := publish(t, n, "acme", "invoice-acme.csv", "a\n")
	publish(t, n, "globex", "invoice-globex.csv", "b\n")
	c := n.SFTP("acme", key)
	f, err := c.Open("/download/report/invoice-acme.csv")
	testkit.Must(t, err)
	_, err = f.WriteTo(&bytes.Buffer{})
	testkit.Must(t, err)
	testkit.Must(t, f.Close())
	testkit.Eventually(t, "it was collected", func() bool {
		return strings.Contains(find(n, "invoice-acme.csv", "").Sheet, "downloaded in full by acme with key SHA256:")
	})
	for what, about := range map[string]string{"name": "invoice-acme.csv", "account": "acme", "content": p.SHA256} {
		s := find(n, about, "")
		if s.Kind != what || len(s.Files) != 1 || s.Files[0].State != string(model.DeliveryCollected) ||
			strings.Contains(s.Sheet, "globex") {
			t.Errorf("by %s: %s\n%s", what, s.Kind, s.Sheet)
		}
		testkit.Eventually(t, "its log-in is on record", func() bool {
			s := find(n, about, "")
			return len(s.Users) == 1 && s.Users[0].LastOK != nil
		})
	}
	s := find(n, "invoice-acme.csv", "globex")
	if !strings.Contains(s.Sheet, "never published to account globex") || strings.Contains(s.Sheet, "published (") ||
		len(s.Near) != 1 || s.Near[0] != "invoice-globex.csv" {
		t.Errorf("another's file: %v\n%s", s.Near, s.Sheet)
	}
	if s := find(n, "invoice-nobody.csv", ""); !strings.Contains(s.Sheet, "never published to anybody here") ||
		strings.Contains(s.Sheet, "globex") {
		t.Errorf("no file:\n%s", s.Sheet)
	}
	testkit.WantKind(t, func() error {
		_, err := client.Call[sheet](context.Background(), n.API,
			client.Request{Method: "GET", Path: "/trace?about=x&account=nosuch"})
		return err
	}(), fault.NotFound)
}

// TestTraceTellsOfWhatCameIn: a file is received, refused with a reason, and sent again.
func TestTraceTellsOfWhatCameIn(t *testing.T) {
	n := testkit.Start(t)
	c := n.SFTP("acme", n.User("acme"))
	send := func() {
		f, err := c.Create("/upload/usage.csv")
		testkit.Must(t, err)
		_, err = f.Write([]byte("x\n"))
		testkit.Must(t, err)
		testkit.Must(t, f.Close())
	}
	send()
	id := n.Drops()[0].ID
	testkit.Call[model.Drop](n, "POST", "/inbox/"+id+"/reject", map[string]string{"reason": "no date"})
	send()
	s := find(n, "usage.csv", "acme")
	if len(s.Files) != 2 || !strings.Contains(s.Sheet, "refused by ") || !strings.Contains(s.Sheet, ": no date") ||
		!strings.Contains(s.Sheet, "it had come before ("+id+")") {
		t.Errorf("%d files\n%s", len(s.Files), s.Sheet)
	}
}
