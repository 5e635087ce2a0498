package feed_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

func TestAPatternReadsNames(t *testing.T) {
	const no = -2 // the name is refused
	for _, c := range []struct {
		pattern, name, account string
		seq                    int64
	}{
		{"", "anything at all", "acme", -1},
		{"{account}-{yyyy}{mm}-{seq}.csv", "acme-202610-7.csv", "acme", 7},
		{"{account}-{yyyy}{mm}-{seq}.csv", "acme-202610-7.csv", "", no}, // an account's name, published to all
		{"{account}-{yyyy}{mm}-{seq}.csv", "acme-202610-7.csv", "beta", no},
		{"{account}-{yyyy}{mm}-{seq}.csv", "acme-202613-7.csv", "acme", no},
		{"{account}-{yyyy}{mm}-{seq}.csv", "acme-202610-.csv", "acme", no},
		{"{account}-{yyyy}{mm}-{seq}.csv", "acme-202610-7.csv.gz", "acme", no},
		{"{account}-{yyyy}{mm}-{seq}.csv", "acme-202610-7xcsv", "acme", no},
		{"{account}-{seq}.csv", "acme-north.au-1.csv", "acme-north.au", 1},
		{"cdr-{seq:6}.csv", "cdr-000042.csv", "", 42},
		{"cdr-{seq:6}.csv", "cdr-1000000.csv", "", 1000000},
		{"cdr-{seq:6}.csv", "cdr-42.csv", "", no},
		{"cdr-{seq}.csv", "cdr-999999999999999999.csv", "", 999999999999999999},
		{"cdr-{seq}.csv", "cdr-1000000000000000000.csv", "", no},
		{"cdr-{seq}.csv", "cdr--1.csv", "", no},
		{"cdr-{seq}.csv", "cdr-٣.csv", "", no}, // a digit, but not ASCII
		{"r-{yyyy}-{mm}-{dd}.pdf", "r-2024-02-29.pdf", "", -1},
		{"r-{yyyy}-{mm}-{dd}.pdf", "r-2026-02-29.pdf", "", no},
		{"r-{yyyy}-{mm}-{dd}.pdf", "r-2000-02-29.pdf", "", -1},
		{"r-{yyyy}-{mm}-{dd}.pdf", "r-1900-02-29.pdf", "", no},
		{"r-{yyyy}-{mm}-{dd}.pdf", "r-2026-04-31.pdf", "", no},
		{"r-{yyyy}-{mm}-{dd}.pdf", "r-2026-00-10.pdf", "", no},
		{"r-{yy}{mm}{dd}.pdf", "r-240229.pdf", "", -1},
		{"r-{yy}{mm}{dd}.pdf", "r-260229.pdf", "", no},
		{"r-{dd}{mm}.pdf", "r-2902.pdf", "", -1}, // of some leap year
		{"r-{dd}{mm}.pdf", "r-3002.pdf", "", no},
		{"r-{dd}.pdf", "r-31.pdf", "", -1},
		{"r-{date}.pdf", "r-20261031.pdf", "", -1},
		{"r-{date}.pdf", "r-20260229.pdf", "", no},
		{"r-{date}.pdf", "r-2026103.pdf", "", no},
		{"{any}-{seq}.{any}", "what ever-3.x.y", "", 3},
		{"a.b+(c)[d].csv", "a.b+(c)[d].csv", "", -1}, // no regular expression
		{"d-{date}-{seq:3/day}.csv", "d-20261031-007.csv", "", 7},
		{"d-{yyyy}-{seq/year}.csv", "d-2026-7.csv", "", 7},
		{"d-{date}-{seq/never}.csv", "d-20261031-7.csv", "", 7},
		{"{account}-{seq}.csv", "ACME-7.csv", "acme", 7},
		{"{account}-{seq}.csv", "big corp+x-7.csv", "Big Corp+X", 7},
		{"a.b+(c)[d].csv", "aXbb(c)[d].csv", "", no},
	} {
		p, err := feed.ParsePattern(c.pattern)
		testkit.Must(t, err)
		got, err := p.Match(c.name, c.account)
		if c.seq == no {
			testkit.WantKind(t, err, fault.Invalid)
		} else if err != nil || got.Seq != c.seq {
			t.Errorf("%s by %s for %q: number %d, %v; want %d", c.name, c.pattern, c.account, got.Seq, err, c.seq)
		}
	}
}

func TestAnAccountInANameIsTheOneItIsPublishedTo(t *testing.T) {
	p, err := feed.ParsePattern("{account}-{any}.csv")
	testkit.Must(t, err)
	_, err = p.Match("acme-north-west.csv", "acme")
	testkit.Must(t, err)
}

func TestABadPatternIsRefused(t *testing.T) {
	for _, text := range []string{"{", "a{b", "{}", "{account", "{year}.csv", "{seq}{seq}", "{account}-{account}",
		"{seq:0}", "{seq:19}", "{seq:x}", "{seq:-1}", "{seq:}", "{mm:2}", "{any:3}", "{{seq}}", "a/b", "{seq/week}",
		"{seq/day}", "{mm}-{seq/day}", "{date}-{any/day}",
		"{seq/}", "a\nb", "a\x00b", "\xff", strings.Repeat("x", 201)} {
		if _, err := feed.ParsePattern(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("the pattern %q: %v", text, err)
		} else if fault.HintIn(err) == "" {
			t.Errorf("the pattern %q is refused without a word on what would do", text)
		}
	}
}

// FuzzPattern: no pattern and no name makes the service panic. A number is never invented, and
// a name that fits an account never names another one.
func FuzzPattern(f *testing.F) {
	f.Add("{account}-{yyyy}{mm}-{seq:6}.csv", "acme-202610-000007.csv", "acme")
	f.Add("r-{date}.pdf", "r-20240229.pdf", "")
	f.Add("{any}{seq}{any}", "x7y", "beta")
	f.Add("{", "}", "")
	f.Add("(?P<seq>{seq})[", "\xff\n", "a")
	f.Fuzz(func(t *testing.T, pattern, name, account string) {
		p, err := feed.ParsePattern(pattern)
		if err != nil {
			return
		}
		got, err := p.Match(name, account)
		if err != nil {
			return
		}
		if got.Seq < -1 || got.Seq >= 0 && !strings.ContainsAny(name, "0123456789") {
			t.Fatalf("the number of %q by %q is %d", name, pattern, got.Seq)
		}
		if account != "" && got.Account != "" && got.Account != account {
			t.Fatalf("%q speaks of %q, and was taken for %q", name, got.Account, account)
		}
	})
}
