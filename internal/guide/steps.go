package guide

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// document writes the text of a card's guide.
func (c *Card) document() document {
	c = c.tame()
	return document{
		title: "File access for " + c.Account,
		intro: []string{
			"This sheet has everything that your SFTP program needs. The server takes SSH keys only: there is no password, " +
				"and nothing to type in a password field.",
			"We will never ask for your private key or its passphrase. If anyone does, please tell us.",
		},
		card:     c.rows(),
		sections: c.sections(),
	}
}

// sections returns the steps. A partner with an issued pair need not make one.
func (c *Card) sections() []section {
	out := []section{c.keySection()}
	if !c.Issued {
		out = append(out, c.puttygen())
	}
	return append(out, c.filezilla(), c.winscp(), c.psftp(), c.openssh(), c.rclone(), c.curl(), c.trouble())
}

func (c *Card) rows() []row {
	rows := []row{
		{"Server address", c.address()},
		{"Port", fmt.Sprintf("`%d`", c.Port)},
		{"Protocol", "SFTP (SSH File Transfer Protocol; not FTP, not FTPS)"},
		{"Username", "`" + c.User + "`"},
		{"Log-in", c.keyNote()},
	}
	for _, k := range c.Keys {
		rows = append(rows, row{"Your key on file", fmt.Sprintf("%s, `%s`%s", k.Type, k.Fingerprint, ends(k))})
	}
	for _, k := range c.HostKeys {
		rows = append(rows, row{"Server's fingerprint", fmt.Sprintf("%s, `%s`", k.Type, k.Fingerprint)})
	}
	rows = append(rows, row{"Starts in", code(c.StartDir)})
	for _, f := range c.Folders {
		if slices.ContainsFunc(c.Feeds, func(feed Feed) bool { return feed.Dir == f.Path }) &&
			!strings.HasPrefix(f.Does, "send") {
			continue // feed folders are listed below, with their feeds
		}
		rows = append(rows, row{"Folder", code(f.Path) + ": " + f.Does + kept(f.Retention)})
	}
	for _, f := range c.Feeds {
		text := f.called() + " in " + code(f.Dir)
		if len(f.Types) > 0 {
			text += " (" + strings.Join(f.Types, ", ") + ")"
		}
		text += kept(f.Retention)
		if f.MayRemove {
			text += "; you may remove what you have fetched"
		}
		rows = append(rows, row{"You receive", text})
	}
	if !c.Removal.IsZero() {
		rows = append(rows, row{"Next removal", c.Removal.Format("2 January 2006") +
			": files that are older by then go, after a notice; please save what you need longer"})
	}
	rows = append(rows, row{"Log in from", c.from()})
	if help := c.Support.Help(); help != "" {
		rows = append(rows, row{"Help", help})
	}
	return append(rows, row{"As of", c.Made.Format("2 January 2006")})
}

// address returns the server's address. A host name comes with a hint to use it instead of a
// number.
func (c *Card) address() string {
	if net.ParseIP(c.Host) != nil {
		return code(c.Host)
	}
	return code(c.Host) + " (use the name, not a number: the number may change)"
}

func ends(k model.Key) string {
	at := k.ExpiresAt
	if k.RetiresAt != nil {
		at = k.RetiresAt
	}
	if at == nil {
		return ""
	}
	return ", works until " + at.Format(time.DateOnly)
}

// kept says how long files are kept.
func kept(period string) string {
	if period == "" {
		return ""
	}
	return ", kept for " + retention(period)
}

// retention puts a period such as 12mo or 90d into words.
func retention(s string) string {
	for suffix, word := range map[string]string{"mo": "months", "d": "days", "y": "years"} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			return n + " " + word
		}
	}
	return s
}

func (c *Card) keySection() section {
	s := section{
		title: "About your key",
		intro: "A key is a pair of files. The public one is a lock: we put it on your account, and anybody may see it. The " +
			"private one opens that lock: it stays with you, and never travels by mail.",
	}
	if c.Issued {
		s.after = fmt.Sprintf("You were given `%s` (for OpenSSH, rclone and curl), `%s` (for FileZilla, WinSCP and PuTTY) "+
			"and `%s.pub` (the public half). "+
			"A passphrase of seven words unlocks the first two. A common mistake is to type it as a password for the server: "+
			"it only unlocks the file, on your own computer. "+
			"If file or passphrase is lost, or gets into other hands, tell us at once: we stop the key within seconds and "+
			"make a new pair; nobody can find or reset a passphrase.", c.KeyFile(), c.PPKFile(), c.file())
		return s
	}
	s.after = "If your private key gets into other hands, or is lost, tell us at once: we stop it within seconds, and " +
		"you send the public half of a new pair."
	return s
}

func (c *Card) puttygen() section {
	return section{
		title: "PuTTYgen: making a pair on Windows",
		intro: "Skip this if you have a pair. PuTTYgen comes with WinSCP, and with PuTTY from " +
			"https://www.chiark.greenend.org.uk/~sgtatham/putty/latest.html. On a 64-bit Windows take the 64-bit installer; " +
			"the 32-bit one runs everywhere.",
		steps: []string{
			"Start PuTTYgen. Below, choose `EdDSA` (Ed25519), or `RSA` with at least `2048` bits (`3072` is better).",
			"Press `Generate`, and move the mouse until the bar is full.",
			"Type a passphrase twice, if you like. It is optional; it protects the file if somebody copies it. " +
				"We can't reset it.",
			fmt.Sprintf(
				"Press `Save private key` and name it `%s`. Keep it, with a copy in a safe place, and give it to nobody.",
				c.PPKFile()),
			"Press `Save public key`. Send us this file: as it is, not a screenshot, and never the other one.",
		},
		after: "On Linux and macOS, `ssh-keygen -t ed25519 -f " + c.KeyFile() + "` makes a pair; send us `" + c.KeyFile() +
			".pub`.",
	}
}

func (c *Card) filezilla() section {
	return section{
		title: "FileZilla",
		intro: "Quickest: `File`, `Import…`, and choose `" + c.file() +
			".filezilla.xml`, if you were given it. Then put your key file where it says, or change the path in the Site " +
			"Manager. By hand:",
		steps: []string{
			"`File`, `Site Manager…`, `New site`.",
			fmt.Sprintf("Protocol `SFTP - SSH File Transfer Protocol`; Host `%s`; Port `%d`.", c.Host, c.Port),
			fmt.Sprintf("Logon Type `Key file`; User `%s`; Key file: choose `%s`.%s", c.User, c.PPKFile(), c.otherFile()),
			"On the tab `Advanced`, Default remote directory " + code(c.StartDir) + ".",
			"`Connect`. On the first connection compare the fingerprint that is shown with `" + c.best().
				Fingerprint + "`, and only then trust it.",
			c.password(),
		},
	}
}

// otherFile says when another key file works in FileZilla. It reads OpenSSH key files only without
// a passphrase.
func (c *Card) otherFile() string {
	if c.Issued {
		return ""
	}
	return " (An OpenSSH key file will do, if it has no passphrase.)"
}

// password explains how FileZilla asks for a passphrase.
func (c *Card) password() string {
	text := "FileZilla asks for a “password”, and names your key file: it means the passphrase."
	if c.Issued {
		return text
	}
	return "If your key has a passphrase, " + text
}

func (c *Card) winscp() section {
	return section{
		title: "WinSCP",
		intro: "Quickest: import `" + c.file() +
			".winscp.ini` (`Tools`, `Import/Restore configuration…`), if you were given it. By hand:",
		steps: []string{
			fmt.Sprintf(
				"New site: File protocol `SFTP`; Host name `%s`; Port number `%d`; User name `%s`; leave the password empty.",
				c.Host, c.Port, c.User),
			"`Advanced…`, then `SSH`, `Authentication` on the left.",
			fmt.Sprintf("`Private key file`: choose `%s`. (An OpenSSH key file is offered for conversion; say yes.)",
				c.PPKFile()),
			"`OK`, `Save`, `Login`. On the first connection compare the fingerprint with `" + c.best().Fingerprint + "`.",
		},
	}
}

func (c *Card) psftp() section {
	return section{
		title: "PuTTY's psftp",
		intro: "The line names the server's fingerprint, so " + c.asked() + ":",
		code:  fmt.Sprintf("psftp -i %s -hostkey %s -P %d %s", c.PPKFile(), c.best().Fingerprint, c.Port, quoted(c.Login())),
		after: "With a passphrase in a script, load the key into Pageant first.",
	}
}

// asked says what a program that already knows the server still asks for.
func (c *Card) asked() string {
	if c.Issued {
		return "only the key's passphrase is asked for"
	}
	return "nothing is asked, and it can stand in a script"
}

func (c *Card) openssh() section {
	return section{
		title: "OpenSSH (Linux, macOS, Windows 10 and later)",
		intro: fmt.Sprintf("With the files `%s.ssh_config` and `%s.known_hosts` beside your key, %s:", c.file(), c.file(),
			c.asked()),
		code: fmt.Sprintf("sftp -F %s.ssh_config %s", c.file(), c.Alias()),
		after: fmt.Sprintf(
			"Without them: `sftp -i %s -P %d %s`. `scp` works, too; its old protocol (`scp -O`) and shells do not.", c.KeyFile(),
			c.Port, quoted(c.Login())),
	}
}

func (c *Card) rclone() section {
	return section{
		title: "rclone",
		intro: fmt.Sprintf("With the file `%s.rclone.conf` beside your key:", c.file()),
		code: fmt.Sprintf("rclone --config %s.rclone.conf copy --include \"*.csv\" %s .", c.file(),
			quoted(c.Alias()+":"+c.fetchDir())),
		after: fmt.Sprintf("With a passphrase: let an agent hold the key, and take out the line `key_file`; or give it "+
			"once, as `key_file_pass`, in `rclone --config %s.rclone.conf config`.", c.file()),
	}
}

func (c *Card) curl() section {
	return section{
		title: "curl",
		code: fmt.Sprintf("curl --key %s --pubkey %s.pub --hostpubsha256 %s -u %s: sftp://%s%s", c.KeyFile(), c.KeyFile(),
			strings.TrimPrefix(c.bestECDSA().Fingerprint, "SHA256:"), quoted(c.User), c.Address(),
			strings.TrimSuffix((&url.URL{Path: c.fetchDir()}).EscapedPath(), "/")+"/"),
		after: "With a passphrase, add `--pass`, or rather use an agent. To send: `-T FILE` and the folder, with a slash " +
			"at its end.",
	}
}

// fetchDir returns a folder for the examples, without characters that are special to a shell; "/"
// if there is none.
func (c *Card) fetchDir() string {
	dirs := []string{}
	for _, f := range c.Feeds {
		dirs = append(dirs, f.Dir)
	}
	for _, dir := range append(dirs, c.StartDir) {
		if strings.Trim(dir, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._- ") == "" {
			return dir
		}
	}
	return "/"
}

// quoted quotes text with spaces for any shell.
func quoted(s string) string {
	if strings.Contains(s, " ") {
		return `"` + s + `"`
	}
	return s
}

func (c *Card) trouble() section {
	steps := []string{
		"`Permission denied (publickey)`: your program used no key, or another one. Check that the private key file is " +
			"chosen, and that the username is `" + c.User + "`.",
		"It asks for a password, and names no key file: it is not set up for a key. Choose the log-on type `Key file`.",
		"It asks for a passphrase: that is your key file's own.",
		"The fingerprint has changed: do not connect, and tell us.",
		"It does not connect at all: ask your network people to let you reach `" + c.Address() + "`.",
	}
	if len(c.AllowIPs) > 0 {
		steps = append(steps, "You can log in from "+strings.TrimPrefix(c.from(), "only ")+" alone"+
			": tell us before your address changes.")
	}
	s := section{title: "If it does not work", steps: steps,
		after: "When a log-in fails, the server may show a reference such as `k3jd-9fh2`. With it we can tell you at once " +
			"what happened."}
	if help := c.Support.Help(); help != "" {
		s.after += " Help: " + help + "."
	}
	return s
}
