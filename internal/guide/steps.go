package guide

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// document writes the text of a card's guide.
func (c *Card) document() document {
	c = c.tame()
	first, others := c.chosen()
	sections := append([]section{c.keySection()}, c.making()...)
	if c.For == "" { // what is done with files is not to be found behind the steps for every program
		sections = append(append(sections, c.files()...), first...)
	} else {
		sections = append(append(sections, first...), c.files()...)
	}
	return document{
		title: "File access for " + c.partner(),
		from:  c.Operator.Name,
		site:  c.Operator.URL,
		intro: []string{
			c.opening() + " The server takes SSH keys only: there is no password, and nothing to type in a password field.",
			"We will never ask for your private key or its passphrase. If anyone does, please tell us.",
		},
		card:     c.rows(),
		sections: append(sections, c.prints(), c.trouble()),
		others:   others,
		without: "Steps for other programs are on request: " + listed(c.otherNames(), "and") +
			". They need the same address, port, username and key file.",
	}
}

// opening is the first sentence of the guide.
func (c *Card) opening() string {
	with := "us"
	if c.Operator.Name != "" {
		with = c.Operator.Name
	}
	switch {
	case c.Kind == model.KindService:
		return "With this sheet a program of the exchange's own connects over SFTP."
	case c.Vendor != "":
		return "This sheet tells you how to exchange files with " + with + " over SFTP, for " + c.Account + "."
	}
	return "This sheet tells you how to exchange files with " + with + " over SFTP."
}

func (c *Card) rows() []row {
	_, shows := c.theirs()
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
	if text, kind := c.print(c.For); text != "" {
		rows = append(rows, row{"Server's fingerprint", fmt.Sprintf("`%s` (%s): this is the one that %s", text, kind, shows)})
	}
	if c.Kind != model.KindService {
		rows = append(rows, row{"Starts in", code(c.StartDir)})
	}
	rows = append(rows, c.places()...)
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

// places are the rows about folders and feeds.
func (c *Card) places() (rows []row) {
	for _, f := range c.Folders {
		if !f.Send && slices.ContainsFunc(c.Feeds, func(feed Feed) bool { return feed.Dir == f.Path }) {
			continue // feed folders are listed below, with their feeds
		}
		does := f.does()
		if f.Send && !c.fetches() {
			does = "send files; you see what you sent"
		}
		rows = append(rows, row{"Folder", code(f.Path) + ": " + does + kept(f.Retention)})
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
	if n := len(c.Outbound); n > mostOutbound {
		rows = append(rows, row{"You publish", fmt.Sprintf("in %d feeds, in `/outbound/…`", n)})
		return append(rows, c.inboxRow()...)
	}
	for _, f := range c.Outbound {
		rows = append(rows, row{"You publish", Feed{Name: f.Name, Title: f.Title}.called() + " in " +
			code("/outbound/"+f.Name+"/…")})
	}
	return append(rows, c.inboxRow()...)
}

// mostOutbound is how many feeds to publish in a card names; more are counted.
const mostOutbound = 8

func (c *Card) inboxRow() []row {
	if !c.Inbox {
		return nil
	}
	return []row{{"You fetch", "what partners sent, in `/inbox/…`"}}
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
			if n == "1" {
				word = strings.TrimSuffix(word, "s")
			}
			return n + " " + word
		}
	}
	return s
}

func (c *Card) keySection() section {
	s := section{
		title:   "Your key",
		drawing: &drawing{given: c.givenKey()},
		intro: "A key is a pair of files. The public one is a lock: we put it on your account, and anybody may see it. The " +
			"private one opens that lock: it stays with you, and never travels by mail.",
	}
	if c.givenKey() {
		s.after = fmt.Sprintf("You were given `%s` (for OpenSSH, Cyberduck, rclone and curl), `%s` (for FileZilla, WinSCP "+
			"and PuTTY) and `%s.pub` (the public half). "+
			"A passphrase of seven words unlocks the first two. A common mistake is to type it as a password for the server: "+
			"it only unlocks the file, on your own computer. "+
			"If file or passphrase is lost, or gets into other hands, tell us at once: we stop the key within seconds and "+
			"make a new pair; nobody can find or reset a passphrase.", c.KeyFile(), c.PPKFile(), c.file())
		if !c.Issued {
			s.after = strings.Replace(s.after, "You were given", "We make the pair here, and give you", 1)
		}
		return s
	}
	s.after = "The steps below call your private file `" + c.KeyFile() + "` (`" + c.PPKFile() + "` for WinSCP, " +
		"FileZilla and PuTTY). If yours has another name, choose yours. If your private key gets into other hands, or is " +
		"lost, tell us at once: we stop it within seconds, and you send the public half of a new pair."
	return s
}

// making says how to make a pair, if the partner has none yet.
func (c *Card) making() []section {
	if c.givenKey() || len(c.Keys) > 0 {
		return nil
	}
	s := section{
		title: "Make a key pair",
		intro: "Skip this if you have a pair. On Windows, PuTTYgen makes one. It comes with WinSCP, and with PuTTY from " +
			"https://www.chiark.greenend.org.uk/~sgtatham/putty/latest.html (take the 64-bit installer, unless your Windows " +
			"is a 32-bit one).",
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
	if c.KeysBy == model.KeysByCustomer {
		s.after += " You make the pair, always: we never make a private key for you, and never see yours."
	}
	return []section{s}
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
	if len(c.AllowIPs) > 0 && !c.Shut {
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
