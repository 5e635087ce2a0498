package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/siem"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	streamEvery = 2 * time.Second // between looks at the log, which is sealed once a second
	backoffMost = time.Minute
)

// streamFlags are the flags of audit stream.
type streamFlags struct {
	filter                 model.StreamFilter
	cursor, format, to, ca string
	follow                 bool
}

func (a *app) auditStream() *cobra.Command {
	var f streamFlags
	c := command("stream", "Send audit and connection events to a SIEM, and take up where it ended", cobra.NoArgs,
		func(ctx context.Context, _ []string) error { return a.streamEvents(ctx, f) })
	c.Long = `Write or send sealed rows of the audit log, the oldest first, one line or message
each. With --connections, log-ins, refusals and ends of sessions, too.

With --cursor, a file says how far the stream is. It is replaced after events were
handed over, so after a crash some are sent again, and none is left out. Whoever
receives them tells them apart by source and seq. --from counts if the file is not
there yet.

With --follow, the stream goes on until SIGTERM, and waits for a server or receiver
that does not answer. An API token of the role auditor is enough.`
	c.Flags().Int64Var(&f.filter.From, "from", 0, "number of the first row of the audit log")
	c.Flags().StringVar(&f.cursor, "cursor", "", "file that says how far the stream is")
	c.Flags().StringVar(&f.format, "format", "json", "json, syslog (RFC 5424)")
	c.Flags().StringVar(&f.to, "to", "-", "- is standard output; tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT")
	c.Flags().StringVar(&f.ca, "to-ca", "",
		"file with the authorities of the receiver's certificate (default: the system's)")
	c.Flags().BoolVar(&f.filter.Connections, "connections", false, "log-ins, refusals and ends of sessions, too")
	c.Flags().BoolVar(&f.follow, "follow", false, "go on as events happen")
	return c
}

func (a *app) streamEvents(ctx context.Context, f streamFlags) error {
	target, err := a.streamTarget(f)
	if err != nil {
		return err
	}
	defer target.Close()
	if f.filter.Cursor, err = readCursor(f.cursor); err != nil {
		return err
	}
	f.filter.Limit = 500
	wait := time.Second
	for {
		more, err := a.streamSome(ctx, &f, target)
		pause := streamEvery
		switch {
		case ctx.Err() != nil:
			return nil // it was asked to end; the cursor says how far it is
		case err != nil && (!f.follow || !waitsFor(err, target)):
			return err
		case err != nil:
			fmt.Fprintf(a.Err, "sallyport: %s Trying again in %s.\n", fault.PublicText(err), wait)
			pause, wait = wait, min(2*wait, backoffMost)
		case more:
			wait = time.Second
			continue
		case !f.follow:
			return nil
		default:
			wait = time.Second
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// waitsFor reports whether an error may pass by itself: a server or a receiver does not answer.
func waitsFor(err error, target *siem.Target) bool {
	kind := fault.KindIn(err)
	ours := errors.Is(err, errReceiver)
	return (kind == fault.Unavailable || kind == fault.Busy || kind == fault.Internal) && !(ours && target.Local())
}

// errReceiver marks an error of whoever receives the events, not of the server.
var errReceiver = errors.New("the receiver")

// streamSome passes one page on, and reports whether it had events. The cursor moves after they were handed over.
func (a *app) streamSome(ctx context.Context, f *streamFlags, target *siem.Target) (more bool, err error) {
	page, err := a.client().StreamAudit(ctx, f.filter)
	if err != nil {
		return false, err
	}
	if page.Expired > 0 {
		fmt.Fprintf(a.Err, "sallyport: %d rows had expired, and are not in the stream.\n", page.Expired)
	}
	if len(page.Items) > 0 {
		if err := target.Send(ctx, page.Items); err != nil {
			return false, errors.Join(err, errReceiver)
		}
	}
	if f.cursor != "" && page.Cursor != f.filter.Cursor {
		if err := replaceFile(f.cursor, []byte(page.Cursor+"\n"), 0o600); err != nil {
			return false, fault.E("cli.auditStream", fault.Invalid, "The cursor cannot be written: %v.", fault.InWords(err))
		}
	}
	f.filter.Cursor = page.Cursor
	return len(page.Items) > 0, nil
}

func (a *app) streamTarget(f streamFlags) (*siem.Target, error) {
	target, err := siem.ParseTarget(f.to, f.format)
	if err != nil {
		return nil, err
	}
	target.Out = a.Out
	target.Host, _ = os.Hostname() // without one the message has "-"
	if f.ca == "" {
		return target, nil
	}
	if !strings.HasPrefix(f.to, "tls://") {
		return nil, fault.E("cli.auditStream", fault.Invalid, "--to-ca is for tls:// alone.")
	}
	text, err := os.ReadFile(f.ca)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return nil, fault.E("cli.auditStream", fault.Invalid, "%s has no certificates that can be read.", f.ca)
	}
	target.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return target, nil
}

// readCursor reads how far a stream is; "" if there is no such file yet.
func readCursor(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fault.E("cli.auditStream", fault.Invalid, "The cursor cannot be read: %v.", fault.InWords(err))
	case len(strings.TrimSpace(string(text))) == 0:
		return "", fault.E("cli.auditStream", fault.Invalid, "The cursor file %s is empty.", path).
			WithHint("remove it to begin anew")
	}
	return strings.TrimSpace(string(text)), nil
}
