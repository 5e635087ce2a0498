package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// EnvPrefix is the prefix of the environment variables that are read.
const EnvPrefix = "SALLYPORT_"

// clientVariables are read by the command line, and ignored by the server.
var clientVariables = []string{"SALLYPORT_URL", "SALLYPORT_TOKEN", "SALLYPORT_CONFIG", "SALLYPORT_SOCKET"}

// Load reads the file, unless file is "", then the environment, and checks the result. environ is
// os.Environ(). Its error has all mistakes, as Mistakes.
func Load(file string, environ []string) (Config, error) {
	c := Default()
	f := &findings{file: file, lines: map[string]int{}, vars: map[string]string{}}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return c, fault.E("config.Load", fault.Invalid, "The configuration cannot be read: %v.", fault.InWords(err))
		}
		c.parse(text, f)
	}
	c.environment(environ, f)
	c.check(f)
	return c, f.err()
}

// Parse reads YAML into c, over the values that c has. name is the file's name, for messages. Its
// error has all mistakes, as Mistakes. Values are not checked against each other.
func Parse(name string, text []byte, c *Config) error {
	f := &findings{file: name, lines: map[string]int{}}
	c.parse(text, f)
	return f.err()
}

func (c *Config) parse(text []byte, f *findings) {
	doc, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f.list = append(f.list, unreadable(f.file, text, err))
		return
	}
	r := &reader{findings: f, anchors: map[string]ast.Node{}}
	defaults := maps.Clone(c.Templates)
	read := false
	for _, d := range doc.Docs {
		switch {
		case d.Body == nil || isNull(d.Body):
		case read:
			r.at(d.Body, "", "the file has a second document; the settings belong into one.")
		default:
			r.value("", d.Body, reflect.ValueOf(c).Elem())
			read = true
		}
	}
	c.Templates = mergeTemplates(c.Templates, defaults)
}

// unreadables are the parser's messages, by what they contain, and our sentences.
var unreadables = []struct{ theirs, ours string }{
	{"sequence end token", "a list is opened with [ and not closed with ]."},
	{"flow sequence", "a list in [ ] is not closed, or lacks a comma."},
	{"flow map", "a group in { } is not closed, or lacks a comma."},
	{"mapping end token", "a group is opened with { and not closed with }."},
	{"quote", "a text is opened with a quote and not closed with one."},
	{"indent", "the line is indented otherwise than those beside it."},
	{"anchor", "an anchor (&name) has no name or no value."},
	{"alias", "an alias (*name) names nothing; a text that begins with * needs quotes."},
}

// unreadable says where a text is not YAML.
func unreadable(file string, text []byte, err error) Mistake {
	m := Mistake{File: file, Line: 1, Text: "from here on the file cannot be read.",
		Hint: "look at indentation, quotes and colons, in the line before, too; \"sallyport config init\" prints an example"}
	var at yaml.Error
	if !errors.As(err, &at) {
		return m
	}
	if t := at.GetToken(); t != nil && t.Position != nil {
		m.Line = max(1, min(t.Position.Line, strings.Count(string(text), "\n")+1))
	}
	if lines := strings.Split(string(text), "\n"); strings.HasPrefix(strings.TrimLeft(lines[m.Line-1], " "), "\t") {
		m.Text = "a line begins with a tab; use spaces."
		return m
	}
	for _, u := range unreadables {
		if strings.Contains(at.GetMessage(), u.theirs) {
			m.Text = u.ours
			break
		}
	}
	return m
}

// mergeTemplates keeps the defaults of kinds of users that the file does not name, and fills in
// what the file's templates leave out.
func mergeTemplates(set, defaults map[model.UserKind]Template) map[model.UserKind]Template {
	out := map[model.UserKind]Template{}
	maps.Copy(out, defaults)
	for kind, t := range set {
		if t.StartDir == "" {
			t.StartDir = "/"
		}
		if t.Root == nil {
			t.Root = []string{"read", "list"}
		}
		out[kind] = t
	}
	return out
}

// environment reads SALLYPORT_… variables over the values that c has. An unknown variable is a
// mistake: otherwise a misspelt limit would silently not apply. An empty one sets nothing.
func (c *Config) environment(environ []string, f *findings) {
	known := slices.Clone(clientVariables)
	settings := map[string]Setting{}
	for _, s := range Settings() {
		if s.Variable != "" {
			settings[s.Variable] = s
			known = append(known, s.Variable)
		}
	}
	vars := env.ToMap(environ)
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		s, ok := settings[name]
		switch {
		case ok && vars[name] != "":
			f.vars[s.Name] = name
			if err := setText(reflect.ValueOf(c).Elem().FieldByIndex(s.index), vars[name]); err != nil {
				f.bad(s.Name, "%v.", err)
			}
		case !ok && strings.HasPrefix(name, EnvPrefix) && !slices.Contains(known, name):
			m := Mistake{Text: fmt.Sprintf("The environment has %s, which is no setting.", valid.Printable(name))}
			if near := valid.Nearest(name, known); near != "" {
				m.Hint = fmt.Sprintf("did you mean %s?", near)
			}
			f.list = append(f.list, m)
		}
	}
}

// checkPositive refuses limits and times that must be more than zero.
func (c *Config) checkPositive(f *findings) {
	for _, n := range []struct {
		name  string
		value int64
	}{{"storage.max_file", int64(c.Storage.MaxFile)}, {"storage.quota", int64(c.Storage.Quota)},
		{"storage.quota_files", c.Storage.QuotaFiles},
		{"storage.account_kept", int64(c.Storage.AccountKept)}, {"storage.account_kept_items", c.Storage.AccountKeptItems},
		{"storage.directories", c.Storage.Directories}, {"storage.unfinished", int64(c.Storage.Unfinished)},
		{"limits.half_open", int64(c.Limits.HalfOpen)}, {"limits.half_open_per_address", int64(c.Limits.HalfOpenAddress)},
		{"limits.handshake", int64(c.Limits.Handshake)}, {"limits.login", int64(c.Limits.Login)},
		{"limits.key_offers", int64(c.Limits.KeyOffers)},
		{"limits.sessions_per_user", int64(c.Limits.UserSessions)},
		{"limits.sessions_per_account", int64(c.Limits.AccountSessions)},
		{"limits.sessions_per_address", int64(c.Limits.AddressSessions)}, {"limits.idle", int64(c.Limits.Idle)},
		{"limits.keep_alive", int64(c.Limits.KeepAlive)}, {"limits.stall", int64(c.Limits.Stall)},
		{"limits.open_files", int64(c.Limits.Handles)}, {"limits.channels", int64(c.Limits.Channels)},
		{"limits.changes_per_hour", c.Limits.Changes}, {"limits.logins_per_hour", c.Limits.Logins},
		{"keys.per_user", int64(c.Keys.PerUser)},
		{"storage.keep_partials", int64(c.Storage.KeepPartials)}, {"storage.inline_for", int64(c.Storage.InlineFor)},
		{"storage.inline_memory", int64(c.Storage.InlineMemory)}, {"keys.overlap", int64(c.Keys.Overlap)},
		{"access.ban_within", int64(c.Access.BanWithin)}, {"access.ban_for", int64(c.Access.BanFor)},
		{"records.keep", int64(c.Records.Keep)}, {"records.failed", c.Records.Failed},
		{"records.activity", c.Records.Activity}, {"backup.warn_after", int64(c.Backup.WarnAfter)}} {
		if n.value <= 0 {
			f.bad(n.name, "must be more than zero.")
		}
	}
}

// MaxInline is the greatest size in bytes of files that lie in the database at first.
const MaxInline = 128 << 10

// leastRate is the lowest bandwidth that can be set, in bytes a second: below it, clients give up.
const leastRate = 16 << 10

func (c *Config) checkRates(f *findings) {
	for _, r := range []struct {
		name  string
		value Size
	}{{"limits.rate_per_user", c.Limits.UserRate}, {"limits.rate_total", c.Limits.Rate}} {
		if r.value != 0 && r.value < leastRate {
			f.bad(r.name, "must be at least 16 KiB (a second), or 0 for no limit.")
		}
	}
}

// check notes values that cannot work.
func (c *Config) check(f *findings) {
	if c.Data == "" {
		f.bad("data", "name a folder.")
	}
	if len(c.Listen) == 0 {
		f.bad("listen", "name at least one address, such as \":2022\".")
	}
	for _, l := range c.Listen {
		if _, _, err := net.SplitHostPort(l); err != nil {
			f.bad("listen", "%q is not an address.", l).Hint = "write \":2022\" or \"192.0.2.1:2022\""
		}
	}
	c.checkPositive(f)
	c.checkRates(f)
	if u := c.Database.Upgrade; u != UpgradeAuto && u != UpgradeManual {
		f.bad("database.upgrade", "must be auto or manual.")
	}
	if c.Storage.KeptPercent < 100 {
		f.bad("storage.kept_percent", "must be at least 100, which is the quota itself.")
	}
	if c.Storage.Inline < 0 || c.Storage.Inline > MaxInline {
		f.bad("storage.inline", "must be at most 128 KiB, or 0 for none.")
	}
	if c.Socket.Path != "" && c.Socket.Group == "" {
		f.bad("socket.path", "needs socket.group, whose members may use the socket.")
	}
	if c.Socket.Group != "" && !filepath.IsAbs(c.SocketPath()) {
		f.bad("socket.path", "%q is not an absolute path.", c.Socket.Path)
	}
	c.Access.Inactive.check(f)
	c.checkListeners(f)
	c.Operator.check(f)
	c.checkPeople(f)
	c.checkExchange(f)
	for what, globs := range map[string][]string{"temporary_names": c.TemporaryNames, "doubtful_names": c.DoubtfulNames,
		"ignored_names": c.IgnoredNames} {
		f.refused(what, valid.CheckGlobs(what, globs))
	}
	if c.DoubtfulGrace < 0 || c.DoubtfulGrace > Duration(valid.MaxGrace) {
		f.bad("doubtful_grace", "from 0s to %s.", valid.MaxGrace)
	}
	if _, err := valid.ParseZone(c.TimeZone); err != nil {
		f.bad("time_zone", "there is no time zone %q, such as Australia/Sydney or UTC.", c.TimeZone)
	}
	if err := exchange.CheckChecks(c.ContentChecks); err != nil || c.ContentChecks == "" {
		f.oneOf("content_checks", c.ContentChecks, "refuse", "flag", "off")
	}
	for name, t := range c.FileTypes {
		t.check("file_types."+name, name, f)
	}
	for kind, t := range c.Templates {
		if kind != model.KindCustomer && kind != model.KindVendor {
			f.bad("templates."+string(kind), "there is no kind of user %q; they are customer and vendor.", kind)
		}
		t.check("templates."+string(kind), f)
	}
	c.Traces.check(f)
	f.oneOf("sandbox", c.Sandbox, "on", "off", "require")
	f.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	f.oneOf("log.format", c.Log.Format, "text", "json")
}

// check notes paths and rights that cannot be.
func (t Template) check(at string, f *findings) {
	if err := exchange.CheckFeedsMay(t.FeedsMay); err != nil {
		f.oneOf(at+".feeds_may", t.FeedsMay, model.FeedsLook, model.FeedsRemove)
	}
	clean := func(setting, p string) {
		if clean, err := valid.CleanPath("/", p); err != nil || clean != p {
			f.bad(setting, "%q is not a clean absolute path, such as /reports.", p)
		}
	}
	rights := func(setting string, words []string) {
		_, err := exchange.ParseRights(words)
		f.refused(setting, err)
	}
	clean(at+".start_dir", t.StartDir)
	rights(at+".root", t.Root)
	for i, d := range t.Dirs {
		clean(fmt.Sprintf("%s.dirs.%d.path", at, i), d.Path)
		rights(fmt.Sprintf("%s.dirs.%d.rights", at, i), d.Rights)
	}
}

// check notes a file type whose extensions no file can have. Extensions are lower-case letters and
// digits.
func (t FileType) check(at, name string, f *findings) {
	for _, e := range append([]string{name}, t.Extensions...) {
		if e == "" || e == "any" || len(e) > 16 || strings.Trim(e, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			f.bad(at, "%q is not the ending of a name, in lower case and without a dot.", e)
		}
	}
	if _, err := t.Beginnings(); err != nil {
		f.bad(at+".begins", "%v.", err)
	}
	if t.Within < 0 || t.Within > 1024 {
		f.bad(at+".within", "from 0 to 1024 bytes.")
	}
}
