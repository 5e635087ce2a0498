package model

import "time"

// Server describes the deployment.
type Server struct {
	Version string   `json:"version"`
	Listen  []string `json:"listen" doc:"SSH listeners"`
	Host    string   `json:"host,omitempty" doc:"Server address told to partners"`
	Port    int      `json:"port,omitempty"`
	Web     string   `json:"web,omitempty" doc:"Where partners open one-time links"`
	Mail    bool     `json:"mail" doc:"It can send mail"`
	Help    string   `json:"help,omitempty" doc:"Whom partners turn to"`
	// TimeZone is the operator's, in which people read times.
	TimeZone string    `json:"time_zone,omitempty" doc:"The operator's time zone, if one is configured"`
	Time     time.Time `json:"time" doc:"The server's clock"`
}

// Reloaded says what became of a configuration that was read again.
type Reloaded struct {
	Changed []string `json:"changed" doc:"Settings that were changed in the running server"`
	Restart []string `json:"restart" doc:"Settings that are set otherwise in the configuration, and need a restart"`
}

// Health is the answer of a server that can do its work: its database and its disk answer.
type Health struct {
	Version string `json:"version"`
	Sandbox string `json:"sandbox,omitempty" doc:"What confines the server's process, in words"`
}

// Ended says how many sessions were ended.
type Ended struct {
	Ended int `json:"ended"`
}

// ZoneHeader names the time zone in which whoever asks reads times: Australia/Sydney, or its distance from UTC: +11:00.
// Sentences in answers have their times in it; without it, in the operator's zone. Times that are values are in UTC.
const ZoneHeader = "Sallyport-Time-Zone"
