package siem_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/siem"
	"github.com/sallyport-sftp/sallyport/model"
)

// parsed is what a strict reader of RFC 5424 finds in a message.
type parsed struct {
	host, app, id string
	values        map[string]string
}

// parse reads a message strictly. It returns why it is none, or "".
func parse(m []byte) (p parsed, why string) {
	s := string(m)
	if !utf8.ValidString(s) {
		return p, "it is not UTF-8"
	}
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x202e {
			return p, "it has a control character"
		}
	}
	parts := strings.SplitN(s, " ", 7)
	if len(parts) != 7 {
		return p, "its header is short"
	}
	if parts[0] != "<109>1" && parts[0] != "<85>1" && parts[0] != "<84>1" {
		return p, "its priority or version is " + parts[0]
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000000Z", parts[1]); err != nil {
		return p, "its time: " + err.Error()
	}
	for i, most := range map[int]int{2: 255, 3: 48, 4: 128, 5: 32} {
		if parts[i] == "" || len(parts[i]) > most || strings.Trim(parts[i], printASCII) != "" {
			return p, "a field of its header is " + parts[i]
		}
	}
	p = parsed{host: parts[2], app: parts[3], id: parts[5], values: map[string]string{}}
	rest, found := strings.CutPrefix(parts[6], "[sallyport@32473")
	if !found {
		return p, "it has no structured data"
	}
	for rest != "]" {
		name, after, found := strings.Cut(rest, `="`)
		if !found || !strings.HasPrefix(name, " ") || len(name) < 2 || len(name) > 33 ||
			strings.Trim(name[1:], printASCII) != "" || strings.ContainsAny(name, `=]"`) {
			return p, "a name is wrong: " + rest
		}
		var value strings.Builder
		i := 0
		for ; i < len(after) && after[i] != '"'; i++ {
			switch {
			case after[i] == ']':
				return p, "a bracket stands alone: " + after
			case after[i] == '\\':
				if i++; i == len(after) || !strings.ContainsRune(`\"]`, rune(after[i])) {
					return p, "a backslash stands alone: " + after
				}
			}
			value.WriteByte(after[i])
		}
		if i >= len(after) {
			return p, "a value has no end"
		}
		if p.values[name[1:]] = value.String(); i+1 >= len(after) {
			return p, "the structured data has no end"
		}
		rest = after[i+1:]
	}
	return p, ""
}

// printASCII are the characters of PRINTUSASCII in RFC 5424.
const printASCII = `!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_` + "`" +
	`abcdefghijklmnopqrstuvwxyz{|}~`

func FuzzSyslog(f *testing.F) {
	f.Add("dir.make", "user:acme", "/a\"]\\\n<13>1 forged\x1b[31m\xff", "about", "]\" x=\"y", "host")
	f.Add("", "", "", "a=]\" b", strings.Repeat("é]", 5000), "")
	f.Fuzz(func(t *testing.T, action, actor, subject, name, detail, host string) {
		for _, source := range []string{model.SourceAudit, model.SourceConnection} {
			e := model.StreamEvent{Time: time.Unix(1e9, 0), Source: source, Seq: 7, ID: "id", Action: action, Actor: actor,
				Subject: subject, Outcome: "done", Detail: map[string]string{name: detail, "again": subject}}
			for _, most := range []int{siem.MostStream, siem.MostDatagram} {
				m := siem.Syslog(e, host, most)
				p, why := parse(m)
				if why != "" || len(m) > most {
					t.Fatalf("%d bytes, %s\n%q", len(m), why, m)
				}
				if p.values["seq"] != "7" || p.values["source"] != source || p.app != "sallyport" {
					t.Fatalf("%+v", p)
				}
			}
		}
	})
}

func TestHostileNamesComeBackWhole(t *testing.T) {
	e := model.StreamEvent{Time: time.Unix(1e9, 0), Source: model.SourceAudit, Action: "file.store", Actor: "user:acme",
		Subject: "/in/a\"b]c\\d\n\x1b[31mé\xff", Outcome: "done"}
	p, why := parse(siem.Syslog(e, "a host", siem.MostStream))
	if want := `/in/a"b]c\d\x0a\x1b[31mé\xff`; why != "" || p.values["subject"] != want || p.host != "a_host" {
		t.Errorf("%s: %+v", why, p)
	}
	e.Detail = map[string]string{"path": strings.Repeat("x", 3000)}
	p, _ = parse(siem.Syslog(e, "h", siem.MostStream))
	if len(p.values["d.path"]) != 1024 || p.values["truncated"] != "true" {
		t.Errorf("a long value: %d bytes, truncated %q", len(p.values["d.path"]), p.values["truncated"])
	}
}
