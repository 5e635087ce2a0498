package guide

import "fmt"

// The programs with windows.

func (c *Card) winscp() section {
	return section{
		title: "WinSCP",
		intro: "Quickest: import `" + c.site() +
			".winscp.ini` (`Tools`, `Import/Restore configuration…`), if you were given it. By hand:",
		steps: []string{
			fmt.Sprintf(
				"New site: File protocol `SFTP`; Host name `%s`; Port number `%d`; User name `%s`; leave the password empty.",
				c.Host, c.Port, c.User),
			"`Advanced…`, then `SSH`, `Authentication` on the left.",
			fmt.Sprintf("`Private key file`: choose `%s`. (An OpenSSH key file is offered for conversion; say yes.)",
				c.PPKFile()),
			"`OK`, `Save`, `Login`.",
			c.compare("winscp", "WinSCP"),
			c.dragging(),
		},
	}
}

func (c *Card) filezilla() section {
	return section{
		title: "FileZilla",
		intro: "Quickest: `File`, `Import…`, and choose `" + c.site() +
			".filezilla.xml`, if you were given it. Then put your key file where it says, or change the path in the Site " +
			"Manager. By hand:",
		steps: []string{
			"`File`, `Site Manager…`, `New site`.",
			fmt.Sprintf("Protocol `SFTP - SSH File Transfer Protocol`; Host `%s`; Port `%d`.", c.Host, c.Port),
			fmt.Sprintf("Logon Type `Key file`; User `%s`; Key file: choose `%s`.%s", c.User, c.PPKFile(), c.otherFile()),
			"On the tab `Advanced`, Default remote directory " + code(c.StartDir) + ".",
			"`Connect`. " + c.password(),
			c.compare("filezilla", "FileZilla"),
			c.dragging(),
		},
	}
}

// otherFile says when another key file works in FileZilla. It reads OpenSSH key files only without
// a passphrase.
func (c *Card) otherFile() string {
	if c.givenKey() {
		return ""
	}
	return " (An OpenSSH key file will do, if it has no passphrase.)"
}

// password explains how FileZilla asks for a passphrase.
func (c *Card) password() string {
	text := "FileZilla asks for a “password”, and names your key file: it means the passphrase."
	if c.givenKey() {
		return text
	}
	return "If your key has a passphrase, " + text
}

func (c *Card) cyberduck() section {
	return section{
		title: "Cyberduck",
		steps: []string{
			"`Open Connection`, and choose `SFTP (SSH File Transfer Protocol)`.",
			fmt.Sprintf("Server `%s`; Port `%d`; Username `%s`; leave the password empty.", c.Host, c.Port, c.User),
			fmt.Sprintf("`SSH Private Key`: choose `%s`. Then `Connect`.", c.KeyFile()),
			c.compare("cyberduck", "Cyberduck"),
			c.dragging(),
		},
	}
}

// dragging is the last step in a program with windows: what to do with files.
func (c *Card) dragging() string {
	to, from := c.sendDir(), c.fetchDir()
	switch {
	case c.sends() && c.fetches():
		return "To send, open " + code(to) + " and drag your files into it. To fetch, open " + code(from) +
			" and drag files to your computer."
	case c.sends():
		return "Open " + code(to) + ", and drag your files into it."
	case len(c.Outbound) > 0:
		return "Open `/outbound`, and drag your files into the folder of their feed and customer."
	}
	return "Open " + code(from) + ", and drag files to your computer."
}
