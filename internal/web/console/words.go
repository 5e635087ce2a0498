package console

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// stamp is a time as a page shows it.
type stamp struct {
	ISO, Text string
	Short     string // in a table whose heading names the zone
	Ago       string // "for 3 days"
}

// at formats a time, in the operators' zone; nil for none.
func (s *server) at(t *time.Time) *stamp {
	if t == nil || t.IsZero() {
		return nil
	}
	in, now := t.In(s.o.Zone), s.now()
	out := &stamp{ISO: t.UTC().Format(time.RFC3339), Text: in.Format("2 Jan 2006, 15:04 MST"),
		Short: in.Format("2 Jan, 15:04"), Ago: "for " + length(now.Sub(*t))}
	if in.Year() != now.In(s.o.Zone).Year() {
		out.Short = in.Format("2 Jan 2006")
	}
	if d := now.Sub(*t); d >= 0 && d < time.Minute {
		out.Ago = "just now"
	}
	return out
}

// length says how long something takes, in its largest unit: "3 days". A time to come has the same length.
func length(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / unit.of); n > 0 {
			return valid.Count(n, unit.name)
		}
	}
	return "a moment"
}

// tone is the colour that helps a word.
type tone string

const (
	good tone = "good"
	warn tone = "warn"
	bad  tone = "bad"
)

// requestTones are the colours of requests' states.
var requestTones = map[model.RequestState]tone{model.RequestNew: warn, model.RequestApproved: warn,
	model.RequestReady: good, model.RequestFirstLogin: good, model.RequestFirstFile: good,
	model.RequestRejected: bad, model.RequestExpired: bad}

// stateWord is what operators read for a request's state.
func stateWord(s model.RequestState) string {
	if s == model.RequestRejected { // the word for a received file is "refused"
		return "rejected"
	}
	return model.Word(s)
}

// waitsFor says who is waited for.
func waitsFor(a model.Awaited) string {
	switch a {
	case model.AwaitedOperator:
		return "us"
	case model.AwaitedSecond:
		return "a second operator"
	case model.AwaitedRequester:
		return "the requester"
	}
	return "nobody"
}

// channels are the ways in which requests come.
var channels = map[model.RequestChannel]string{model.ChannelForm: "the form", model.ChannelByMail: "a mail",
	model.ChannelPhone: "a call", model.ChannelOperator: "an operator"}
