package guide

import (
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// program is an SFTP program that a guide has steps for.
type program struct {
	id, name string
	asks     bool // it shows the server's fingerprint on the first connection
	steps    func(*Card) section
}

// programs are in the order of the guide: those with windows first.
var programs = []program{
	{"winscp", "WinSCP", true, (*Card).winscp},
	{"filezilla", "FileZilla", true, (*Card).filezilla},
	{"cyberduck", "Cyberduck", true, (*Card).cyberduck},
	{"putty", "PuTTY", true, (*Card).psftp},
	{"openssh", "OpenSSH", true, (*Card).openssh},
	{"rclone", "rclone", false, (*Card).rclone},
	{"curl", "curl", false, (*Card).curl},
}

// Guided are the programs that a guide can put first.
func Guided() (out []string) {
	for _, p := range programs {
		out = append(out, p.id)
	}
	return out
}

// PutFirst chooses the program whose steps come first. "" chooses none.
func (c *Card) PutFirst(name string) error {
	if name != "" && !slices.Contains(Guided(), name) {
		return fault.E("guide.PutFirst", fault.Invalid, "The guide has no steps for %q.", valid.Printable(name)).
			WithHint("choose one of %s", strings.Join(Guided(), ", "))
	}
	c.For = name
	return nil
}

// chosen returns the steps of the program that was chosen, and of the others. Without a choice, all are chosen.
func (c *Card) chosen() (first, others []section) {
	for _, p := range programs {
		if c.For == "" || c.For == p.id {
			first = append(first, p.steps(c))
		} else {
			others = append(others, p.steps(c))
		}
	}
	return first, others
}

// otherNames lists the programs that were not chosen.
func (c *Card) otherNames() (out []string) {
	for _, p := range programs {
		if p.id != c.For {
			out = append(out, p.name)
		}
	}
	return out
}

// theirs returns the name of the chosen program, or "most programs".
func (c *Card) theirs() (name, shows string) {
	for _, p := range programs {
		if p.id == c.For && p.asks {
			return p.name, p.name + " shows"
		}
	}
	return "", "most programs show"
}
