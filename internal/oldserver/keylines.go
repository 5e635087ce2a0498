package oldserver

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// keyLines is what an authorized_keys file says.
type keyLines struct {
	keys     []Key
	from     []string // networks of every key
	start    string   // of internal-sftp -d
	readOnly bool     // of internal-sftp -R
}

// lineKey is a key with what its options say.
type lineKey struct {
	Key
	from     []string
	start    string
	readOnly bool
}

// readKeys reads an authorized_keys file. Options that are not understood, lines that are broken and keys that are not
// taken here are listed. So are options that differ from key to key, where this server has one setting for a user.
func readKeys(file File, user string, f *Findings) (out keyLines) {
	var all []lineKey
	for i, line := range lines(file.Text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		where := file.at(i + 1)
		if keys.LooksPrivate([]byte(line)) {
			f.add(where, user, "This is a part of a private key.", "remove it, and have the person make a new pair")
			continue
		}
		pub, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			f.add(where, user, "The line is broken: it has no public key that can be read.",
				"correct or remove it; the old server ignored it")
			continue
		}
		before := f.Stops()
		k := readOptions(where, user, options, f)
		text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
		if _, err := keys.Read([]byte(text)); err != nil {
			f.add(where, user, "The key "+ssh.FingerprintSHA256(pub)+" is not taken here: "+publicText(err),
				"ask for a new key, such as ed25519, and enrol it (key add)")
			continue
		}
		if f.Stops() > before { // an option that is not understood could be a restriction
			continue
		}
		k.Line, k.Where = strings.TrimSpace(text+" "+valid.Excerpt(comment, 100)), where
		all = append(all, k)
	}
	return together(file, user, all, f)
}

// together joins the keys of a file, whose options must say the same.
func together(file File, user string, all []lineKey, f *Findings) (out keyLines) {
	for i, k := range all {
		if i > 0 && !slices.Equal(k.from, all[0].from) {
			f.add(k.Where, user, "Its from= differs from that of the first key; a user here has one list of networks.",
				"make the lists equal, or give each key a user of its own")
			continue
		}
		if i > 0 && (k.start != all[0].start || k.readOnly != all[0].readOnly) {
			f.add(k.Where, user, "Its command= differs from that of the first key; a user here has one set of rights.",
				"make the options equal, or give each key a user of its own")
			continue
		}
		out.keys = append(out.keys, k.Key)
	}
	if len(all) > 0 {
		out.from, out.start, out.readOnly = all[0].from, all[0].start, all[0].readOnly
	}
	return out
}

// plainOptions restrict what this server offers to nobody anyway, or allow what a restriction took away.
var plainOptions = []string{"restrict", "no-pty", "no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding",
	"no-user-rc", "pty", "agent-forwarding", "port-forwarding", "x11-forwarding", "user-rc"}

// readOptions reads the options of a key.
func readOptions(where, user string, options []string, f *Findings) (k lineKey) {
	for _, o := range options {
		name, value, has := strings.Cut(o, "=")
		name = strings.ToLower(name)
		value = unquote(value)
		switch {
		case slices.Contains(plainOptions, name) && !has:
		case name == "from" && has:
			k.from = readFrom(where, user, value, f)
		case name == "expiry-time" && has:
			t, err := readExpiry(value)
			if err != nil {
				f.add(where, user, "The expiry-time "+value+" cannot be read.", "write it as YYYYMMDD or YYYYMMDDHHMM")
				continue
			}
			k.Expires = &t
		case name == "command" && has:
			flags, is := readSFTP(value)
			if !is {
				f.add(where, user, "The key runs a command, and nothing but SFTP is served here: "+value,
					"see what the command does; a user here sees its own files alone")
				continue
			}
			k.start, k.readOnly = flags.start, flags.readOnly
			flags.list(where, user, f)
		case name == "cert-authority", name == "principals":
			f.add(where, user, "The key is an authority that signs certificates; certificates are not taken here.",
				"enrol the users' own keys")
		default:
			f.add(where, user, "The option "+name+" is not understood.", "remove it if it is not needed")
		}
	}
	return k
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`)
	}
	return s
}

// readFrom reads a list of addresses and networks. Names, patterns and exceptions cannot be kept.
func readFrom(where, user, value string, f *Findings) (out []string) {
	for s := range strings.SplitSeq(value, ",") {
		s = strings.TrimSpace(s)
		p, ok := valid.ParseNetwork(s)
		if !ok {
			f.add(where, user, "from= has "+s+", which is not an address or a network.",
				"write the addresses, such as 203.0.113.0/24")
			continue
		}
		out = append(out, p.String())
	}
	slices.SortFunc(out, func(a, b string) int { return compareNetworks(a, b) })
	return slices.Compact(out)
}

func compareNetworks(a, b string) int {
	x, errX := netip.ParsePrefix(a)
	y, errY := netip.ParsePrefix(b)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	if c := x.Addr().Compare(y.Addr()); c != 0 {
		return c
	}
	return x.Bits() - y.Bits()
}

// readExpiry reads YYYYMMDD[HHMM[SS]], in local time, or in UTC with a Z.
func readExpiry(s string) (time.Time, error) {
	zone := time.Local
	if z, is := strings.CutSuffix(s, "Z"); is {
		s, zone = z, time.UTC
	}
	layout := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}[len(s)]
	return time.ParseInLocation(layout, s, zone)
}

// sftpFlags are the flags of internal-sftp.
type sftpFlags struct {
	start    string
	readOnly bool
	unknown  []string
}

func (x *sftpFlags) list(where, user string, f *Findings) {
	for _, flag := range x.unknown {
		f.add(where, user, "The flag "+flag+" of internal-sftp has no counterpart here.", "see what it restricts")
	}
}

// readSFTP reads the command internal-sftp, or one that runs sftp-server, with its flags. What is logged, and the mask
// of permissions, which are not kept here, are no restriction.
func readSFTP(command string) (out sftpFlags, is bool) {
	words := strings.Fields(command)
	if len(words) == 0 || words[0] != "internal-sftp" && !strings.HasSuffix(words[0], "/sftp-server") {
		return out, false
	}
	for i := 1; i < len(words); i++ {
		flag, value := words[i], ""
		if len(flag) > 2 && flag[0] == '-' && strings.IndexByte("dflupP", flag[1]) >= 0 {
			flag, value = flag[:2], flag[2:]
		} else if len(flag) == 2 && strings.IndexByte("dflupP", flag[1]) >= 0 {
			i++
			value = at(words, i)
		}
		switch flag {
		case "-d":
			out.start = value
		case "-R":
			out.readOnly = true
		case "-f", "-l", "-u", "-e":
		default:
			out.unknown = append(out.unknown, strconv.Quote(strings.TrimSpace(flag+" "+value)))
		}
	}
	return out, true
}
