// Package doctor looks at a deployment from outside of its server, and says of each thing that it looked at whether it
// is well; if not, why, and what mends it. It changes nothing. The server may run, or may not be able to start.
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// State says how a thing is.
type State string

// States of findings, the best first.
const (
	Well    State = "well"
	Skipped State = "skipped" // it could not be looked at, or is not used here
	Odd     State = "odd"     // it works, and somebody should look
	Broken  State = "broken"
)

// Finding is what was found out about one thing.
type Finding struct {
	Check string `json:"check"` // what was looked at: disk, clock, database
	State State  `json:"state"`
	Text  string `json:"text"`          // one or two sentences
	Fix   string `json:"fix,omitempty"` // what mends it
}

// Report is all that was found out.
type Report struct {
	At       time.Time `json:"at"`
	Findings []Finding `json:"findings"`
	Odd      int       `json:"odd"`
	Broken   int       `json:"broken"`
}

// Options say what is looked at, and with what.
type Options struct {
	Config config.Config
	File   string // the configuration's file; "": there is none
	Clock  exchange.Clock
	// Store is the database, opened for reading; if it is nil, StoreErr says why.
	Store    *store.Store
	StoreErr error
	Blobs    blob.Store // nil: there is no folder of stored files yet
	Deep     bool       // every stored file is read, and its hash compared
	// Mail connects to the mail server, and authenticates; nil: none is configured.
	Mail func(ctx context.Context) error
	// Certificate returns when the certificate of the pages expires; nil: there is none, or it ends elsewhere.
	Certificate func(ctx context.Context) (time.Time, error)
	// Backups returns when the newest backup was tried, and the newest that is whole; why is why the newest failed.
	Backups func(ctx context.Context) (tried, whole time.Time, why string, err error)
	// Progress is told how many stored files were looked at.
	Progress func(done, total int64)
}

// patient is a deployment that is looked at.
type patient struct {
	Options
	ctx      context.Context
	findings []Finding
}

// Examine looks at everything. It fails only if ctx ends.
func Examine(ctx context.Context, o Options) (Report, error) {
	p := &patient{Options: o, ctx: ctx}
	for _, look := range []func(){p.configuration, p.folder, p.clock, p.disk, p.latency, p.encryption, p.server, p.limits,
		p.database, p.stored, p.hostKeys, p.signingKey, p.auditLog, p.backups, p.mail, p.webhooks, p.certificate} {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		look()
	}
	r := Report{At: o.Clock().UTC().Truncate(time.Second), Findings: p.findings}
	for _, f := range r.Findings {
		switch f.State {
		case Odd:
			r.Odd++
		case Broken:
			r.Broken++
		}
	}
	return r, nil
}

// Unreadable is the report about a configuration that cannot be read.
func Unreadable(at time.Time, err error) Report {
	return Report{At: at.UTC().Truncate(time.Second), Broken: 1, Findings: []Finding{{Check: "configuration",
		State: Broken, Text: fault.PublicText(err), Fix: "sallyport config check names each line"}}}
}

// say adds a finding.
func (p *patient) say(check string, s State, fix, format string, args ...any) {
	p.findings = append(p.findings, Finding{Check: check, State: s, Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (p *patient) well(check, format string, args ...any) { p.say(check, Well, "", format, args...) }

// fails adds a finding about something that could not be looked at because of an error.
func (p *patient) fails(check string, err error, fix string) {
	p.say(check, Broken, fix, "It cannot be looked at: %s", fault.InWords(err))
}

// opened reports whether there is a database to look at. If not, it adds a finding.
func (p *patient) opened(check string) bool {
	if p.Store == nil {
		p.say(check, Skipped, "", "The database could not be opened.")
	}
	return p.Store != nil
}

// ago says how long ago a time was, for people.
func (p *patient) ago(t time.Time) string {
	switch d := p.Clock().Sub(t); {
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 72*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}
