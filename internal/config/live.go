package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// atReload are the settings, and groups of settings, that a running server takes from the configuration when it reads
// it again. All others are read at the start alone: they name folders, addresses and files that are open, or what
// people were promised until a start.
var atReload = []string{"drain", "endpoint", "regions.NAME.host", "regions.NAME.port", "regions.NAME.allow_ips",
	"regions.NAME.support", "operator", "support", "storage", "limits", "keys", "users", "contacts", "onboarding",
	"access", "records", "retention", "templates", "log.level"}

// AtReload reports whether a setting, by its name in Settings, changes without a restart.
func AtReload(name string) bool {
	for _, group := range atReload {
		if name == group || strings.HasPrefix(name, group+".") {
			return true
		}
	}
	return false
}

// Reloaded returns what is in force after a running server with configuration c has read a fresh one: the settings of
// AtReload are the fresh ones, the others stay. A region that is new, or missing, takes a restart.
func (c Config) Reloaded(fresh Config) Config {
	out := c
	to, from := reflect.ValueOf(&out).Elem(), reflect.ValueOf(fresh)
	for _, s := range Settings() {
		if s.index != nil && AtReload(s.Name) {
			to.FieldByIndex(s.index).Set(from.FieldByIndex(s.index))
		}
	}
	out.Templates = fresh.Templates
	out.Regions = maps.Clone(c.Regions)
	for name, was := range c.Regions {
		is, still := fresh.Regions[name]
		if !still {
			continue
		}
		is.Listen, is.TimeZone = was.Listen, was.TimeZone
		out.Regions[name] = is
	}
	return out
}

// Changes names the settings that differ between two configurations. Secrets are told by their names alone.
func Changes(was, is Config) (names []string) {
	return slices.Sorted(maps.Keys(Difference(was.Redacted(), is.Redacted())))
}
