package guide

import (
	"fmt"
	"net/url"
	"strings"
)

// The programs that are typed.

func (c *Card) psftp() section {
	text, kind := c.print("putty")
	return section{
		title: "PuTTY's psftp",
		intro: "The line names the server's fingerprint, so " + c.asked() + ":",
		code:  fmt.Sprintf("psftp -i %s -hostkey %s -P %d %s", c.PPKFile(), text, c.Port, quoted(c.Login())),
		after: "With a passphrase in a script, load the key into Pageant first. Without -hostkey, PuTTY shows the " +
			"fingerprint: this is the one that it shows: `" + text + "` (" + kind + ").",
	}
}

// asked says what a program that already knows the server still asks for.
func (c *Card) asked() string {
	if c.givenKey() {
		return "only the key's passphrase is asked for"
	}
	return "nothing is asked, and it can stand in a script"
}

func (c *Card) openssh() section {
	text, kind := c.print("openssh")
	return section{
		title: "OpenSSH (Linux, macOS, Windows 10 and later)",
		intro: fmt.Sprintf("With the files `%s.ssh_config` and `%s.known_hosts` beside your key, %s:", c.site(), c.site(),
			c.asked()),
		code: fmt.Sprintf("sftp -F %s.ssh_config %s", c.site(), c.Alias()),
		after: fmt.Sprintf(
			"Without them: `sftp -i %s -P %d %s`. It shows the server's fingerprint; this is the one: `%s` (%s). `scp` works, "+
				"too; its old protocol (`scp -O`) and shells do not.", c.KeyFile(), c.Port, quoted(c.Login()), text, kind),
	}
}

func (c *Card) rclone() section {
	what := fmt.Sprintf("copy --include \"*.csv\" %s .", quoted(c.Alias()+":"+c.fetchDir()))
	if !c.fetches() {
		what = fmt.Sprintf("copy FILE %s", quoted(c.Alias()+":"+c.sendDir()))
	}
	return section{
		title: "rclone",
		intro: fmt.Sprintf("With the files `%s.rclone.conf` and `%s.known_hosts` beside your key:", c.site(), c.site()),
		code:  fmt.Sprintf("rclone --config %s.rclone.conf %s", c.site(), what),
		after: fmt.Sprintf("With a passphrase: let an agent hold the key, and take out the line `key_file`; or give it "+
			"once, as `key_file_pass`, in `rclone --config %s.rclone.conf config`.", c.site()),
	}
}

func (c *Card) curl() section {
	print, _ := c.print("curl")
	dir, send := c.fetchDir(), ""
	after := "With a passphrase, add `--pass`, or rather use an agent."
	switch {
	case !c.fetches():
		dir, send = c.sendDir(), "-T FILE "
	case c.sends():
		after += " To send: `-T FILE` and the folder, with a slash at its end."
	}
	return section{
		title: "curl",
		code: fmt.Sprintf("curl --key %s --pubkey %s.pub --hostpubsha256 %s -u %s: %ssftp://%s%s", c.KeyFile(), c.KeyFile(),
			strings.TrimPrefix(print, "SHA256:"), quoted(c.User), send, c.Address(),
			strings.TrimSuffix((&url.URL{Path: dir}).EscapedPath(), "/")+"/"),
		after: after,
	}
}

// fetchDir returns a folder to fetch from for the examples, without characters that are special to a shell; "/"
// if there is none.
func (c *Card) fetchDir() string {
	dirs := []string{}
	for _, f := range c.Feeds {
		dirs = append(dirs, f.Dir)
	}
	for _, f := range c.Folders {
		if f.Fetch && !f.Send {
			dirs = append(dirs, f.Path)
		}
	}
	if c.Inbox {
		dirs = append(dirs, "/inbox")
	}
	return firstSimple(append(dirs, c.StartDir))
}

// sendDir is fetchDir for a folder to send to.
func (c *Card) sendDir() string {
	dirs := []string{}
	for _, f := range c.Folders {
		if f.Send {
			dirs = append(dirs, f.Path)
		}
	}
	return firstSimple(append(dirs, c.StartDir))
}

// firstSimple returns the first path that is typed as it is.
func firstSimple(dirs []string) string {
	for _, dir := range dirs {
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
