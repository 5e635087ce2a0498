package journeys

import (
	"context"
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/cli"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// balancer is where the partners' relays connect from; banAfter is how many
// failures ban an address in these stories.
const (
	balancer = "127.0.0.9"
	banAfter = 4
)

func doors(c *config.Config) {
	c.Access.Proxies, c.Access.BanAfter = []string{balancer}, banAfter
	c.Keys.Pending, c.Keys.Overlap = true, config.Duration(500*time.Millisecond)
	c.Limits.UserSessions = 2
	c.Retain.CloseAccess = model.CloseNone
}

// told gathers the reason codes that were asked about.
type told struct {
	mu    sync.Mutex
	codes map[string]bool
}

func (s *told) add(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = true
}

func TestExplainAnswersForEveryReason(t *testing.T) {
	// An overload is not one of them: the oldest half-open connection makes
	// room, and nobody is turned away for it. No usual program meets the others;
	// test/attacks does.
	seen := &told{codes: map[string]bool{model.ReasonServerOverload: true, model.ReasonSlowed: true,
		model.ReasonUnread: true, model.ReasonChannels: true}}
	t.Run("programs", func(t *testing.T) {
		eu := "127.0.0.1:" + testkit.FreePort(t)
		cluster := postgres(t)
		n := testkit.Start(t, doors, on(t, cluster), func(c *config.Config) {
			c.Regions = map[string]config.Region{"eu": {Listen: []string{eu}, AllowIPs: []string{"198.51.100.0/24"}}}
		})
		hasty := testkit.Start(t, doors, on(t, cluster), func(c *config.Config) {
			c.Limits.Handshake, c.Limits.Login = config.Duration(time.Second), config.Duration(time.Second)
		})
		t.Run("at once", func(t *testing.T) {
			for _, w := range append([]way{late}, ways...) {
				t.Run(w.name, func(t *testing.T) {
					t.Parallel()
					node := n
					if w.code == model.ReasonTimeout {
						node = hasty
					}
					p := newCaller(t, node)
					p.eu = eu
					p.goes(w)
					seen.add(w.code)
				})
			}
		})
	})
	t.Run("the database is gone", func(t *testing.T) {
		whileTheDatabaseIsGone(t)
		seen.add(model.ReasonUnavailable)
	})
	if t.Failed() {
		return
	}
	for _, code := range reasonCodes(t) {
		if !seen.codes[code] {
			t.Errorf("explain was not asked about %s: add its way", code)
		}
	}
}

// goes has a program do its thing, and asks explain about it: by username, by
// address, and by the reference that the program showed.
func (p *caller) goes(w way) {
	p.t.Helper()
	out := w.does(p)
	for try := 0; try < 2 && !w.unshown && !banner.MatchString(out); try++ {
		out = w.does(p)
	}
	shown := banner.FindAllStringSubmatch(out, -1)
	if w.unshown == (len(shown) > 0) {
		p.t.Errorf("a reference was shown: %v\n%s", !w.unshown, out)
	}
	reference := ""
	if len(shown) > 0 { // first, so that the newest connection is on record for the others
		reference = shown[len(shown)-1][1]
		p.asked(w, reference, out)
		p.asked(w, strings.ToUpper(reference), out) // as somebody types it who heard it on the phone
	}
	e := p.asked(w, p.from, out)
	if reference == "" {
		p.asked(w, e.Connection.Reference, out)
	} else if w.code != model.ReasonBanned && e.Connection.Reference != reference {
		p.t.Errorf("the reference shown was %s, and the newest on record is %s", reference, e.Connection.Reference)
	}
	if !w.nameless {
		p.asked(w, p.user, out)
	} else if e.Connection.User != "" {
		p.t.Errorf("a username is on record: %q", e.Connection.User)
	}
}

// asked asks explain about something, over the API and on the command line,
// and returns the newest answer.
func (p *caller) asked(w way, about, out string) (e model.Explanation) {
	p.t.Helper()
	testkit.Eventually(p.t, w.code+" is on record for "+about+" after\n"+out, func() bool {
		v, err := client.Call[model.Explained](context.Background(), p.n.API,
			client.Request{Method: "GET", Path: "/explain?about=" + about})
		if err == nil && len(v.Explanations) > 0 {
			e = v.Explanations[0]
		}
		return e.Connection.Outcome == w.code
	})
	if !strings.Contains(e.Connection.Client, w.client) || e.Connection.Address != p.from {
		p.t.Errorf("about %s: from %s with %q, want %s with %q", about, e.Connection.Address, e.Connection.Client, p.from,
			w.client)
	}
	for what, c := range map[string][2]string{"sentence": {e.Sentence + " " + e.Action.String(), w.says},
		"advice": {e.Advice, w.tells}} {
		for word := range strings.SplitSeq(c[1], "|") {
			if !strings.Contains(c[0], word) {
				p.t.Errorf("about %s: the %s lacks %q: %s", about, what, word, c[0])
			}
		}
	}
	var text, errs strings.Builder
	if code := cli.Run(cli.IO{Out: &text, Err: &errs, Env: []string{"SALLYPORT_DATA=" + p.n.Data}},
		[]string{"explain", about}); code != 0 {
		p.t.Errorf("explain %s: %d %s", about, code, &errs)
	}
	for _, word := range []string{valid.Printable(strings.TrimSuffix(e.Sentence, ".")), e.Connection.Reference,
		"from " + p.from} {
		if !strings.Contains(text.String(), word) {
			p.t.Errorf("explain %s does not print %q:\n%s", about, word, &text)
		}
	}
	if e.Advice != "" && !strings.Contains(text.String(), "Tell the partner: "+e.Advice) {
		p.t.Errorf("explain %s does not print the advice %q:\n%s", about, e.Advice, &text)
	}
	return e
}

// once changes something through the API, at a way's first try alone.
func (p *caller) once(method, path string, body map[string]any) {
	p.t.Helper()
	if p.done[method+path] {
		return
	}
	p.done[method+path] = true
	testkit.Call[any](p.n, method, path, body)
}

// whileTheDatabaseIsGone has a partner try when PostgreSQL takes no
// connections, and asks about it when it does again.
func whileTheDatabaseIsGone(t *testing.T) {
	t.Helper()
	at := testkit.Postgres(t).Database(t)
	n := testkit.Start(t, doors, func(c *config.Config) { c.Database.URL = at })
	p := newCaller(t, n)
	p.sftp(p.user, "id", "ls\n")
	slash := strings.LastIndex(at, "/")
	admin, err := sql.Open("pgx", at[:slash]+"/postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	do := func(statement string) {
		if _, err := admin.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	name := at[slash+1:]
	do("ALTER DATABASE " + name + " WITH ALLOW_CONNECTIONS false")
	do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'")
	out := p.sftp(p.user, "id", "ls\n")
	testkit.Eventually(t, "the log says that the database was gone; the client: "+out,
		func() bool { return n.Log.Contains("reason=" + model.ReasonUnavailable) })
	do("ALTER DATABASE " + name + " WITH ALLOW_CONNECTIONS true")
	p.asked(way{code: model.ReasonUnavailable, client: "OpenSSH", says: "database could not be asked",
		tells: "our fault|try again"}, p.user, out)
}

// reasonCodes are the constants of model/reason.go.
func reasonCodes(t *testing.T) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../model/reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(v.Names[0].Name, "Reason") {
			code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	if len(codes) < 30 {
		t.Fatalf("only %d reason codes were found: %v", len(codes), codes)
	}
	return codes
}
