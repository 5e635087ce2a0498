package cli

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

var received = model.Drop{ID: "01KB2F7Q8ZJ4M5N6P7R8S9T0VW", User: "acme-carrier1", Account: "acme", Vendor: "carrier1",
	Path: "/upload/2026/calls.csv", SHA256: strings.Repeat("ab", 32), Size: 5,
	ReceivedAt: time.Date(2026, 11, 2, 6, 7, 8, 0, time.FixedZone("AEDT", 11*3600))}

func TestLayouts(t *testing.T) {
	own := received
	own.Vendor, own.User = "", "acme"
	for _, c := range []struct {
		layout string
		drop   model.Drop
		want   string
	}{
		{defaultLayout, received, "acme-carrier1-01KB2F7Q8ZJ4M5N6P7R8S9T0VW-calls.csv"},
		{"{account}/{user}/{name}", received, "acme/acme-carrier1/calls.csv"},
		{"{account}/{vendor}/{path}", received, "acme/carrier1/upload/2026/calls.csv"},
		{"{account}/{vendor}/{name}", own, "acme/-/calls.csv"},
		{"in-{year}-{month}/{day}/{hour}/{date}_{name}", received, "in-2026-11/01/19/2026-11-01_calls.csv"},
		{"by-hash/{sha256}", received, "by-hash/" + received.SHA256},
	} {
		l, err := parseLayout(c.layout)
		testkit.Must(t, err)
		if got, err := l.path(c.drop); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.layout, got, err, c.want)
		}
	}
}

func TestALayoutThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "is not a path below the folder",
		"/srv/{name}":        "is not a path below the folder",
		"../{name}":          "is not a path below the folder",
		"a/../{name}":        "is not a path below the folder",
		"a//{name}":          "is not a path below the folder",
		"./{name}":           "is not a path below the folder",
		"{name}/":            "is not a path below the folder",
		"{acount}/{name}":    "there is no placeholder {acount}.",
		"{Name}":             "there is no placeholder {Name}.",
		"{name":              "a brace without its other half",
		"name}":              "a brace without its other half",
		"}{name}{":           "a brace without its other half",
		"{account}/{date}":   "many files would have the same name",
		"calls.csv":          "many files would have the same name",
		"{name}\n":           "characters that cannot be printed",
		"{name}/{account}/x": "many files would have the same name",
	} {
		_, err := parseLayout(text)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := parseLayout("{acount}/{name}"); fault.HintIn(err) != "did you mean {account}?" {
		t.Errorf("hint: %q", fault.HintIn(err))
	}
}

// Whatever a partner calls a file, it lies below the folder.
func TestNoNameLeadsOutOfTheFolder(t *testing.T) {
	for _, p := range []string{"/upload/..", "/../../etc/passwd", "/upload/.", "/upload/.ssh/authorized_keys", "/", "",
		"/upload/-rf", "/upload/a\nb", "/upload/\x00", "/upload/{id}", "/upload/{../../x}", "/upload/\xff\xfe",
		`/upload/..\..\x`,
		"/upload/" + strings.Repeat("x", 255), "/upload/" + strings.Repeat("ä", 127), "/" + strings.Repeat("y", 255) + "/z"} {
		d := received
		d.Path = p
		for _, text := range []string{defaultLayout, "{account}/{path}", "{account}/{user}/{name}", "x{path}",
			"{name}.{name}"} {
			l, err := parseLayout(text)
			testkit.Must(t, err)
			got, err := l.path(d)
			if err != nil {
				t.Errorf("%q in %s: %v", p, text, err)
				continue
			}
			if !filepath.IsLocal(got) || got != filepath.Clean(got) || strings.ContainsAny(got, "\n\x00") {
				t.Errorf("%q in %s is %q", p, text, got)
			}
			for part := range strings.SplitSeq(withID(got, d.ID)+".json", "/") {
				if len(part) > valid.MaxName || part == "" || strings.HasPrefix(part, ".") {
					t.Errorf("%q in %s has the part %q", p, text, part)
				}
			}
		}
	}
}

// What is at a place decides whether a file is landed, finished, or gets another name.
func TestPlaces(t *testing.T) {
	d := received
	content := "calls"
	dir := t.TempDir()
	name := filepath.Join(dir, "calls.csv")
	d.SHA256 = fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	put := func(path, text string) { testkit.Must(t, os.WriteFile(path, []byte(text), 0o600)) }
	want := func(what string, is place) {
		t.Helper()
		if got, err := landing(name, d); err != nil || got != is {
			t.Errorf("%s: %v, %v; want %v", what, got, err, is)
		}
	}
	want("nothing", free)
	put(name, "other")
	want("another file", taken)
	put(name, content)
	want("the same bytes, whose sidecar is missing", whole)
	put(name+".json", `{"id": "01KB2F7Q8ZJ4M5N6P7R8S9T0XX"}`)
	want("the sidecar of another file", taken)
	put(name+".json", `what a partner called calls.csv.json`)
	want("a partner's file where the sidecar would be", taken)
	put(name+".json", `{"id": "`+d.ID+`"}`)
	want("a partner's file with the id where the sidecar would be", taken)
	forged := d
	forged.User = "beta"
	testkit.Must(t, os.Remove(name+".json"))
	testkit.Must(t, writeSidecar(name, forged))
	want("a sidecar that names another sender", taken)
	testkit.Must(t, os.Remove(name+".json"))
	testkit.Must(t, writeSidecar(name, d))
	want("landed", whole)
	later := time.Now()
	d.Consumer, d.ClaimUntil, d.Withdrawn = "another", &later, true
	want("landed by a claim before", whole)
	put(name, "other")
	want("other bytes beside the sidecar", taken)
	testkit.Must(t, os.Remove(name))
	want("a sidecar alone", free)
	testkit.Must(t, os.Remove(name+".json"))
	testkit.Must(t, os.Symlink("/dev/zero", name+".json"))
	want("a link where the sidecar would be", taken)
	testkit.Must(t, os.Remove(name+".json"))
	testkit.Must(t, os.Mkdir(name, 0o700))
	want("a folder", taken)
	testkit.Must(t, os.Remove(name))
	testkit.Must(t, os.Symlink("/etc/hostname", name))
	want("a link", taken)
	name = filepath.Join(dir, "file", "calls.csv")
	put(filepath.Join(dir, "file"), "a file")
	want("a file in place of the folder", taken)
}

func TestTheHelpNamesEveryPlaceholder(t *testing.T) {
	for name := range placeholdersOf(received) {
		if !strings.Contains(layoutHelp, "{"+name+"}") {
			t.Errorf("help does not have {%s}", name)
		}
	}
}
