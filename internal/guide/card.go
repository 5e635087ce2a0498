// Package guide writes the guide that a partner is given: the connection card, steps for common
// SFTP programs, and files that those programs import. Everything is made from a Card, which is
// filled from the real configuration.
//
// card.go has the data, steps.go and the program files the text, fingerprint.go what each program
// shows of the server's key, document.go, text.go and html.go the output formats, sites.go the
// files to import, checkup.go and roundtrip.go the checks before a partner connects.
package guide

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Card is everything a partner needs to connect.
type Card struct {
	Operator exchange.Operator
	Account  string // company name
	Vendor   string // the vendor's name, on a vendor's card; "": it is not one
	User     string
	Kind     model.UserKind
	Host     string // server address told to partners
	Port     int
	HostKeys []model.HostKey // in use
	Coming   []model.HostKey // used from a day on
	StartDir string
	Folders  []Folder
	AllowIPs []string // none: from anywhere
	Shut     bool     // the allow-lists have no address in common, so nobody can log in
	Issued   bool     // the operator made the key, and it has a passphrase
	KeysBy   model.KeyMakers
	Keys     []model.Key
	Support  exchange.Support
	Feeds    []Feed
	Outbound []Outbound // feeds that it publishes in
	Expected []Expected // what it should send, and by when
	Inbox    bool       // it fetches what partners sent
	Removal  time.Time  // the next day on which old files are removed; zero: not known
	Made     time.Time
	For      string // the program whose steps come first, one of Guided; "": none
}

// Folder is a directory that the operator made, with what may be done in it.
type Folder struct {
	Path, Retention string
	Send, Fetch     bool
}

// does describes in words what may be done in the folder.
func (f Folder) does() string {
	switch {
	case f.Send && f.Fetch:
		return "send files; see and fetch them"
	case f.Send:
		return "send files"
	}
	return "fetch files"
}

// Feed is a feed of the user: where its files arrive, and how long they are kept.
type Feed struct {
	Name, Title, Dir, Retention string
	Types                       []string
	MayRemove                   bool // the user may remove what it has fetched
}

// called returns the name for people: the title, or the name if there is no title.
func (f Feed) called() string {
	if f.Title == "" {
		return f.Name
	}
	return f.Title
}

// Expected is a file that the user should send by a time.
type Expected struct {
	Glob, Days, Clock, Zone string
	MostBytes               int64 // 0: any size
	Larger, Later           bool  // larger or later files are refused
}

// Outbound is a feed that the user publishes in.
type Outbound struct{ Name, Title string }

// partner returns the name of the company that the card is for.
func (c *Card) partner() string {
	if c.Vendor != "" {
		return c.Vendor
	}
	return c.Account
}

// sends reports whether the user can send files to us.
func (c *Card) sends() bool {
	for _, f := range c.Folders {
		if f.Send {
			return true
		}
	}
	return false
}

// fetches reports whether there is something for the user to fetch that it did not send itself.
func (c *Card) fetches() bool {
	for _, f := range c.Folders {
		if f.Fetch && !f.Send {
			return true
		}
	}
	return len(c.Feeds) > 0 || c.Inbox
}

// Address returns host:port.
func (c *Card) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// Login returns user@host.
func (c *Card) Login() string { return c.User + "@" + c.Host }

// ownKeyFile is what a partner's own private key file is called. The form that makes a pair in a browser writes files
// of this name, and the page about programs teaches it. What partners call theirs is not known.
const ownKeyFile = "sftp-key"

// KeyFile is the name of the private key file in the guide. An issued pair is named after its user.
func (c *Card) KeyFile() string {
	if c.givenKey() {
		return c.file()
	}
	return ownKeyFile
}

// PPKFile is the name of the private key file for PuTTY and related programs.
func (c *Card) PPKFile() string { return c.KeyFile() + ".ppk" }

// file is the base name of the files that we make for the user.
func (c *Card) file() string { return valid.FileFor(c.User) }

// Alias is the connection's name in programs that give connections names: the user, and the
// operator's name or the first part of the server's.
func (c *Card) Alias() string {
	if name := aliasOf(c.Operator.Name); name != "" {
		return c.file() + "-" + name
	}
	return c.file() + "-" + strings.SplitN(c.Host, ".", 2)[0]
}

// site is the base name of the files that programs import: it names the operator, too, because a partner may have
// such files of several.
func (c *Card) site() string {
	if aliasOf(c.Operator.Name) == "" {
		return c.file()
	}
	return c.Alias()
}

// longestAlias bounds the operator's part of an alias, which people type.
const longestAlias = 24

// aliasOf turns a company's name into a word of lower-case letters, digits and dashes.
func aliasOf(name string) string {
	word := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return ' '
	}, name)
	out := ""
	for part := range strings.FieldsSeq(word) {
		if len(out)+1+len(part) > longestAlias {
			break
		}
		out += "-" + part
	}
	return strings.TrimPrefix(out, "-")
}

// KnownHost returns the server's name in the form of known_hosts.
func (c *Card) KnownHost() string {
	if c.Port == 22 {
		return c.Host
	}
	return fmt.Sprintf("[%s]:%d", c.Host, c.Port)
}

// from says from where log-ins are allowed.
func (c *Card) from() string {
	if c.Shut {
		return "nowhere: please tell us, our lists of addresses contradict each other"
	}
	if len(c.AllowIPs) == 0 {
		return "anywhere"
	}
	list := make([]string, len(c.AllowIPs))
	for i, s := range c.AllowIPs {
		list[i] = s
		if p, err := netip.ParsePrefix(s); err == nil && p.IsSingleIP() {
			list[i] = p.Addr().String()
		}
	}
	return "only " + strings.Join(list, ", ")
}

// givenKey reports whether the partner is given its key, instead of making it.
func (c *Card) givenKey() bool {
	return c.Issued || len(c.Keys) == 0 && c.KeysBy == model.KeysByOperator
}

// keyNote says which key file to use, and what its passphrase is for.
func (c *Card) keyNote() string {
	if c.givenKey() {
		return "the private key file that you were given, and its passphrase, which went to another person by another " +
			"channel. The passphrase unlocks the file; it is not a password"
	}
	return "your own private key file. If it has a passphrase, only you know it; nobody can reset it, but a new pair is " +
		"quickly made"
}
