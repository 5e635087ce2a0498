package announce

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Greeting is what somebody who has proven a key of an account is shown before the log-in goes on; "" if
// nothing is announced. A failure to find out shows nothing: a log-in never fails of it.
func (s *Service) Greeting(ctx context.Context, account string) string {
	return s.banner(func(a model.Announcement) bool {
		if a.Scope == model.ScopeAll {
			return true
		}
		yes, err := s.o.Store.Read(ctx).Concerns(a.Scope, a.Target, account)
		return err == nil && yes
	})
}

// Public is what somebody whose log-in fails is shown beside the reason: announcements to everyone, and
// those to the region of the listener. It does not depend on the user, so that it tells strangers nothing.
func (s *Service) Public(region string) string {
	return s.banner(func(a model.Announcement) bool {
		return a.Scope == model.ScopeAll || a.Scope == model.ScopeRegion && region != "" && a.Target == region
	})
}

// banner joins the announcements that are shown now and concern somebody.
func (s *Service) banner(concerns func(model.Announcement) bool) string {
	list := s.current.Load()
	if list == nil || len(*list) == 0 {
		return ""
	}
	var b strings.Builder
	now := s.now()
	for _, a := range *list {
		if a.Shown(now) && concerns(a) {
			fmt.Fprintf(&b, "%s (until %s)\r\n", valid.Printable(a.Subject), a.Until.In(s.o.Zone).Format("2006-01-02 15:04 MST"))
			b.WriteString(lines(a.Text))
		}
	}
	return b.String()
}

// lines breaks a text into lines of a banner. Clients show them as they are.
func lines(text string) string {
	if len(text) > inBanner {
		text = valid.Excerpt(strings.ReplaceAll(text, "\n", " "), inBanner)
	}
	var b strings.Builder
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(valid.Printable(paragraph)) {
			if line != "" && len(line)+1+len(word) > narrow {
				b.WriteString(line + "\r\n")
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		if line != "" {
			b.WriteString(line + "\r\n")
		}
	}
	return b.String()
}
