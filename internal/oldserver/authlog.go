package oldserver

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Log adds up what the logs of an OpenSSH server say. It is made with NewLog.
type Log struct {
	Lines, Known int // lines that were read, and those that say something
	users        map[string]*logUser
	open         map[string]*logConnection // by process id, or address and port
	unknown      map[string]*logUser       // clients that no user is known of, by address
}

// Bounds of what is kept of a log.
const (
	maxLogUsers = 100_000
	maxLogOpen  = 50_000
	maxOfEach   = 20
)

// logUser is how a user logged in.
type logUser struct {
	name               string
	keys, passwords    int
	addresses, clients map[string]bool
	problems           map[string]string // what would fail → what to do
}

// logConnection is what is known of a connection so far.
type logConnection struct {
	address, client string
	problems        map[string]string
}

// NewLog makes a Log.
func NewLog() *Log {
	return &Log{users: map[string]*logUser{}, open: map[string]*logConnection{}, unknown: map[string]*logUser{}}
}

// Partner is how one user of the old server logs in, and what of it fails here.
type Partner struct {
	User      string    `json:"user,omitempty"` // "" for a client that never logged in
	Keys      int       `json:"key_logins"`
	Passwords int       `json:"password_logins"`
	Addresses []string  `json:"addresses"`
	Clients   []string  `json:"clients"`
	Problems  []Problem `json:"problems"`
}

// Problem is something that fails here, and what to do.
type Problem struct {
	What string `json:"what"`
	Do   string `json:"do"`
}

// What to do about a problem.
const (
	doKey     = "have it make a key, and enrol it (key add); the user's guide tells how"
	doUpgrade = "ask for a newer version of its program; nothing with SHA-1 is taken here"
	doSFTP    = "have it use SFTP: of OpenSSH, sftp, or scp from version 9 on without -O"
	doNewKey  = "have it make a new key, such as ed25519"
)

// maxLogLine is the longest line that is looked at, in bytes; the rest of it is skipped.
const maxLogLine = 8 << 10

// Read reads a log.
func (l *Log) Read(r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLogLine)
	for {
		line, more, err := in.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.E("oldserver.Log", fault.Invalid, "The log cannot be read: %v.", fault.InWords(err))
		}
		l.line(string(line))
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
	}
}

// head is what syslog and the journal put before the message: the program and its process id.
var head = regexp.MustCompile(`(?:^|\s)sshd(?:-session|-auth)?\[(\d+)\]: `)

// The messages that are looked at.
var messages = []struct {
	is *regexp.Regexp
	do func(l *Log, pid string, m []string)
}{
	{regexp.MustCompile(`^Accepted (\S+) for (.{1,256}?) from (\S+) port (\d+) ssh2(?:: (\S+) (\S+))?`), (*Log).accepted},
	{regexp.MustCompile(`^Failed (\S+) for (?:invalid user )?(.{0,256}?) from (\S+) port (\d+)`), (*Log).failed},
	{regexp.MustCompile(`^(?:fatal: )?Unable to negotiate with (\S+) port (\d+): no matching (.+?) found\. ` +
		`Their offer: (\S+)`), (*Log).unable},
	{regexp.MustCompile(`userauth_pubkey: (?:signature|key type|certificate signature) (?:algorithm )?(\S+) ` +
		`not in Pubkey`), (*Log).signature},
	{regexp.MustCompile(`kex: algorithm: (\S+)`), (*Log).kex},
	{regexp.MustCompile(`kex: (?:client->server|server->client) cipher: (\S+) MAC: (\S+)`), (*Log).cipher},
	{regexp.MustCompile(`[Rr]emote protocol version \S+, remote software version (.{1,256})$`), (*Log).software},
	{regexp.MustCompile(`^Connection from (\S+) port (\d+)`), (*Log).connection},
	{regexp.MustCompile(`^Starting session: (subsystem '([^']*)'|command|shell|forced-command.*?) .*?` +
		`for (\S+) from (\S+) port (\d+)`), (*Log).session},
	{regexp.MustCompile(`^subsystem request for (\S+)(?: by user (\S+))?`), (*Log).subsystem},
}

// line looks at one line. A line without a program before the message is one of sshd -e.
func (l *Log) line(s string) {
	l.Lines++
	pid := ""
	if m := head.FindStringSubmatchIndex(s); m != nil {
		pid, s = s[m[2]:m[3]], s[m[1]:]
	}
	s = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, "debug1: "), "debug2: "), "debug3: ")
	s = strings.TrimSuffix(strings.TrimSpace(s), " [preauth]")
	for _, x := range messages {
		if m := x.is.FindStringSubmatch(s); m != nil {
			l.Known++
			x.do(l, pid, m)
			return
		}
	}
}

// of returns a connection by its process id.
func (l *Log) of(pid string) *logConnection {
	if c := l.open[pid]; c != nil {
		return c
	}
	if len(l.open) >= maxLogOpen {
		clear(l.open) // connections whose users are known are counted already
	}
	c := &logConnection{problems: map[string]string{}}
	l.open[pid] = c
	return c
}

// user returns a user; the last one stands for all beyond the bound.
func (l *Log) user(name string) *logUser { return logUserIn(l.users, valid.Excerpt(name, 128)) }

func logUserIn(in map[string]*logUser, name string) *logUser {
	u := in[name]
	if u == nil {
		u = &logUser{name: name, addresses: map[string]bool{}, clients: map[string]bool{}, problems: map[string]string{}}
		if len(in) < maxLogUsers {
			in[name] = u
		}
	}
	return u
}

// saw notes something of a bounded set.
func saw(set map[string]bool, s string) {
	if s != "" && len(set) < maxOfEach {
		set[valid.Excerpt(s, 128)] = true
	}
}

func (l *Log) accepted(pid string, m []string) {
	u, c := l.user(m[2]), l.of(pid)
	saw(u.addresses, m[3])
	saw(u.clients, c.client)
	maps.Copy(u.problems, c.problems)
	clear(c.problems)
	switch m[1] {
	case "publickey":
		u.keys++
		if strings.HasSuffix(m[5], "-CERT") {
			u.problems["It logs in with a certificate, which is not taken here."] = doKey
		}
		if m[5] == "DSA" {
			u.problems["It logs in with a DSA key, which is not taken here."] = doNewKey
		}
	default:
		u.passwords++
		u.problems["It logs in with "+m[1]+", and only keys are taken here."] = doKey
	}
}

func (l *Log) failed(pid string, m []string) {
	if m[1] == "publickey" || m[1] == "none" || m[1] == "password" || strings.HasPrefix(m[1], "keyboard") {
		l.of(pid).address = m[3] // guessers fail, too: they are no partners
	}
}

func (l *Log) unable(_ string, m []string) {
	u := logUserIn(l.unknown, valid.Excerpt(m[1], 64))
	saw(u.addresses, m[1])
	if !anyTaken(m[3], m[4]) {
		u.problems["The old server refused it already: no common "+valid.Excerpt(m[3], 40)+"; it offers "+
			valid.Excerpt(m[4], 200)+"."] = doUpgrade
	}
}

// anyTaken reports whether one of the offered algorithms is taken here.
func anyTaken(kind, offer string) bool {
	kinds := map[string]string{"key exchange method": "kex", "cipher": "cipher", "MAC": "mac"}
	return slices.ContainsFunc(strings.Split(offer, ","), func(name string) bool { return Taken(kinds[kind], name) })
}

func (l *Log) signature(pid string, m []string) {
	l.of(pid).problems["It signs with "+valid.Excerpt(m[1], 60)+", which is not taken."] = doUpgrade
}

func (l *Log) kex(pid string, m []string) {
	if name := m[1]; name != "(no match)" && !Taken("kex", name) && !strings.HasPrefix(name, "sntrup") &&
		!strings.HasPrefix(name, "diffie-hellman-group-exchange-sha256") && !strings.HasPrefix(name,
		"diffie-hellman-group18") {
		l.of(pid).problems["It chose the key exchange "+valid.Excerpt(name, 60)+", which is not taken here."] = doUpgrade
	}
}

func (l *Log) cipher(pid string, m []string) {
	if !Taken("cipher", m[1]) {
		l.of(pid).problems["It chose the cipher "+valid.Excerpt(m[1], 60)+", which is not taken here."] = doUpgrade
	}
	if mac := m[2]; mac != "<implicit>" && !Taken("mac", mac) && !strings.HasPrefix(mac, "umac") {
		l.of(pid).problems["It chose the MAC "+valid.Excerpt(mac, 60)+", which is not taken here."] = doUpgrade
	}
}

func (l *Log) software(pid string, m []string) { l.of(pid).client = m[1] }

func (l *Log) connection(pid string, m []string) {
	delete(l.open, pid) // the number of an earlier process
	l.of(pid).address = m[1]
}

func (l *Log) session(_ string, m []string) {
	u := l.user(m[3])
	switch kind := strings.Fields(m[1])[0]; {
	case m[2] == "sftp", strings.HasPrefix(kind, "forced-command") && strings.Contains(m[1], "internal-sftp"):
	case kind == "subsystem":
		u.problems["It asks for the subsystem "+valid.Excerpt(m[2], 40)+", which is not served here."] = doSFTP
	case kind == "shell":
		u.problems["It opens a shell, which is not served here."] = doSFTP
	default:
		u.problems["It runs commands (scp -O, rsync or others), which are not served here."] = doSFTP
	}
}

func (l *Log) subsystem(_ string, m []string) {
	if m[2] != "" && m[1] != "sftp" {
		l.user(m[2]).problems["It asks for the subsystem "+valid.Excerpt(m[1], 40)+", which is not served here."] = doSFTP
	}
}

// Partners lists users and clients, those with problems first.
func (l *Log) Partners() []Partner {
	for _, c := range l.open { // connections that never logged in
		if c.address != "" && len(c.problems) > 0 {
			u := logUserIn(l.unknown, c.address)
			saw(u.addresses, c.address)
			saw(u.clients, c.client)
			maps.Copy(u.problems, c.problems)
		}
	}
	var out []Partner
	for _, from := range []map[string]*logUser{l.users, l.unknown} {
		for _, u := range from {
			p := Partner{User: u.name, Keys: u.keys, Passwords: u.passwords, Addresses: slices.Sorted(maps.Keys(u.addresses)),
				Clients: slices.Sorted(maps.Keys(u.clients)), Problems: []Problem{}}
			if _, is := l.users[u.name]; !is || l.users[u.name] != u {
				p.User = ""
			}
			for _, what := range slices.Sorted(maps.Keys(u.problems)) {
				p.Problems = append(p.Problems, Problem{what, u.problems[what]})
			}
			if p.User != "" || len(p.Problems) > 0 {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b Partner) int {
		return cmp.Or(cmp.Compare(min(1, len(b.Problems)), min(1, len(a.Problems))), cmp.Compare(flag(a.User == ""),
			flag(b.User == "")),
			cmp.Compare(a.User, b.User), cmp.Compare(fmt.Sprint(a.Addresses), fmt.Sprint(b.Addresses)))
	})
	return out
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
