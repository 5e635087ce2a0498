package client

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// zoneName returns a name of a zone that another machine knows. That of this machine is called "Local": what it is
// called elsewhere is in TZ or in the link /etc/localtime. If neither says, it is the distance from UTC as of now.
func zoneName(zone *time.Location) string {
	if zone != time.Local {
		return zone.String()
	}
	now := time.Now()
	name, set := os.LookupEnv("TZ")
	if !set {
		to, _ := filepath.EvalSymlinks("/etc/localtime")
		_, name, _ = strings.Cut(to, "/zoneinfo/")
	}
	name = strings.TrimPrefix(name, ":")
	if known, err := time.LoadLocation(name); err == nil && name != "" && name != "Local" {
		have, _ := now.In(known).Zone()
		if want, _ := now.Zone(); have == want {
			return name
		}
	}
	return now.Format("-07:00")
}
