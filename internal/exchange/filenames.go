package exchange

import (
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

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

// With returns the rules with what a policy says in their place.
func (r NameRules) With(p model.NamePolicy) NameRules {
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
