// Package guide writes what a partner is handed: the connection card, steps
// for the programs that partners use, and files that those programs import.
// Everything comes from a Card, which is filled from the real configuration.
//
// card.go is what is known, steps.go the words, document.go the three forms
// they take, sites.go the files to import.
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
	Removal  time.Time // the next day on which what is old enough is removed; zero: not known
	Made     time.Time
}

// Folder is a directory that the operator made, and what may be done in it.
type Folder struct {
	Path, Retention string
	Does            string // "send and fetch", "fetch"
}

// Feed is what arrives for the user, where, and how long it stays.
type Feed struct {
	Name, Title, Dir, Retention string
	Types                       []string
	MayRemove                   bool // the user may remove what it has fetched
}

// called is what people read: the title, and the name if that is another.
func (f Feed) called() string {
	if f.Title == "" {
		return f.Name
	}
	return f.Title
}

// Support is whom partners turn to.
type Support struct{ Email, URL, Phone string }

// Help is the support line; "" if nobody is named.
func (s Support) Help() string {
	var parts []string
	for _, p := range []string{s.Email, s.URL, s.Phone} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// Address is host and port as one word.
func (c *Card) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// Login is user@host.
func (c *Card) Login() string { return c.User + "@" + c.Host }

// KeyFile is what the guide calls the private key's file. An issued pair has this name
// and PPKFile's.
func (c *Card) KeyFile() string { return c.file() }

// PPKFile is what the guide calls the private key's file for PuTTY's family.
func (c *Card) PPKFile() string { return c.file() + ".ppk" }

// file is what files of the user's are called.
func (c *Card) file() string { return valid.FileFor(c.User) }

// Alias is the name of the connection in programs that give it one.
func (c *Card) Alias() string { return c.file() + "-" + strings.SplitN(c.Host, ".", 2)[0] }

// KnownHost is how known_hosts names the server.
func (c *Card) KnownHost() string {
	if c.Port == 22 {
		return c.Host
	}
	return fmt.Sprintf("[%s]:%d", c.Host, c.Port)
}

// best is the host key whose fingerprint is given to programs that take one.
func (c *Card) best() model.HostKey { return c.hostKey("ssh-ed25519") }

// bestECDSA is the one that curl's SSH library, libssh2, asks for first.
func (c *Card) bestECDSA() model.HostKey { return c.hostKey("ecdsa-sha2-nistp256") }

// hostKey is the host key of a type, or the first if there is none.
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

// from says where log-ins may come from.
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

// keyNote says what unlocks the door.
func (c *Card) keyNote() string {
	if c.Issued {
		return "the private key file that you were given, and its passphrase, which went to another person by another " +
			"channel. The passphrase unlocks the file; it is not a password"
	}
	return "your own private key file. If it has a passphrase, only you know it; nobody can reset it, but a new pair is " +
		"quickly made"
}
