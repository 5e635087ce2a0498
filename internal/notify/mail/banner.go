package mail

import (
	"reflect"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/notify"
)

// maxBanner is how many lines a banner may have. Clients show them before every question.
const maxBanner = 5

// Banner writes the text for a failed log-in. It depends on the listener alone, never on the client,
// so that it reveals nothing. help is how to reach support, or "".
func (w *Writer) Banner(help, reference string) string {
	return w.short(banner, bannerFacts{Help: help, Reference: reference})
}

// Banned writes the text for a banned address, sent before anything else. reference may be "".
func (w *Writer) Banned(help, reference string, until time.Time) string {
	return w.short(banned, bannerFacts{Help: help, Reference: reference, Until: until})
}

// bannerFacts are about a failed log-in.
type bannerFacts struct {
	Help, Reference string
	Until           time.Time
}

func (w *Writer) short(name string, f bannerFacts) string {
	text, err := w.run(name, w.cfg.Language, w.bannerData(f))
	if err != nil {
		return "" // the built-in one cannot fail
	}
	return strings.Join(bannerLines(text), "\r\n") + "\r\n"
}

// bannerData is what the templates of banners get. The operator is named only if it has a name.
func (w *Writer) bannerData(f bannerFacts) map[string]any {
	data := w.data(notify.Letter{Facts: f})
	for name, text := range map[string]string{"Help": f.Help, "Operator": w.cfg.Operator} {
		data[name] = value(reflect.ValueOf(text), w.cfg.Zone)
	}
	return data
}

// bannerLines returns a banner's lines that are not empty, at most maxBanner.
func bannerLines(text string) (out []string) {
	for row := range strings.SplitSeq(text, "\n") {
		if row = strings.TrimSpace(restore(row)); row != "" && len(out) < maxBanner {
			out = append(out, row)
		}
	}
	return out
}
