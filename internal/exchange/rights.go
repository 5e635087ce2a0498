package exchange

import (
	"cmp"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Rights say what a user may do in one directory and below it, as bits.
type Rights uint32

// The rights, and all of them together.
const (
	Read   Rights = 1 << iota // open files for reading
	Write                     // create, overwrite and truncate files, set times and modes
	List                      // see the names
	Delete                    // remove files and directories
	Rename                    // move files and directories, within and across
	Mkdir                     // make directories

	AllRights = Read | Write | List | Delete | Rename | Mkdir
)

var rightWords = []string{"read", "write", "list", "delete", "rename", "mkdir"}

// ParseRights reads rights as configuration spells them; "all" is every right.
func ParseRights(words []string) (Rights, error) {
	var r Rights
next:
	for _, w := range words {
		if w == "all" {
			r |= AllRights
			continue
		}
		for i, known := range rightWords {
			if w == known {
				r |= 1 << i
				continue next
			}
		}
		return 0, fault.E("exchange.ParseRights", fault.Invalid, "%q is not a right.", w).
			WithHint("the rights are: all, %s", strings.Join(rightWords, ", "))
	}
	return r, nil
}

// FeedRights returns the rights in a folder of deliveries. settings are ordered from the narrowest:
// that of the subscription, of its user, of a template. The first one that is not "" decides.
func FeedRights(settings ...string) Rights {
	if cmp.Or(settings...) == model.FeedsRemove {
		return Read | List | Delete | Rename
	}
	return Read | List
}

// Words returns the rights as configuration spells them.
func (r Rights) Words() []string {
	words := []string{}
	for i, w := range rightWords {
		if r&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return words
}
