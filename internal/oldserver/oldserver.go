// Package oldserver reads what an old server's files say: the configuration of OpenSSH with users, groups and
// authorized_keys, dumps of SFTPGo, the trees of users' files, and logs of who logged in and how. It makes a plan of
// users for this server, and a list of what it does not understand or what cannot be taken over; it never guesses. It
// also lays files into the folder from which the server takes them (Stager).
package oldserver

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Finding is something that a person must know of before the old server is left.
type Finding struct {
	Where string `json:"where"` // FILE:LINE, or a path
	User  string `json:"user,omitempty"`
	What  string `json:"what"`
	Do    string `json:"do,omitempty"`   // what to do about it
	Note  bool   `json:"note,omitempty"` // it does not stop the import
}

// Findings collects findings.
type Findings struct{ List []Finding }

func (f *Findings) add(where, user, what, do string) {
	f.List = append(f.List, Finding{Where: valid.Printable(where), User: valid.Printable(user),
		What: valid.Printable(what),
		Do:   do})
}

func (f *Findings) note(where, user, what string) {
	f.List = append(f.List, Finding{Where: valid.Printable(where), User: valid.Printable(user),
		What: valid.Printable(what),
		Note: true})
}

// Stops returns how many findings stop the import.
func (f *Findings) Stops() (n int) {
	for _, x := range f.List {
		if !x.Note {
			n++
		}
	}
	return n
}

// Key is a public key of a user.
type Key struct {
	Line    string // as an authorized_keys line without options
	Where   string // FILE:LINE
	Expires *time.Time
}

// Mount is a folder outside a user's root that the user sees at a path.
type Mount struct{ Path, Folder string }

// User is a user of the old server, as it is to be here.
type User struct {
	Old, Name, Account string
	Service            bool // one of the platform's own programs; it has no files of its own
	Keys               []Key
	AllowIPs           []string
	StartDir           string
	Disabled           bool
	Expires            *time.Time // no key works after it
	QuotaBytes         int64      // 0: the default
	QuotaFiles         int64
	Folder             string // its root, on this machine; "": it has no files
	Mounts             []Mount
	Without            []string // paths below the root that are not moved, such as /.ssh
	May                May
}

// May says what a user may do in a directory of the old server.
type May struct {
	UID      int   // by the permissions of the files; negative: they are not looked at
	GIDs     []int // its groups
	ReadOnly bool  // whatever the permissions are
	// Rights by path; the longest path that a directory begins with decides. Nil: by the permissions of the files.
	Rights map[string]exchange.Rights
}

// at returns the rights by path, and whether the path itself has rights of its own.
func (m *May) at(path string) (r exchange.Rights, own bool) {
	for p := path; ; p = p[:max(1, strings.LastIndexByte(p, '/'))] {
		if r, is := m.Rights[p]; is {
			return r, p == path
		}
		if p == "/" {
			return 0, false
		}
	}
}

// Plan is what an old server has.
type Plan struct {
	Users []User
	Findings
	Listen   []string // addresses of its listeners
	HostKeys []string // files of its private host keys
}

// Names maps names of the old server: to usernames here, and to accounts.
type Names struct {
	Users, Accounts map[string]string // by the old name
	Services        map[string][]string
}

// apply gives users their names here, and lists names that cannot be used, with a proposal.
func (p *Plan) apply(n Names) {
	seen := map[string]string{}
	for i := range p.Users {
		u := &p.Users[i]
		u.Name = cmp.Or(n.Users[u.Old], u.Old)
		u.Account = cmp.Or(n.Accounts[u.Old], u.Name)
		if nets, is := n.Services[u.Old]; is {
			u.Service, u.Folder, u.StartDir = true, "", ""
			u.AllowIPs = append(u.AllowIPs, nets...)
			if len(u.AllowIPs) == 0 {
				p.add("--service "+u.Old, u.Old, "A service user needs the networks that it logs in from.",
					"give them: --service "+u.Old+"=10.1.2.0/24")
			}
		}
		for what, name := range map[string]string{"username": u.Name, "account ID": u.Account} {
			if err := valid.CheckUserName(what, name); err != nil {
				p.add("user "+u.Old, u.Old, "The name "+name+" cannot be a "+what+" here.",
					"map it: a line "+u.Old+","+proposal(name)+" in the file of --names, or of --account-of")
			}
		}
		if other := seen[valid.Fold(u.Name)]; other != "" {
			p.add("user "+u.Old, u.Old, "The users "+other+" and "+u.Old+" have names that differ in capitals alone.",
				"map one of them with --names")
		}
		seen[valid.Fold(u.Name)] = u.Old
	}
	slices.SortFunc(p.Users, func(a, b User) int { return cmp.Compare(a.Old, b.Old) })
}

// proposal is a name that can be used, and resembles one that cannot.
func proposal(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-@+", r):
			return r
		}
		return '-'
	}, name)
	out = strings.Trim(out[:min(len(out), valid.MaxID-5)], "._-@+")
	if valid.CheckUserName("username", out) != nil {
		out = strings.TrimSuffix("sftp-"+out, "-")
	}
	return out
}
