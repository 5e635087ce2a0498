// Package journeys runs the stories in testdata: each is a txtar script that
// starts a real server and lets real clients at it.
package journeys

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-sftp/sallyport/internal/cli"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "sallyport" && !testkit.Everything() {
		testkit.LongMain(m, "the stories, with real clients")
	}
	testscript.Main(m, map[string]func(){
		"sallyport": func() {
			os.Exit(cli.Run(cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ(), Clock: storyClock()},
				os.Args[1:]))
		},
	})
}

// storyDatabase is the variable that has servers run on PostgreSQL, each story's on
// databases of its own, if it is "postgres". It is the stories' own, as is clockVariable.
const storyDatabase = "STORY_DATABASE"

// databaseVariable is the product's setting. otherDatabase is the URL of another
// database of the story's, for a second server; on SQLite both are empty.
const databaseVariable, otherDatabase = "SALLYPORT_DATABASE_URL", "OTHER_DATABASE"

// onSQLite begins the first line of a story that SQLite's files are the matter of.
const onSQLite = "# On SQLite alone: "

func TestJourneys(t *testing.T) {
	cluster := postgres(t)
	testscript.Run(t, params("testdata", func(e *testscript.Env) error {
		if cluster != nil {
			if err := onPostgreSQL(e, cluster); err != nil {
				return err
			}
		}
		return setup(e)
	}))
}

// postgres is a cluster if the variable asks for one, and else nil.
func postgres(t *testing.T) *testkit.Cluster {
	t.Helper()
	switch on := os.Getenv(storyDatabase); on {
	case "", "sqlite":
		return nil
	case "postgres":
		return testkit.Postgres(t)
	default:
		t.Fatalf("%s is %q; it may be sqlite or postgres", storyDatabase, on)
		return nil
	}
}

// on has nodes run on databases of their own in a cluster, if there is one.
func on(t *testing.T, cluster *testkit.Cluster) testkit.Option {
	return func(c *config.Config) {
		if cluster != nil {
			c.Database.URL = cluster.Database(t)
		}
	}
}

// onPostgreSQL gives a story two databases in a cluster. No server of its may make a
// SQLite file.
func onPostgreSQL(e *testscript.Env, cluster *testkit.Cluster) error {
	name := strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")
	story, err := os.ReadFile(filepath.Join("testdata", name+".txtar"))
	if err != nil || strings.HasPrefix(string(story), onSQLite) {
		return err
	}
	t := e.T().(testing.TB)
	e.Setenv(databaseVariable, cluster.Database(t))
	e.Setenv(otherDatabase, cluster.Database(t))
	e.Defer(func() {
		if found, _ := filepath.Glob(filepath.Join(e.WorkDir, "*", "sallyport.db")); len(found) > 0 {
			t.Errorf("a server ran on %v", found)
		}
	})
	return nil
}

func params(dir string, setup func(*testscript.Env) error) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up":       up,
			"down":     down,
			"kill9":    kill9,
			"waitfor":  waitFor,
			"random":   random,
			"samehash": sameHash,
			"travel":   travel,
			"mailsink": mailSink,
			"alterdb":  alterDB,
		},
	}
}

// shortExit spares commands the second that the race detector sleeps before a
// program ends. Servers keep it.
const shortExit = "atexit_sleep_ms=20"

// server is the story's running server.
type server struct {
	cmd  *exec.Cmd
	done chan error
}

// setup gives a story a home, a data folder, a free port, and an ssh
// configuration that asks nothing.
func setup(e *testscript.Env) error {
	port := testkit.FreePort(e.T().(testing.TB))
	e.Setenv("PORT", port)
	e.Setenv("MAILPORT", testkit.FreePort(e.T().(testing.TB)))
	e.Setenv("PORT2", testkit.FreePort(e.T().(testing.TB)))
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("SALLYPORT_DATA", filepath.Join(e.WorkDir, "data"))
	e.Setenv("SALLYPORT_STORAGE_FREE_FLOOR", "0")
	e.Setenv("PATH", e.Getenv("PATH")+":/usr/sbin:/sbin:/usr/bin:/bin")
	e.Setenv("YEAR", time.Now().UTC().Format("2006"))
	e.Setenv(clockVariable, filepath.Join(e.WorkDir, "clock"))
	e.Setenv("GORACE", shortExit)
	s := &server{}
	e.Values["server"] = s
	e.Defer(func() { tellWhy(e) })
	e.Defer(func() {
		if s.cmd != nil {
			_ = s.cmd.Process.Kill()
			<-s.done
		}
	})
	// Options for sftp, scp and ssh: -F $WORK/ssh_config
	conf :=
		"Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n  IdentitiesOnly yes\n" +
			"  IdentityFile " + filepath.Join(e.WorkDir, "id") + "\n  Port " + port + "\n"
	return os.WriteFile(filepath.Join(e.WorkDir, "ssh_config"), []byte(conf), 0o600)
}

// tellWhy adds to a story that failed the end of what its server logged, and which mails came.
func tellWhy(e *testscript.Env) {
	t := e.T().(testing.TB)
	if !t.Failed() {
		return
	}
	const most = 6 << 10
	text, _ := os.ReadFile(filepath.Join(e.WorkDir, "server.log"))
	mails, _ := filepath.Glob(filepath.Join(e.WorkDir, "mail", "*.eml"))
	for i, m := range mails {
		mails[i] = filepath.Base(m)
	}
	t.Logf("the end of the server's log:\n%s\nmails: %s", text[max(0, len(text)-most):], strings.Join(mails, " "))
}

// up starts the server and waits until it answers. Extra arguments go to
// "serve". It listens on 127.0.0.1:$PORT, unless a --config says where.
func up(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value("server").(*server)
	if s.cmd != nil || neg {
		ts.Fatalf("usage: up [serve arguments], once at a time")
	}
	exe, err := exec.LookPath("sallyport")
	if dir := strings.Split(ts.Getenv("PATH"), ":")[0]; err != nil {
		exe = filepath.Join(dir, "sallyport")
	}
	serve := append([]string{"serve"}, args...)
	if !slices.Contains(args, "--config") {
		serve = append(serve, "--ssh-listen", "127.0.0.1:"+ts.Getenv("PORT"))
	}
	s.cmd = exec.Command(exe, serve...)
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = append(os.Environ(), "SALLYPORT_DATA="+ts.Getenv("SALLYPORT_DATA"),
		"SALLYPORT_STORAGE_FREE_FLOOR="+ts.Getenv("SALLYPORT_STORAGE_FREE_FLOOR"), "HOME="+ts.Getenv("HOME"),
		clockVariable+"="+ts.Getenv(clockVariable))
	for _, name := range []string{databaseVariable, "SALLYPORT_ENDPOINT_HOST", "SALLYPORT_USERS_NAME_RULE"} {
		if value := ts.Getenv(name); value != "" {
			s.cmd.Env = append(s.cmd.Env, name+"="+value)
		}
	}
	log, err := os.OpenFile(ts.MkAbs("server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ts.Check(err)
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	ts.Check(s.cmd.Start())
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(s.cmd, s.done)
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		probe := exec.Command(exe, "session", "list")
		probe.Env = append(slices.Clone(s.cmd.Env), "GORACE="+shortExit)
		if probe.Run() == nil {
			return
		}
		select {
		case err := <-s.done:
			s.cmd = nil
			ts.Fatalf("the server ended: %v\n%s", err, ts.ReadFile("server.log"))
		default:
		}
		if time.Now().After(end) {
			ts.Fatalf("the server did not come up:\n%s", ts.ReadFile("server.log"))
		}
	}
}

// down stops the server with SIGTERM; it must exit with 0.
func down(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value("server").(*server)
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	err := <-s.done
	s.cmd = nil
	if err != nil {
		ts.Fatalf("the server ended with %v:\n%s", err, ts.ReadFile("server.log"))
	}
}

// kill9 ends the server with no time to do anything.
func kill9(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value("server").(*server)
	ts.Check(s.cmd.Process.Kill())
	<-s.done
	s.cmd = nil
}

// patience is how long waitfor tries. The server does some work once a minute only.
const patience = 90 * time.Second

// waitFor runs a command until it succeeds: waitfor sh -c '…'
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = ts.Exec(args[0], args[1:]...); (err == nil) != neg {
			return
		}
	}
	ts.Fatalf("it did not happen in time: %s: %v", strings.Join(args, " "), err)
}

// random makes a file of random bytes: random FILE SIZE, as in head -c.
func random(ts *testscript.TestScript, _ bool, args []string) {
	head := ""
	if strings.HasSuffix(args[0], ".pdf") { // what is called one must begin like one
		head = "%PDF-1.7\n"
	}
	ts.Check(ts.Exec("sh", "-c", "{ printf '"+strings.ReplaceAll(head, "%", "%%")+"'; cat /dev/urandom; } | head -c "+
		args[1]+" > "+args[0]))
}

// sameHash compares two files: samehash A B
func sameHash(ts *testscript.TestScript, neg bool, args []string) {
	same := ts.ReadFile(args[0]) == ts.ReadFile(args[1])
	if same == neg {
		ts.Fatalf("%s: same bytes: %v", strings.Join(args, " and "), same)
	}
}
