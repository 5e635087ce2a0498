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
	// Temporary names are those that clients use while they write: such a file is not received or
	// published until it is renamed.
	Temporary []string
	// Doubtful names may be temporary: such a file is handed on after Grace, under the name that it
	// has then.
	Doubtful []string
	// Ignored names are those of files that programs leave in folders by themselves: such a file is
	// kept, and never received or published.
	Ignored []string
	Grace   time.Duration
}

// IsTemporary reports whether a file of this name is still being written.
func (r NameRules) IsTemporary(name string) bool { return matchesAny(r.Temporary, name) }

// IsIgnored reports whether a file of this name is kept and never handed on.
func (r NameRules) IsIgnored(name string) bool { return matchesAny(r.Ignored, name) }

// IsFinal reports whether a file of this name is handed on.
func (r NameRules) IsFinal(name string) bool { return !r.IsTemporary(name) && !r.IsIgnored(name) }

// Wait returns how long a file of a final name waits for a rename before it is handed on; 0: it does
// not wait.
func (r NameRules) Wait(name string) time.Duration {
	if r.Grace > 0 && matchesAny(r.Doubtful, name) {
		return r.Grace
	}
	return 0
}

func matchesAny(globs []string, name string) bool {
	name = strings.ToLower(name)
	for _, g := range globs {
		if matches(strings.ToLower(g), name) {
			return true
		}
	}
	return false
}

// matches is path.Match for a name without slashes. Every upload asks it about many globs, and most of them
// are a suffix, a prefix or a whole name.
func matches(glob, name string) bool {
	const special = `*?[]\`
	if glob == "" || name == "" {
		ok, _ := path.Match(glob, name)
		return ok
	}
	first, last := glob[0], glob[len(glob)-1] // they rule out nearly all
	if first != name[0] && strings.IndexByte(special, first) < 0 ||
		last != name[len(name)-1] && strings.IndexByte(special, last) < 0 {
		return false
	}
	if tail, ok := strings.CutPrefix(glob, "*"); ok && !strings.ContainsAny(tail, special) {
		return strings.HasSuffix(name, tail)
	}
	if head, ok := strings.CutSuffix(glob, "*"); ok && !strings.ContainsAny(head, special) {
		return strings.HasPrefix(name, head)
	}
	if !strings.ContainsAny(glob, special) {
		return name == glob
	}
	ok, _ := path.Match(glob, name)
	return ok
}

// With returns the rules after a policy: what the policy sets replaces what r says.
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
