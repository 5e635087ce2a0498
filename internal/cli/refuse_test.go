package cli

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// With --json each error is one object on one line, with what the table in docs/operate.md has.
func TestErrorsAsJSON(t *testing.T) {
	var out bytes.Buffer
	a := &app{IO: IO{Err: &out}, json: true}
	err := fault.E("x", fault.Conflict, "It is <taken> & gone.").WithField("name").WithAction("list-keys", "user", "acme")
	if code := a.refuse(err); code != 4 {
		t.Errorf("exit code %d", code)
	}
	a.failed(fault.E("x", fault.NotFound, "It is gone."), "sallyport: calls.csv: ", " Try again.")
	want := `{"kind":"conflict","message":"It is <taken> & gone.","field":"name",` +
		`"action":{"operation":"list-keys","values":{"user":"acme"}},"command":"sallyport key list acme","exit_code":4}
{"kind":"not_found","message":"calls.csv: It is gone. Try again.","exit_code":3}
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	dec := json.NewDecoder(&out)
	for dec.More() {
		var r refusal
		testkit.Must(t, dec.Decode(&r))
	}
}

func TestWhichLinesAskForJSON(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{{[]string{"account", "list", "--json"}, true}, {[]string{"--json=true", "x"}, true}, {nil, false},
		{[]string{"publish", "--", "--json"}, false}, {[]string{"x", "--json=false"}, false}} {
		if got := asksForJSON(c.args); got != c.want {
			t.Errorf("%q: %v", c.args, got)
		}
	}
}
