package siem

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	dialTime  = 10 * time.Second
	writeTime = 30 * time.Second
	lookTime  = 5 * time.Millisecond // for the end of a connection that the receiver closed
)

// Target is where events go, and in which form.
type Target struct {
	scheme, address string // scheme is tcp, tls, udp, or "" for Out
	syslog          bool
	Out             io.Writer   // for "-"
	Host            string      // of syslog messages: the machine that sends them
	TLS             *tls.Config // for tls; nil: the system's authorities
	conn            net.Conn
}

// ParseTarget reads where events go: "-", tcp://HOST:PORT, tls://HOST:PORT or udp://HOST:PORT; and the form: json or
// syslog.
func ParseTarget(to, format string) (*Target, error) {
	t := &Target{syslog: format == "syslog"}
	if format != "json" && format != "syslog" {
		return nil, fault.E("siem.ParseTarget", fault.Invalid, "The format is json or syslog, not %q.",
			valid.Printable(format))
	}
	if to == "-" {
		return t, nil
	}
	u, err := url.Parse(to)
	known := err == nil && (u.Scheme == "tcp" || u.Scheme == "tls" || u.Scheme == "udp")
	if !known || u.Hostname() == "" || u.Port() == "" || u.Path+u.RawQuery+u.Fragment != "" || u.User != nil {
		return nil, fault.E("siem.ParseTarget", fault.Invalid, "%q is no place to send events to.", valid.Printable(to)).
			WithHint("for example -, tls://siem.example.com:6514, tcp://127.0.0.1:601 or udp://127.0.0.1:514")
	}
	if u.Scheme == "udp" && !t.syslog {
		return nil, fault.E("siem.ParseTarget", fault.Invalid, "Over UDP, events are sent as syslog.").
			WithHint("--format syslog")
	}
	t.scheme, t.address = u.Scheme, u.Host
	return t, nil
}

// Local reports whether events go to Out. A failure then is the end: nobody connects again.
func (t *Target) Local() bool { return t.scheme == "" }

// Send sends events in order, over a connection that is made if there is none. It returns nil once all were handed to
// the connection, and the receiver had not closed it by then. After an error the connection is closed; the events are
// to be sent again.
func (t *Target) Send(ctx context.Context, events []model.StreamEvent) error {
	err := t.connect(ctx)
	if err == nil && t.scheme == "udp" {
		for i := range events {
			if _, err = t.conn.Write(Syslog(events[i], t.Host, MostDatagram)); err != nil {
				break
			}
		}
	} else if err == nil {
		err = t.write(ctx, events)
	}
	if err == nil {
		return nil
	}
	t.Close()
	return fault.E("siem.Send", fault.Unavailable, "Events could not be sent: %v.", fault.InWords(err))
}

func (t *Target) connect(ctx context.Context) (err error) {
	if t.Local() || t.conn != nil {
		return nil
	}
	d := &net.Dialer{Timeout: dialTime}
	switch t.scheme {
	case "tls":
		ctx, stop := context.WithTimeout(ctx, dialTime)
		defer stop()
		t.conn, err = (&tls.Dialer{NetDialer: d, Config: t.TLS}).DialContext(ctx, "tcp", t.address)
	default:
		t.conn, err = d.DialContext(ctx, t.scheme, t.address)
	}
	return err
}

func (t *Target) write(ctx context.Context, events []model.StreamEvent) error {
	var text []byte
	for i := range events {
		if !t.syslog {
			line, err := JSON(events[i])
			if err != nil {
				return err
			}
			text = append(text, line...)
			continue
		}
		m := Syslog(events[i], t.Host, MostStream)
		if t.Local() {
			text = append(append(text, m...), '\n')
			continue
		}
		text = append(strconv.AppendInt(text, int64(len(m)), 10), ' ') // octet counting: RFC 6587, 3.4.1
		text = append(text, m...)
	}
	if t.Local() {
		_, err := t.Out.Write(text)
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = t.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := t.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if _, err := t.conn.Write(text); err != nil {
		return err
	}
	return t.open()
}

// open fails if the receiver has closed the connection. Writing to such a one works once. Receivers send nothing; what
// one sends is passed over.
func (t *Target) open() error {
	if err := t.conn.SetReadDeadline(time.Now().Add(lookTime)); err != nil {
		return err
	}
	_, err := t.conn.Read(make([]byte, 512))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// Close ends the connection, if there is one.
func (t *Target) Close() {
	if t.conn != nil {
		_ = t.conn.Close() // what was not accepted is sent again
		t.conn = nil
	}
}
