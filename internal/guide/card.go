// Package guide writes the guide that a partner is given: the connection card, steps for common
// SFTP programs, and files that those programs import. Everything is made from a Card, which is
// filled from the real configuration.
//
// card.go has the data, steps.go the text, document.go the three output formats, sites.go the files
// to import.
package guide

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Card is everything a partner needs to connect.
type Card struct {
	Account  string // company name
	User     string
	Host     string // server address told to partners
	Port     int
	HostKeys []model.HostKey
	StartDir string
	Folders  []Folder
	AllowIPs []string // none: from anywhere
	Issued   bool     // the operator made the key, and it has a passphrase
	Keys     []model.Key
	Support  Support
	Feeds    []Feed
	Removal  time.Time // the next day on which old files are removed; zero: not known
	Made     time.Time
}

// Folder is a directory that the operator made, with what may be done in it.
type Folder struct {
	Path, Retention string
	Does            string // "send and fetch", "fetch"
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

// Support is how partners reach support.
type Support struct{ Email, URL, Phone string }

// Help returns the support line; "" if none is configured.
func (s Support) Help() string {
	var parts []string
	for _, p := range []string{s.Email, s.URL, s.Phone} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// Address returns host:port.
func (c *Card) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// Login returns user@host.
func (c *Card) Login() string { return c.User + "@" + c.Host }

// KeyFile is the name of the private key file in the guide. An issued pair has this name and
// PPKFile's.
func (c *Card) KeyFile() string { return c.file() }

// PPKFile is the name of the private key file for PuTTY and related programs.
func (c *Card) PPKFile() string { return c.file() + ".ppk" }

// file is the base name of the user's files.
func (c *Card) file() string { return valid.FileFor(c.User) }

// Alias is the connection's name in programs that give connections names.
func (c *Card) Alias() string { return c.file() + "-" + strings.SplitN(c.Host, ".", 2)[0] }

// KnownHost returns the server's name in the form of known_hosts.
func (c *Card) KnownHost() string {
	if c.Port == 22 {
		return c.Host
	}
	return fmt.Sprintf("[%s]:%d", c.Host, c.Port)
}

// best returns the host key for programs that take a single fingerprint.
func (c *Card) best() model.HostKey { return c.hostKey("ssh-ed25519") }

// bestECDSA returns the host key that curl's SSH library, libssh2, asks for first.
func (c *Card) bestECDSA() model.HostKey { return c.hostKey("ecdsa-sha2-nistp256") }

// hostKey returns the host key of a type, or the first if there is none of that type.
func (c *Card) hostKey(kind string) model.HostKey {
	for _, k := range c.HostKeys {
		if k.Type == kind {
			return k
		}
	}
	if len(c.HostKeys) > 0 {
		return c.HostKeys[0]
	}
	return model.HostKey{}
}

// from says from where log-ins are allowed.
func (c *Card) from() string {
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

// keyNote says which key file to use, and what its passphrase is for.
func (c *Card) keyNote() string {
	if c.Issued {
		return "the private key file that you were given, and its passphrase, which went to another person by another " +
			"channel. The passphrase unlocks the file; it is not a password"
	}
	return "your own private key file. If it has a passphrase, only you know it; nobody can reset it, but a new pair is " +
		"quickly made"
}
