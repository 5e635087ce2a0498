package guide

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/model"
)

// shown is what a program shows of the server's key on the first connection.
type shown struct {
	kinds []string // types of host keys, in the order in which the program prefers them
	md5   bool     // it shows the MD5 form alone
	older string   // versions that show something else, and what: "" or a sentence with %s for the MD5 form
}

// The orders in which programs prefer types of host keys.
var (
	ed25519First = []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"}
	ecdsaFirst   = []string{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-ed25519", "ssh-rsa"}
)

// shownBy has what each program shows. Sources: WinSCP's page on host keys (5.12 added SHA-256; 6 shows it
// alone), PuTTY's wish list (0.75 shows SHA-256 first), FileZilla's dialog (both since 3.29), OpenSSH's release
// notes (6.8: SHA-256; 8.5: Ed25519 before ECDSA), Cyberduck's SSHFingerprintGenerator (MD5), and libssh2, which asks
// for ECDSA first.
var shownBy = map[string]shown{
	"winscp":    {kinds: ed25519First, older: "Before version 5.12, WinSCP shows `%s`."},
	"filezilla": {kinds: ed25519First, older: "Before version 3.29, FileZilla shows `%s`."},
	"putty":     {kinds: ed25519First, older: "Before version 0.75, PuTTY shows `%s`."},
	"openssh":   {kinds: ed25519First},
	"cyberduck": {kinds: ed25519First, md5: true},
	"rclone":    {kinds: ed25519First},
	"curl":      {kinds: ecdsaFirst},
}

// hostKey returns the host key that a program shows: the first type of its order that the server has. It is the
// zero value if the server has none.
func (c *Card) hostKey(program string) model.HostKey {
	by, ok := shownBy[program]
	if !ok {
		by = shownBy["openssh"]
	}
	for _, kind := range by.kinds {
		for _, k := range c.HostKeys {
			if k.Type == kind {
				return k
			}
		}
	}
	if len(c.HostKeys) > 0 {
		return c.HostKeys[0]
	}
	return model.HostKey{}
}

// print returns the fingerprint in the form that a program shows, and the name of the key's type.
func (c *Card) print(program string) (text, kind string) {
	k := c.hostKey(program)
	if shownBy[program].md5 && k.MD5 != "" {
		return k.MD5, PlainType(k.Type)
	}
	return k.Fingerprint, PlainType(k.Type)
}

// PlainType returns the name that people and dialogs use for a type of keys.
func PlainType(kind string) string {
	switch {
	case kind == "ssh-ed25519":
		return "Ed25519"
	case kind == "ssh-rsa":
		return "RSA"
	case strings.HasPrefix(kind, "ecdsa-"):
		return "ECDSA"
	}
	return kind
}

// compare is the step in which the fingerprint is compared. name is the program as people call it.
func (c *Card) compare(program, name string) string {
	text, kind := c.print(program)
	step := "On the first connection " + name + " shows the server's fingerprint. This is the one that it shows: `" +
		text + "` (" + kind + "). Go on only if it is the same."
	if k := c.hostKey(program); c.For == program && shownBy[program].older != "" && k.MD5 != "" {
		step += " " + strings.ReplaceAll(shownBy[program].older, "%s", k.MD5)
	}
	return step
}

// prints is the section with all host keys, each with the programs that show it.
func (c *Card) prints() section {
	s := section{title: "The server's fingerprints",
		intro: "With a fingerprint you check that you reach our server, and no other. Your program shows one of these on " +
			"the first connection. Some programs write other words in front of it, or a `=` at its end; the rest is the same."}
	for _, k := range c.HostKeys {
		var sha, md5 []string
		for _, p := range programs {
			if p.asks && c.hostKey(p.id).Type == k.Type {
				if shownBy[p.id].md5 {
					md5 = append(md5, p.name)
				} else {
					sha = append(sha, p.name)
				}
			}
		}
		value := "`" + k.Fingerprint + "`" + shownIn(sha)
		if PlainType(k.Type) == "ECDSA" {
			value += "; shown by OpenSSH before version 8.5, as on Windows 10"
		}
		if k.MD5 != "" {
			value += ". In the older form (MD5): `" + k.MD5 + "`" + shownIn(md5)
			if len(md5) > 0 {
				value += ", and old versions of other programs, too"
			}
		}
		s.rows = append(s.rows, row{PlainType(k.Type), value})
	}
	for _, k := range c.Coming {
		s.rows = append(s.rows, row{PlainType(k.Type) + ", new from " + k.From.Format("2 January 2006"),
			"`" + k.Fingerprint + "`. The server changes to it on that day."})
	}
	return s
}

// shownIn lists the programs that show a fingerprint; "" if none does.
func shownIn(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ": this is the one that " + listed(names, "and") + " show" + map[bool]string{true: "s"}[len(names) == 1]
}

// listed joins names for a sentence: a, b and c.
func listed(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
}
