package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
)

// What a reload changes is changed, and what needs a restart stays and is named.
func TestReloaded(t *testing.T) {
	was := config.Default()
	was.Regions = map[string]config.Region{"au": {Host: "old.example", Listen: []string{":3333"}},
		"nz": {Host: "nz.example"}}
	fresh := config.Default()
	fresh.Limits.Idle, fresh.Log.Level, fresh.Log.Format = config.Duration(time.Hour), "debug", "json"
	fresh.Listen, fresh.Retain.Keep, fresh.TimeZone = []string{":22"}, "6mo", "Europe/Berlin"
	fresh.Regions = map[string]config.Region{"au": {Host: "new.example", Listen: []string{":4444"},
		AllowIPs: []string{"192.0.2.1"}},
		"uk": {Host: "uk.example"}}
	is := was.Reloaded(fresh)
	changed, restart := config.Changes(was, is), config.Changes(is, fresh)
	if want := []string{"limits.idle", "log.level", "regions.au.allow_ips", "regions.au.host",
		"retention.keep"}; !slices.Equal(
		changed, want) {
		t.Errorf("changed: %v", changed)
	}
	for _, want := range []string{"listen", "log.format", "regions.au.listen", "time_zone",
		"regions.nz.host", "regions.uk.host"} {
		if !slices.Contains(restart, want) {
			t.Errorf("%s is not said to need a restart: %v", want, restart)
		}
	}
	if was.Regions["au"].Host != "old.example" {
		t.Error("the configuration of before was changed")
	}
	if again := config.Changes(is, is.Reloaded(fresh)); len(again) > 0 {
		t.Errorf("a second reload changes %v", again)
	}
}

// The example says of every setting whether a reload changes it.
func TestTheExampleMarksWhatAReloadChanges(t *testing.T) {
	marked := 0
	for _, s := range config.Settings() {
		if config.AtReload(s.Name) {
			marked++
		}
	}
	text := strings.Join(strings.Fields(string(config.Example())), " ")
	if n := strings.Count(text, "[reload]"); marked < 60 || n < 60 {
		t.Errorf("%d settings change at a reload, and %d are marked", marked, n)
	}
	for _, s := range []string{"data", "listen", "web.listen", "database.url", "sandbox", "time_zone"} {
		if config.AtReload(s) {
			t.Errorf("%s needs a restart", s)
		}
	}
}
