package cli

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// names replaces what differs between runs with placeholders, and remembers what each stands for.
type names struct {
	known   map[string]string // printed text → placeholder
	printed map[string]string // placeholder → printed text
	counts  map[string]int
}

// changing matches what differs between runs. The first group is replaced with the placeholder. If
// counted, the placeholder gets a number, so that things can be told apart.
var changing = []struct {
	what    *regexp.Regexp
	with    string
	counted bool
}{
	{regexp.MustCompile(`\b01(?:[0-9A-HJKMNP-TV-Z]{24}|[0-9a-hjkmnp-tv-z]{24})\b`), "ID", true},
	{regexp.MustCompile(`\b[A-Z2-7]{26}\b`), "CLAIM", true},
	{regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`), "SHA256:KEY", true},
	{regexp.MustCompile(`ssh-ed25519 (AAAA[A-Za-z0-9+/]{64})`), "PUBLIC", true},
	{regexp.MustCompile(`\b(?:[0-9a-f]{2}:){15}[0-9a-f]{2}\b`), "MD5", true},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH", true},
	{regexp.MustCompile(`— \S+ ([A-Za-z0-9+/]{80,}=*)`), "SIGNATURE", false},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "ROOT", false},
	{regexp.MustCompile(`\+([0-9a-f]{8}\+[A-Za-z0-9+/]{44})`), "SIGNING-KEY", false},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d(:\d\d:\d\d(?:\.\d+)?)`), ":mm:ss", false},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d(?:[ T]| at )\d\d(:\d\d)\b`), ":mm", false},
	{regexp.MustCompile(`\bat \d\d(:\d\d) UTC`), ":mm", false},
	{regexp.MustCompile(`(?:[Rr]eference"?:? "?|"about": ")([2-9a-hjkmnp-z]{4}-[2-9a-hjkmnp-z]{4})\b`), "REFERENCE", true},
	// the client chooses one that the processor is fast at
	{regexp.MustCompile(`\b(?:aes128-gcm|aes256-gcm|chacha20-poly1305)@openssh\.com\b`), "CIPHER", false},
	{regexp.MustCompile(`127\.0\.0\.1:([3-6]\d{4})\b`), "PORT", false}, // the system chooses it
	{regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`), "WEBHOOK-SECRET", false},
	{regexp.MustCompile(`\bsp_([a-z2-7]{47})\b`), "TOKEN-SECRET", true},
	{regexp.MustCompile(`\bsp_([a-z2-7]{8})\b`), "PREFIX", true},
	{regexp.MustCompile(`/(?:handover|join)/([A-Za-z0-9_-]+)`), "SECRET", false},
	{regexp.MustCompile(`local:([^\s"(]+\(\d+\))`), "operator(0)", false},
	{regexp.MustCompile(`\b\d\.\d KB\b`), "n.n KB", false}, // bytes of a connection
	{regexp.MustCompile(`,session,,(\d+),`), "0", false},
	{regexp.MustCompile(`"(?:received|sent|bytes)": (\d{4})\b`), "0", false}, // bytes of a connection
	{regexp.MustCompile(`[Cc]heckpoints"?: +(\d+)`), "n", false},             // one per second, if there are new rows
}

// example is the date in the examples of help and hints. It is before the clock starts.
const example = "2026-11-01"

// settle replaces text with placeholders. Tables are formatted again afterwards.
func (n *names) settle(text string) string {
	lines := strings.SplitAfter(text, "\n")
	var out strings.Builder
	for i := 0; i < len(lines); {
		starts := columns(lines[i])
		if len(starts) < 2 {
			out.WriteString(n.replace(lines[i]))
			i++
			continue
		}
		var set bytes.Buffer
		w := tabwriter.NewWriter(&set, 0, 4, 2, ' ', 0) // the same settings as app.show
		for ; i < len(lines); i++ {
			cells, ok := cut(lines[i], starts)
			if !ok {
				break
			}
			for k := range cells {
				cells[k] = n.replace(cells[k])
			}
			fmt.Fprintln(w, strings.Join(cells, "\t"))
		}
		_ = w.Flush() // into memory
		out.Write(set.Bytes())
	}
	return out.String()
}

var head = regexp.MustCompile(`^ *[A-Z0-9][A-Z0-9()-]*( [A-Z0-9()-]+)*(  +[A-Z0-9()-]+( [A-Z0-9()-]+)*)+\n$`)

// columns returns where a table's columns begin, if the line is a table's head.
func columns(line string) (starts []int) {
	if !head.MatchString(line) {
		return nil
	}
	for i := range line {
		if i == 0 || line[i] != ' ' && i > 1 && line[i-1] == ' ' && line[i-2] == ' ' {
			starts = append(starts, i)
		}
	}
	return starts
}

// cut splits a row into cells.
func cut(line string, starts []int) (cells []string, ok bool) {
	row := []rune(strings.TrimSuffix(line, "\n"))
	for i, from := range starts {
		to := len(row)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		if from > 0 && (from >= len(row) || row[from-1] != ' ') || to > len(row) || to == 0 {
			return nil, false
		}
		cells = append(cells, strings.TrimRight(string(row[from:to]), " "))
	}
	return cells, true
}

// replace puts placeholders into a text that is not a table.
func (n *names) replace(text string) string {
	text = strings.NewReplacer(runtime.Version(), "GO", runtime.GOOS+"/"+runtime.GOARCH, "PLATFORM",
		"sallyport "+exchange.Version, "sallyport VERSION").Replace(text)
	for _, c := range changing {
		text = c.what.ReplaceAllStringFunc(text, func(found string) string {
			if strings.HasPrefix(found, example) {
				return found
			}
			what := found
			if m := c.what.FindStringSubmatch(found); len(m) > 1 {
				what = m[1]
			}
			with := c.with
			if c.counted {
				with = n.name(what, with)
			}
			return strings.Replace(found, what, with, 1)
		})
	}
	return text
}

// name returns the placeholder of a printed text, the same each time.
func (n *names) name(printed, kind string) string {
	if with, ok := n.known[printed]; ok {
		return with
	}
	if n.known == nil {
		n.known, n.printed, n.counts = map[string]string{}, map[string]string{}, map[string]int{}
	}
	n.counts[kind]++
	with := fmt.Sprintf("%s-%d", kind, n.counts[kind])
	n.known[printed], n.printed[with] = with, printed
	return with
}

var placeholder = regexp.MustCompile(`\b(ID|CLAIM|SHA256:KEY|HASH|REFERENCE)-\d+\b`)

// expand replaces the placeholders in a line with what they stand for.
func (n *names) expand(line string) string {
	return placeholder.ReplaceAllStringFunc(line, func(with string) string {
		if printed, ok := n.printed[with]; ok {
			return printed
		}
		return with
	})
}
