package feed

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Pattern is a feed's file name pattern: text with fields in braces.
//
//	{account}              the account that it is published to, in any case
//	{yyyy} {yy} {mm} {dd}  parts of a date; {date} is all three: 20261031
//	{seq} {seq:6}          an increasing number; :6 pads it with zeros to 6 digits, and
//	                       after 999999 it wraps
//	{seq/day} {seq:3/month} a number that restarts with each day, month or year; with
//	                       /never it does not restart. Without a period, the restart is
//	                       deduced from the names.
//	{any}                  anything
type Pattern struct {
	text  string
	expr  string // contains accountField if the pattern has {account}
	match *regexp.Regexp
	count counting
}

// fields maps each field to the expression that it matches.
var fields = map[string]string{
	"account": accountField,
	"yyyy":    `(?P<yyyy>[0-9]{4})`,
	"yy":      `(?P<yy>[0-9]{2})`,
	"mm":      `(?P<mm>0[1-9]|1[0-2])`,
	"dd":      `(?P<dd>0[1-9]|[12][0-9]|3[01])`,
	"date":    `(?P<date>[0-9]{8})`,
	"seq":     `(?P<seq>[0-9]{1,18})`,
	"any":     `[^/]*`,
}

const accountField = `(?P<account>[A-Za-z0-9][A-Za-z0-9._@+ -]*)`

const fieldWords = "{account}, {yyyy}, {yy}, {mm}, {dd}, {date}, {seq}, {seq:6}, {seq/day}, {any}"

// ParsePattern parses a pattern. For "" it returns nil, which matches every name.
func ParsePattern(text string) (*Pattern, error) {
	const op = "feed.ParsePattern"
	if text == "" {
		return nil, nil
	}
	bad := func(format string, args ...any) error {
		return fault.E(op, fault.Invalid, format, args...).WithHint("fields are %s", fieldWords)
	}
	if len(text) > 200 || valid.Printable(text) != text {
		return nil, bad("%q cannot be a pattern of names.", valid.Printable(text))
	}
	p, seen := &Pattern{text: text}, map[string]bool{}
	var b strings.Builder
	b.WriteString("^")
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if strings.Contains(before, "/") {
			return nil, bad("%q cannot be a pattern of names: a name has no slash.", text)
		}
		b.WriteString(regexp.QuoteMeta(before))
		if !found {
			break
		}
		field, tail, closed := strings.Cut(after, "}")
		if !closed {
			return nil, bad("The pattern has a brace that is not closed.")
		}
		field, period, restarts := strings.Cut(field, "/")
		name, width, wide := strings.Cut(field, ":")
		expr, known := fields[name]
		if !known || (wide || restarts) && name != "seq" {
			return nil, bad("The pattern has the field {%s}, which is not known.", valid.Printable(field))
		}
		if seen[name] && name != "any" {
			return nil, bad("The pattern has {%s} twice.", name)
		}
		seen[name] = true
		if wide {
			n, err := strconv.Atoi(width)
			if err != nil || n < 1 || n > 18 {
				return nil, bad("The pattern has a width of %q; 1 to 18 digits.", valid.Printable(width))
			}
			expr = `(?P<seq>[0-9]{` + strconv.Itoa(n) + `,18})`
			p.count.digits = n
		}
		if restarts {
			if period != model.RestartsNever && periodOrder[period] == 0 {
				return nil, bad("The pattern has numbers that begin again with each %q; that is year, month, day or never.",
					valid.Printable(period))
			}
			p.count.restarts = period
		}
		b.WriteString(expr)
		rest = tail
	}
	b.WriteString("$")
	if need := periodOrder[p.count.restarts]; need > dateLength(seen) {
		return nil, bad("Numbers cannot begin again with each %s: the pattern's names have no such date.", p.count.restarts)
	}
	p.expr = b.String()
	var err error
	p.match, err = regexp.Compile(p.expr)
	return p, fault.Wrap(op, fault.Invalid, err)
}

// dateLength returns how many leading digits of the date yyyymmdd the fields of a pattern give.
func dateLength(seen map[string]bool) int {
	switch year := seen["yyyy"] || seen["yy"]; {
	case seen["date"], year && seen["mm"] && seen["dd"]:
		return 8
	case year && seen["mm"]:
		return 6
	case year:
		return 4
	}
	return 0
}

// counting returns the numbering rules of the pattern; p may be nil.
func (p *Pattern) counting() counting {
	if p == nil {
		return counting{}
	}
	return p.count
}

// Named holds the values of the fields in a file name.
type Named struct {
	Account string
	Seq     int64  // -1 without a number
	Date    string // as much as the name has: 2026, 202611 or 20261127
}

// Match parses a file name that is published to account; "" is all subscribers. It returns
// Invalid if the name does not fit the pattern, names another account, or has an impossible
// date. A nil pattern matches every name.
func (p *Pattern) Match(name, account string) (Named, error) {
	const op = "feed.Match"
	out := Named{Seq: -1}
	if p == nil {
		return out, nil
	}
	match := p.match
	if account != "" && strings.Contains(p.expr, accountField) { // so that "acme" does not match in "acme-2"
		if exact, err := regexp.Compile(strings.Replace(p.expr, accountField,
			"(?P<account>(?i:"+regexp.QuoteMeta(account)+"))", 1)); err == nil && exact.MatchString(name) {
			match = exact
		}
	}
	m := match.FindStringSubmatch(name)
	if m == nil {
		return out, fault.E(op, fault.Invalid, "The name %q does not fit the feed's pattern %s.", valid.Printable(name),
			p.text)
	}
	get := func(field string) string {
		if i := match.SubexpIndex(field); i >= 0 {
			return m[i]
		}
		return ""
	}
	out.Account = get("account")
	if account == "" && out.Account != "" {
		return out, fault.E(op, fault.Invalid, "The name %q speaks of account %s, and is published to all.",
			valid.Printable(name), out.Account)
	}
	if account != "" && out.Account != "" && !strings.EqualFold(out.Account, account) {
		return out, fault.E(op, fault.Invalid, "The name %q speaks of account %s, and is published to %s.",
			valid.Printable(name), out.Account, account)
	}
	date := get("date")
	if date == "" && get("dd") != "" && get("mm") != "" {
		year := get("yyyy")
		if year == "" && get("yy") != "" {
			year = "20" + get("yy")
		}
		if year == "" {
			year = "2024" // any leap year, so that 29 February is accepted
		}
		date = year + get("mm") + get("dd")
	}
	if date != "" {
		if _, err := time.Parse("20060102", date); err != nil {
			return out, fault.E(op, fault.Invalid, "The name %q has a date that never was.", valid.Printable(name))
		}
	}
	out.Date = dateOf(get)
	if s := get("seq"); s != "" {
		out.Seq, _ = strconv.ParseInt(s, 10, 64) // at most 18 digits
	}
	return out, nil
}

// dateOf returns as much of the date as the name has, starting with the year; "" without a
// year.
func dateOf(get func(field string) string) string {
	if d := get("date"); d != "" {
		return d
	}
	year := get("yyyy")
	if yy := get("yy"); year == "" && yy != "" {
		year = "20" + yy
	}
	switch mm, dd := get("mm"), get("dd"); {
	case year == "":
		return ""
	case mm != "" && dd != "":
		return year + mm + dd
	case mm != "":
		return year + mm
	}
	return year
}

// checkFolders returns Invalid unless s is "" or a relative path, in which date fields are
// allowed.
func checkFolders(s string) error {
	if s == "" {
		return nil
	}
	plain := datedFolder(s, time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC))
	clean, err := valid.CleanPath("/", "/"+plain)
	if err != nil || clean != "/"+plain || strings.ContainsAny(plain, "{}") || len(s) > 100 || valid.Printable(s) != s {
		return fault.E("feed.checkFolders", fault.Invalid, "%q cannot be dated sub-folders.", valid.Printable(s)).
			WithHint("such as {yyyy}/{mm}")
	}
	return nil
}

// datedFolder fills in the date fields of a folder, in the zone of at.
func datedFolder(s string, at time.Time) string {
	return strings.NewReplacer("{yyyy}", at.Format("2006"), "{yy}", at.Format("06"), "{mm}", at.Format("01"), "{dd}",
		at.Format("02")).Replace(s)
}
