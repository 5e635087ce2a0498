package guide

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Programs are the programs that Sites writes files for.
var Programs = []string{"filezilla", "winscp", "openssh", "rclone"}

// WelcomePrograms are the programs whose files everybody is given.
var WelcomePrograms = []string{"filezilla", "winscp", "openssh"}

// Sites returns the files that a program imports. keyDir is the folder of the private key on the
// partner's computer; "" means beside the file.
func (c *Card) Sites(program, keyDir string) ([]model.SiteFile, error) {
	if valid.Printable(keyDir) != keyDir || strings.ContainsAny(keyDir, "\"'`") { // they could add a setting
		return nil, fault.E("guide.Sites", fault.Invalid, "The folder's name has a character that is not allowed.")
	}
	key := func(name string) string {
		if keyDir == "" {
			return name
		}
		sep := "/"
		if strings.Contains(keyDir, `\`) {
			sep = `\`
		}
		return strings.TrimSuffix(keyDir, sep) + sep + name
	}
	switch program {
	case "filezilla":
		text, err := c.filezillaSites(key(c.PPKFile()))
		return []model.SiteFile{{Name: c.site() + ".filezilla.xml", Content: text}}, err
	case "winscp":
		return []model.SiteFile{{Name: c.site() + ".winscp.ini", Content: c.winscpINI(key(c.PPKFile()))}}, nil
	case "openssh":
		return []model.SiteFile{{Name: c.site() + ".ssh_config",
			Content: c.sshConfig(key(c.KeyFile()), key(c.site()+".known_hosts"))},
			{Name: c.site() + ".known_hosts", Content: c.knownHosts()}}, nil
	case "rclone":
		return []model.SiteFile{{Name: c.site() + ".rclone.conf",
			Content: c.rcloneConf(key(c.KeyFile()), key(c.site()+".known_hosts"))},
			{Name: c.site() + ".known_hosts", Content: c.knownHosts()}}, nil
	}
	return nil, fault.E("guide.Sites", fault.Invalid, "There are no site files for %q.", valid.Printable(program)).
		WithHint("choose one of %s", strings.Join(Programs, ", "))
}

// Values of FileZilla's sitemanager.xml: protocol SFTP, key file log-on.
const (
	fzSFTP    = 1
	fzKeyFile = 5
)

type fzServer struct {
	Host      string `xml:"Host"`
	Port      int    `xml:"Port"`
	Protocol  int    `xml:"Protocol"`
	Type      int    `xml:"Type"`
	User      string `xml:"User"`
	Keyfile   string `xml:"Keyfile"`
	Logontype int    `xml:"Logontype"`
	Encoding  string `xml:"EncodingType"`
	Bypass    int    `xml:"BypassProxy"`
	Name      string `xml:"Name"`
	Comments  string `xml:"Comments"`
	RemoteDir string `xml:"RemoteDir"`
}

// filezillaSites writes a file for FileZilla's File, Import… command.
func (c *Card) filezillaSites(keyFile string) (string, error) {
	file := struct {
		XMLName xml.Name   `xml:"FileZilla3"`
		Servers []fzServer `xml:"Servers>Server"`
	}{Servers: []fzServer{{Host: c.Host, Port: c.Port, Protocol: fzSFTP, User: c.User, Keyfile: keyFile,
		Logontype: fzKeyFile, Encoding: "Auto", Name: c.Alias(), Comments: c.comment(),
		RemoteDir: fzPath(c.StartDir)}}}
	text, err := xml.MarshalIndent(file, "", "\t")
	return xml.Header + string(text) + "\n", fault.Wrap("guide.Sites", fault.Internal, err)
}

// comment is the note that FileZilla shows with the site.
func (c *Card) comment() string {
	text := "Server's fingerprint: " + c.hostKey("filezilla").Fingerprint
	if c.Operator.Name != "" {
		text = c.Operator.Name + ", for " + c.partner() + ". " + text
	}
	return text
}

// fzPath writes a path in FileZilla's form: its kind (1 is Unix), the length of a prefix (0), then
// each part preceded by its length.
func fzPath(path string) string {
	out := "1 0"
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part != "" {
			out += fmt.Sprintf(" %d %s", len([]rune(part)), part)
		}
	}
	return out
}

// winscpINI writes an INI file with one session, for WinSCP's import. Values are escaped as in a
// URL.
func (c *Card) winscpINI(keyFile string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Sessions\\%s]\r\n", winEscape(c.Alias()))
	for _, kv := range [][2]string{{"HostName", c.Host}, {"PortNumber", fmt.Sprint(c.Port)}, {"UserName", c.User},
		{"FSProtocol", "2"}, {"PublicKeyFile", keyFile}, {"RemoteDirectory", c.StartDir}, {"UpdateDirectories", "0"}} {
		fmt.Fprintf(&b, "%s=%s\r\n", kv[0], winEscape(kv[1]))
	}
	return b.String()
}

// winEscape escapes a value. WinSCP reads it as UTF-8 only after a byte order mark.
func winEscape(s string) string {
	mark := ""
	if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		mark = "%EF%BB%BF"
	}
	return mark + strings.NewReplacer("+", "%20", "%2F", "/", "%3A", ":").Replace(url.QueryEscape(s))
}

// sshConfig writes an ssh_config that asks no questions and offers one key.
func (c *Card) sshConfig(keyFile, knownHosts string) string {
	return fmt.Sprintf(`# Use with: sftp -F %[1]s.ssh_config %[2]s
Host %[2]s
  HostName %[3]s
  Port %[4]d
  User %[7]s
  IdentityFile %[5]s
  IdentitiesOnly yes
  UserKnownHostsFile %[6]s
  StrictHostKeyChecking yes
  PreferredAuthentications publickey
`, c.site(), c.Alias(), c.Host, c.Port, sshQuote(keyFile), sshQuote(knownHosts), sshQuote(c.User))
}

// sshQuote quotes a path for ssh_config, where % begins a token.
func sshQuote(s string) string {
	s = strings.ReplaceAll(s, "%", "%%")
	if strings.ContainsAny(s, " \t\\") {
		return `"` + strings.ReplaceAll(s, `\`, "/") + `"`
	}
	return s
}

func (c *Card) knownHosts() string {
	var b strings.Builder
	for _, k := range slices.Concat(c.HostKeys, c.Coming) {
		fmt.Fprintf(&b, "%s %s\n", c.KnownHost(), k.Public)
	}
	return b.String()
}

// rcloneConf writes a remote for rclone.
func (c *Card) rcloneConf(keyFile, knownHosts string) string {
	return fmt.Sprintf(`# Use with: rclone --config %[1]s.rclone.conf ls %[2]s:
[%[2]s]
type = sftp
host = %[3]s
port = %[4]d
user = %[7]s
key_file = %[5]s
known_hosts_file = %[6]s
shell_type = none
md5sum_command = none
sha1sum_command = none
`, c.site(), c.Alias(), c.Host, c.Port, keyFile, knownHosts, c.User)
}
