package exchange

import (
	"path"
	"strings"
	"time"
)

// MaxGrace is the longest that a doubtful name may wait.
const MaxGrace = 24 * time.Hour

// NameRules say what a file's name tells of its state. Globs are those of path.Match and
// are matched without regard to case.
type NameRules struct {
	// Temporary names are a client's own while it writes: such a file is not received, or
	// published, until it is renamed.
	Temporary []string
	// Doubtful names may be temporary ones: such a file is handed on under the name that it
	// has after Grace.
	Doubtful []string
	// Ignored names are what programs leave in folders by themselves: kept, and never
	// received or published.
	Ignored []string
	Grace   time.Duration
}

// IsTemporary reports whether a file of this name is still being written.
func (r NameRules) IsTemporary(name string) bool { return matchesAny(r.Temporary, name) }

// IsIgnored reports whether a file of this name is nobody's business.
func (r NameRules) IsIgnored(name string) bool { return matchesAny(r.Ignored, name) }

// IsFinal reports whether a file of this name is handed on.
func (r NameRules) IsFinal(name string) bool { return !r.IsTemporary(name) && !r.IsIgnored(name) }

// Wait is how long a file of a final name waits for another one; 0: it does not.
func (r NameRules) Wait(name string) time.Duration {
	if r.Grace > 0 && matchesAny(r.Doubtful, name) {
		return r.Grace
	}
	return 0
}

func matchesAny(globs []string, name string) bool {
	name = strings.ToLower(name)
	for _, g := range globs {
		if ok, _ := path.Match(strings.ToLower(g), name); ok {
			return true
		}
	}
	return false
}

// CheckGlobs fails unless every text is a pattern of names.
func CheckGlobs(what string, globs []string) error {
	for _, g := range globs {
		if _, err := path.Match(g, ""); err != nil || g == "" || strings.Contains(g, "/") {
			return E("exchange.CheckGlobs", Invalid, "%s: %q is not a pattern of file names.", what, Printable(g)).WithHint("such as *.tmp, .* or upload-?.part")
		}
	}
	return nil
}

// NamePolicy is what differs from the configured rules for a user, for a folder, or for a
// folder of one user. What is nil is as configured.
type NamePolicy struct {
	User      string         `json:"user,omitempty" doc:"Username; empty: every user"`
	Folder    string         `json:"folder,omitempty" doc:"Files in this folder and below; empty: everywhere"`
	Temporary []string       `json:"temporary" required:"false" nullable:"true" doc:"Names that clients use while they write"`
	Doubtful  []string       `json:"doubtful" required:"false" nullable:"true" doc:"Names that may be such ones: handed on after the grace"`
	Ignored   []string       `json:"ignored" required:"false" nullable:"true" doc:"Names that are kept, and never received"`
	Grace     *time.Duration `json:"-"`
	GraceText string         `json:"grace,omitempty" doc:"How long a doubtful name waits to be changed: 1m"`
	UserID    string         `json:"-"`
}

// Apply puts what the policy says in place of the rules.
func (p NamePolicy) Apply(r NameRules) NameRules {
	for _, f := range []struct {
		to   *[]string
		from []string
	}{{&r.Temporary, p.Temporary}, {&r.Doubtful, p.Doubtful}, {&r.Ignored, p.Ignored}} {
		if f.from != nil {
			*f.to = f.from
		}
	}
	if p.Grace != nil {
		r.Grace = *p.Grace
	}
	return r
}
