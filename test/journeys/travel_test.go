package journeys

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"
)

// clockVariable names the file that says how far a story's clock is ahead, in
// seconds. It is the stories' own: the product knows no such thing.
const clockVariable = "STORY_CLOCK"

// storyClock is the real clock plus what the story has travelled.
func storyClock() func() time.Time {
	file := os.Getenv(clockVariable)
	if file == "" {
		return time.Now
	}
	var ahead, read atomic.Int64
	return func() time.Time {
		if now := time.Now().UnixMilli(); now-read.Load() > 20 {
			read.Store(now)
			if b, err := os.ReadFile(file); err == nil {
				n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
				ahead.Store(n)
			}
		}
		return time.Now().Add(time.Duration(ahead.Load()) * time.Second)
	}
}

// travel moves the story's clock: travel 32d, travel 6h, or travel to
// 2027-01-05T06:00:00Z.
func travel(ts *testscript.TestScript, neg bool, args []string) {
	file := ts.Getenv(clockVariable)
	ahead := int64(0)
	if b, err := os.ReadFile(file); err == nil {
		ahead, err = strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		ts.Check(err)
	}
	switch {
	case len(args) == 2 && args[0] == "to":
		at, err := time.Parse(time.RFC3339, args[1])
		ts.Check(err)
		ahead = int64(time.Until(at) / time.Second)
	case len(args) == 1:
		days, isDays := strings.CutSuffix(args[0], "d")
		if isDays {
			n, err := strconv.Atoi(days)
			ts.Check(err)
			ahead += int64(n) * 86400
			break
		}
		d, err := time.ParseDuration(args[0])
		ts.Check(err)
		ahead += int64(d / time.Second)
	default:
		ts.Fatalf("usage: travel 32d, or travel to TIME")
	}
	ts.Check(os.WriteFile(file+".new", []byte(strconv.FormatInt(ahead, 10)), 0o600))
	ts.Check(os.Rename(file+".new", file))
	time.Sleep(50 * time.Millisecond) // until every process has read it
}

// mailSink starts a mail server on $MAILPORT that writes each mail into
// mail/<n>-<recipient>.eml, and refuses recipients that begin with "refused".
func mailSink(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs("mail")
	ts.Check(os.MkdirAll(dir, 0o755))
	sink := &sink{dir: dir}
	s := smtp.NewServer(sink)
	s.Addr, s.Domain, s.AllowInsecureAuth = "127.0.0.1:"+ts.Getenv("MAILPORT"), "localhost", true
	go func() { _ = s.ListenAndServe() }() // it ends with the story
	ts.Defer(func() { _ = s.Close() })
}

// alterDB changes the database by hand: alterdb 'UPDATE …'
func alterDB(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("sqlite3", filepath.Join(ts.Getenv("SALLYPORT_DATA"), "sallyport.db"), args[0])
	if url := ts.Getenv("SALLYPORT_DATABASE_URL"); url != "" {
		cmd = exec.Command("psql", "-q", url, "-c", args[0])
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("%v\n%s", err, out)
	}
}

type sink struct {
	dir string
	n   atomic.Int64
}

func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &letter{sink: s}, nil }

type letter struct {
	sink *sink
	to   string
}

func (l *letter) Reset()                               {}
func (l *letter) Logout() error                        { return nil }
func (l *letter) Mail(string, *smtp.MailOptions) error { return nil }

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "refused") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	l.to = to
	return nil
}

func (l *letter) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	name := filepath.Join(l.sink.dir, fmt.Sprintf("%03d-%s.eml", l.sink.n.Add(1), l.to))
	return os.WriteFile(name, b, 0o644)
}
