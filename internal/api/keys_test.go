package api_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func publicLine(s ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(s.PublicKey())) }

func fingerprint(s ssh.Signer) string { return ssh.FingerprintSHA256(s.PublicKey()) }

// TestEveryOperationTakesAShortenedFingerprint: one copied from a table that was shortened was refused.
func TestEveryOperationTakesAShortenedFingerprint(t *testing.T) {
	n := testkit.Start(t)
	key := n.User("acme")
	for _, name := range []string{"jo", "ann"} {
		testkit.Call[model.Contact](n, "POST", "/contacts", model.NewContact{Account: "acme", Name: name,
			Email: name + "@acme.example", Roles: []string{"technical", "security"}})
	}
	short := fingerprint(key)[:len("SHA256:")+12] + "…"
	escaped := url.QueryEscape(short) // it may have a +
	replacement := publicLine(testkit.NewKey(t))
	type object map[string]any
	tried := map[string]bool{}
	for _, c := range []struct {
		method, path string
		body         object
		refused      string // a part of the refusal, if there is no such key where it is looked for
	}{
		{"GET", "/keys?fingerprint=" + escaped, nil, ""},
		{"GET", "/keys/activity?fingerprint=" + escaped, nil, ""},
		{"PATCH", "/users/acme/keys", object{"fingerprint": short, "holder": "jo@acme.example"}, ""},
		{"POST", "/keys/freeze", object{"fingerprint": short, "by": "jo@acme.example"}, ""},
		{"POST", "/keys/thaw", object{"fingerprint": short, "by": "ann@acme.example"}, ""},
		{"POST", "/links", object{"kind": "verify", "user": "acme", "contact": "jo@acme.example", "fingerprint": short,
			"token": strings.Repeat("QUJD", 10) + "QUI="}, ""},
		{"POST", "/users/acme/keys", object{"text": replacement, "replaces": short}, ""},
		{"POST", "/users/acme/keys/approve", object{"fingerprint": short}, "No key waits whose fingerprint begins with"},
		{"DELETE", "/users/acme/keys/pending?fingerprint=" + escaped, nil, "No key waits whose fingerprint begins with"},
		{"POST", "/keys/revoke", object{"fingerprint": short, "reason": "lost"}, ""},
	} {
		path, _, _ := strings.Cut(c.path, "?")
		tried[c.method+" "+strings.ReplaceAll(path, "acme", "{id}")] = true
		err := failure(n, client.Request{Method: c.method, Path: c.path, Body: c.body})
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("%s %s: %v", c.method, c.path, err)
		case c.refused != "" && !strings.Contains(fault.PublicText(err), c.refused):
			t.Errorf("%s %s: %v, want %q", c.method, c.path, err, c.refused)
		}
	}
	for _, operation := range withFingerprints(t, n) {
		if !tried[operation] {
			t.Errorf("%s takes a fingerprint, and is not in the table", operation)
		}
	}
}

// withFingerprints lists the operations that take a key's fingerprint.
func withFingerprints(t *testing.T, n *testkit.Node) (list []string) {
	t.Helper()
	resp, err := send(n, client.Request{Method: "GET", Path: "/../openapi.json"})
	testkit.Must(t, err)
	defer resp.Body.Close()
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name string }
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
		}
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	testkit.Must(t, json.NewDecoder(resp.Body).Decode(&doc))
	for path, methods := range doc.Paths {
		for method, o := range methods {
			names := map[string]any{}
			for _, p := range o.Parameters {
				names[p.Name] = true
			}
			for _, body := range o.RequestBody.Content {
				ref := strings.TrimPrefix(body.Schema.Ref, "#/components/schemas/")
				for name := range doc.Components.Schemas[ref].Properties {
					names[name] = true
				}
			}
			if names["fingerprint"] != nil || names["replaces"] != nil {
				list = append(list, strings.ToUpper(method)+" "+strings.TrimPrefix(path, "/api/v1"))
			}
		}
	}
	if len(list) < 8 {
		t.Fatalf("only %q take a fingerprint", list)
	}
	return list
}
