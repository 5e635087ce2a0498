package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
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
var clientVariables = []string{"SALLYPORT_URL", "SALLYPORT_TOKEN", "SALLYPORT_CONFIG"}

// Load reads the file, unless file is "", then the environment, and checks the result. environ is
// os.Environ().
func Load(file string, environ []string) (Config, error) {
	c := Default()
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return c, fault.E("config.Load", fault.Invalid, "The configuration cannot be read: %v.", err)
		}
		if err := Parse(file, text, &c); err != nil {
			return c, err
		}
	}
	if err := c.environment(environ); err != nil {
		return c, err
	}
	return c, c.check()
}

// Parse reads YAML into c, over the values that c has. name is the file's name, for messages.
func Parse(name string, text []byte, c *Config) error {
	const op = "config.Parse"
	defaults := maps.Clone(c.Templates)
	// The decoder would read it as null, and clear the defaults.
	if nothing, err := setsNothing(text); err == nil && nothing {
		return nil
	}
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(c)
	c.Templates = mergeTemplates(c.Templates, defaults)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	var unknown *yaml.UnknownFieldError
	var at yaml.Error
	var value *badValue
	switch {
	case errors.As(err, &value):
		return fault.E(op, fault.Invalid, "%s:%d: %v.", name, value.line, value.err)
	case errors.As(err, &unknown):
		field := unknown.Token.Value
		e := fault.E(op, fault.Invalid, "%s:%d: there is no setting %q.", name, unknown.Token.Position.Line,
			valid.Printable(field))
		if near := valid.Nearest(field, fieldNames(reflect.TypeFor[Config]())); near != "" {
			return e.WithHint("did you mean %q?", near)
		}
		return e.WithHint("sallyport config check --print shows every setting")
	case errors.As(err, &at) && at.GetToken() != nil:
		return fault.E(op, fault.Invalid, "%s:%d: %s", name, at.GetToken().Position.Line, at.GetMessage())
	}
	return fault.E(op, fault.Invalid, "%s: %v", name, err)
}

// setsNothing reports whether a file is empty or has only comments.
func setsNothing(text []byte) (bool, error) {
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		return false, err
	}
	for _, d := range f.Docs {
		if d.Body != nil && d.Body.Type() != ast.NullType && d.Body.Type() != ast.CommentType {
			return false, nil
		}
	}
	return true, nil
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

// environment reads SALLYPORT_… variables over the values that c has. An unknown variable is an
// error: otherwise a misspelt limit would silently not apply.
func (c *Config) environment(environ []string) error {
	const op = "config.environment"
	vars := env.ToMap(environ)
	o := env.Options{Environment: vars, Prefix: EnvPrefix}
	params, err := env.GetFieldParamsWithOptions(c, o)
	if err != nil {
		return fault.Wrap(op, fault.Internal, err)
	}
	known := slices.Clone(clientVariables)
	for _, p := range params {
		known = append(known, p.Key)
	}
	for name := range vars {
		if strings.HasPrefix(name, EnvPrefix) && !slices.Contains(known, name) {
			e := fault.E(op, fault.Invalid, "The environment has %s, which is no setting.", valid.Printable(name))
			if near := valid.Nearest(name, known); near != "" {
				return e.WithHint("did you mean %s?", near)
			}
			return e
		}
	}
	if err := env.ParseWithOptions(c, o); err != nil {
		return fault.E(op, fault.Invalid, "The environment: %v.", err)
	}
	return nil
}

// checkPositive refuses limits and times that must be more than zero.
func (c *Config) checkPositive() error {
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
		{"storage.keep_partials", int64(c.Storage.KeepPartials)}, {"keys.overlap", int64(c.Keys.Overlap)},
		{"access.ban_within", int64(c.Access.BanWithin)}, {"access.ban_for", int64(c.Access.BanFor)},
		{"records.keep", int64(c.Records.Keep)}, {"records.failed", c.Records.Failed},
		{"records.activity", c.Records.Activity}} {
		if n.value <= 0 {
			return fault.E("config.check", fault.Invalid, "%s: must be more than zero.", n.name)
		}
	}
	return nil
}

// check refuses values that cannot work.
func (c *Config) check() error {
	const op = "config.check"
	bad := func(format string, args ...any) error { return fault.E(op, fault.Invalid, format, args...) }
	if c.Data == "" {
		return bad("data: name a folder.")
	}
	if len(c.Listen) == 0 {
		return bad("listen: name at least one address, such as \":2022\".")
	}
	for _, l := range c.Listen {
		if _, _, err := net.SplitHostPort(l); err != nil {
			return fault.E(op, fault.Invalid, "listen: %q is not an address.", l).
				WithHint("write \":2022\" or \"192.0.2.1:2022\"")
		}
	}
	if err := c.checkPositive(); err != nil {
		return err
	}
	if c.Storage.KeptPercent < 100 {
		return bad("storage.kept_percent: must be at least 100, which is the quota itself.")
	}
	if err := c.Access.Inactive.check(); err != nil {
		return err
	}
	if err := c.checkListeners(); err != nil {
		return err
	}
	if err := c.checkExchange(); err != nil {
		return err
	}
	for what, globs := range map[string][]string{"temporary_names": c.TemporaryNames, "doubtful_names": c.DoubtfulNames,
		"ignored_names": c.IgnoredNames} {
		if err := valid.CheckGlobs(what, globs); err != nil {
			return err
		}
	}
	if c.DoubtfulGrace < 0 || c.DoubtfulGrace > Duration(valid.MaxGrace) {
		return bad("doubtful_grace: from 0s to %s.", valid.MaxGrace)
	}
	if _, err := valid.ParseZone(c.TimeZone); err != nil || c.TimeZone == "" {
		return bad("time_zone: there is no time zone %q, such as Australia/Sydney or UTC.", c.TimeZone)
	}
	if err := exchange.CheckChecks(c.ContentChecks); err != nil || c.ContentChecks == "" {
		return bad("content_checks: %q is not one of refuse, flag, off.", c.ContentChecks)
	}
	for name, t := range c.FileTypes {
		if err := t.check(name); err != nil {
			return err
		}
	}
	for kind, t := range c.Templates {
		if kind != model.KindCustomer && kind != model.KindVendor {
			return bad("templates: there is no kind of user %q; they are customer and vendor.", kind)
		}
		if err := t.check(string(kind)); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		return bad("log.level: %q is not one of debug, info, warn, error.", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return bad("log.format: %q is neither text nor json.", c.Log.Format)
	}
	return nil
}

// check refuses paths and rights that cannot be.
func (t Template) check(kind string) error {
	if err := exchange.CheckFeedsMay(t.FeedsMay); err != nil {
		return fault.E("config.check", fault.Invalid, "templates.%s.feeds_may: %q is neither look nor remove.", kind,
			t.FeedsMay)
	}
	where := "templates." + kind
	paths := []string{t.StartDir}
	for _, d := range t.Dirs {
		paths = append(paths, d.Path)
		if _, err := exchange.ParseRights(d.Rights); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	for _, p := range paths {
		if clean, err := valid.CleanPath("/", p); err != nil || clean != p {
			return fault.E("config.check", fault.Invalid, "%s: %q is not a clean absolute path, such as /reports.", where, p)
		}
	}
	if _, err := exchange.ParseRights(t.Root); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// fieldNames lists every setting's name, at every depth.
func fieldNames(t reflect.Type) (names []string) {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			names = append(names, f.Tag.Get("yaml"))
			names = append(names, fieldNames(f.Type)...)
		}
	case reflect.Slice, reflect.Map:
		return fieldNames(t.Elem())
	}
	return names
}

// check refuses a file type whose extensions no file can have. Extensions are lower-case letters
// and digits.
func (t FileType) check(name string) error {
	const op = "config.check"
	for _, e := range append([]string{name}, t.Extensions...) {
		if e == "" || e == "any" || len(e) > 16 || strings.Trim(e, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return fault.E(op, fault.Invalid, "file_types.%s: %q is not the ending of a name, in lower case and without a dot.",
				name, e)
		}
	}
	if _, err := t.Beginnings(); err != nil {
		return fault.E(op, fault.Invalid, "file_types.%s.begins: %v.", name, err)
	}
	if t.Within < 0 || t.Within > 1024 {
		return fault.E(op, fault.Invalid, "file_types.%s.within: from 0 to 1024 bytes.", name)
	}
	return nil
}
