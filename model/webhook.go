package model

import "time"

// Webhook is a receiver of events.
type Webhook struct {
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	Events    []string  `json:"events" doc:"Types; one may end in *"`
	Enabled   bool      `json:"enabled"`
	Note      string    `json:"note,omitempty" doc:"Why it was switched off"`
	Secret    string    `json:"secret,omitempty" doc:"What its requests are signed with; told once"`
	OldSecret string    `json:"-"`
	CreatedAt time.Time `json:"created_at"`
}

// NewWebhook is the body that makes a receiver of events.
type NewWebhook struct {
	Name   string   `json:"name"`
	URL    string   `json:"url"`
	Events []string `json:"events,omitempty" doc:"Types; one may end in *; none: all"`
}

// EditWebhook changes a receiver; absent fields stay.
type EditWebhook struct {
	URL     *string   `json:"url,omitempty"`
	Events  *[]string `json:"events,omitempty"`
	Enabled *bool     `json:"enabled,omitempty"`
	Rotate  bool      `json:"rotate_secret,omitempty" doc:"Make a new secret; both sign until the old one is dropped"`
	Retire  bool      `json:"drop_old_secret,omitempty"`
}
