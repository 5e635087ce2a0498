package guide_test

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// site returns a program's files, by name.
func site(t testing.TB, c guide.Card, program, keyDir string) map[string]string {
	t.Helper()
	files, err := c.Sites(program, keyDir)
	must(t, err)
	out := map[string]string{}
	for _, f := range files {
		if f.Content == "" || strings.ContainsAny(f.Name, "/\\ ") {
			t.Errorf("%s has %d bytes", f.Name, len(f.Content))
		}
		out[f.Name] = f.Content
	}
	return out
}

// odd are directories with characters that are special in some format.
var odd = []string{"/", "/reports", "/reports 2026", `/a "b" 'c'`, "/a&b<c>", "/ünï/李", "/a=b;c#d", "/100%",
	`/back\slash`, "/a+b", "/[x]"}

func TestFileZillaReadsBackWhatWasWritten(t *testing.T) {
	for _, dir := range odd {
		c := card()
		c.StartDir = dir
		var file struct {
			XMLName xml.Name `xml:"FileZilla3"`
			Servers []struct {
				Host, User, Keyfile, Name, Comments, RemoteDir string
				Port, Protocol, Logontype                      int
			} `xml:"Servers>Server"`
		}
		must(t, xml.Unmarshal([]byte(site(t, c, "filezilla", `C:\keys & more`)["acme.filezilla.xml"]), &file))
		s := file.Servers[0]
		if len(file.Servers) != 1 || s.Host != "sftp.example.com" || s.Port != 3333 || s.Protocol != 1 || s.Logontype != 5 ||
			s.User != "acme" || s.Keyfile != `C:\keys & more\sftp-key.ppk` {
			t.Errorf("%s: %+v", dir, s)
		}
		if got := readFZPath(t, s.RemoteDir); got != dir {
			t.Errorf("%s reads back as %s", dir, got)
		}
		if !strings.Contains(s.Comments, "SHA256:ed+BBBB") {
			t.Errorf("the fingerprint is not in %q", s.Comments)
		}
	}
}

// readFZPath parses a path as FileZilla does: its kind, the length of a prefix, then each part
// preceded by its length.
func readFZPath(t testing.TB, s string) string {
	t.Helper()
	rest, ok := strings.CutPrefix(s, "1 0")
	if !ok {
		t.Fatalf("%q is no Unix path", s)
	}
	path := ""
	for rest != "" {
		n, text := 0, rest[1:]
		for len(text) > 0 && text[0] >= '0' && text[0] <= '9' {
			n, text = 10*n+int(text[0]-'0'), text[1:]
		}
		runes := []rune(text[1:])
		path, rest = path+"/"+string(runes[:n]), string(runes[n:])
	}
	if path == "" {
		return "/"
	}
	return path
}

func TestWinSCPReadsBackWhatWasWritten(t *testing.T) {
	for _, dir := range odd {
		c := card()
		c.StartDir = dir
		text := site(t, c, "winscp", `C:\my keys`)["acme.winscp.ini"]
		got := map[string]string{}
		for i, line := range strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n") {
			if i == 0 {
				if line != `[Sessions\acme-sftp]` {
					t.Errorf("it begins with %s", line)
				}
				continue
			}
			name, value, _ := strings.Cut(line, "=")
			if strings.ContainsAny(value, "+ \\\"'[]<>;#") {
				t.Errorf("%s is not escaped: %s", name, value)
			}
			read, err := url.PathUnescape(value)
			must(t, err)
			got[name] = strings.TrimPrefix(read, "\xef\xbb\xbf") // the byte order mark that WinSCP needs
			if strings.HasPrefix(read, "\xef\xbb\xbf") == isASCII(read) {
				t.Errorf("%s: the mark of UTF-8 is wrong in %s", name, value)
			}
		}
		for name, want := range map[string]string{"HostName": "sftp.example.com", "PortNumber": "3333", "UserName": "acme",
			"FSProtocol": "2", "PublicKeyFile": `C:\my keys\sftp-key.ppk`, "RemoteDirectory": dir} {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q", dir, name, got[name], want)
			}
		}
	}
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0 }

// keyDirs are folders on partners' computers, with the path of a key file as OpenSSH should see it.
var keyDirs = []struct{ dir, key string }{
	{"", "acme"}, {"/home/jo/.ssh", "/home/jo/.ssh/acme"}, {"/home/jo/.ssh/", "/home/jo/.ssh/acme"},
	{"/home/jo/my keys", "/home/jo/my keys/acme"},
	{`C:\Users\jo\.ssh`, "C:/Users/jo/.ssh/acme"}, {`C:\Users\Jo Hill\keys\`, "C:/Users/Jo Hill/keys/acme"},
	{"C:/Users/Jo Hill", "C:/Users/Jo Hill/acme"},
	{"/home/jo/100% mine", "/home/jo/100% mine/acme"}, {"/home/jo/50%", "/home/jo/50%/acme"},
	{"/home/jo/#1", "/home/jo/#1/acme"}, {"/home/ünï/李", "/home/ünï/李/acme"},
	{"/home/jo/a=b", "/home/jo/a=b/acme"},
}

// TestOpenSSHTakesTheFile checks how the real client reads the file.
func TestOpenSSHTakesTheFile(t *testing.T) {
	testkit.Needs(t, "ssh")
	for _, k := range keyDirs {
		c := card()
		file := filepath.Join(t.TempDir(), "c")
		must(t, os.WriteFile(file, []byte(site(t, c, "openssh", k.dir)["acme.ssh_config"]), 0o600))
		out, err := exec.Command("ssh", "-G", "-F", file, c.Alias()).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", k.dir, err, out)
			continue
		}
		for _, want := range []string{"hostname sftp.example.com", "port 3333", "user acme", "identitiesonly yes",
			"stricthostkeychecking true", "identityfile " + strings.TrimSuffix(k.key, "acme") + "sftp-key",
			"userknownhostsfile " + k.key + ".known_hosts"} {
			// for some settings ssh prints the unexpanded %%
			if !strings.Contains("\n"+strings.ReplaceAll(string(out), "%%", "%"), "\n"+want+"\n") {
				t.Errorf("%q: ssh does not see %q in\n%s", k.dir, want,
					lines(string(out), "identityfile", "userknownhostsfile", "hostname", "user "))
			}
		}
	}
}

// lines picks the lines that begin with a word.
func lines(text string, words ...string) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		for _, w := range words {
			if strings.HasPrefix(line, w) {
				out = append(out, line)
			}
		}
	}
	return strings.Join(out, "\n")
}

// TestKnownHostsNamesTheServer checks with ssh-keygen that the server is in the file.
func TestKnownHostsNamesTheServer(t *testing.T) {
	testkit.Needs(t, "ssh-keygen")
	key := testkit.NewKey(t).PublicKey()
	for _, port := range []int{22, 3333} {
		c := card()
		c.Port, c.HostKeys = port,
			[]model.HostKey{{Type: key.Type(), Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
				Fingerprint: ssh.FingerprintSHA256(key)}}
		file := filepath.Join(t.TempDir(), "known_hosts")
		must(t, os.WriteFile(file, []byte(site(t, c, "openssh", "")["acme.known_hosts"]), 0o600))
		out, err := exec.Command("ssh-keygen", "-l", "-F", c.KnownHost(), "-f", file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.HostKeys[0].Fingerprint) {
			t.Errorf("port %d: %v\n%s", port, err, out)
		}
	}
}

// TestRcloneTakesTheFile checks how the real client reads the file.
func TestRcloneTakesTheFile(t *testing.T) {
	testkit.Needs(t, "rclone")
	for _, k := range keyDirs {
		c := card()
		file := filepath.Join(t.TempDir(), "c")
		must(t, os.WriteFile(file, []byte(site(t, c, "rclone", k.dir)["acme.rclone.conf"]), 0o600))
		out, err := exec.Command("rclone", "--config", file, "config", "dump").Output()
		if err != nil {
			t.Errorf("%q: %v\n%s", k.dir, err, out)
			continue
		}
		var got map[string]map[string]string
		must(t, json.Unmarshal(out, &got))
		sep := "/"
		if strings.Contains(k.dir, `\`) {
			sep = `\`
		}
		key := "acme"
		if k.dir != "" {
			key = strings.TrimSuffix(k.dir, sep) + sep + "acme"
		}
		r := got["acme-sftp"]
		if r["type"] != "sftp" || r["host"] != "sftp.example.com" || r["port"] != "3333" || r["user"] != "acme" ||
			r["key_file"] != strings.TrimSuffix(key, "acme")+"sftp-key" || r["known_hosts_file"] != key+".known_hosts" {
			t.Errorf("%q: rclone sees %v", k.dir, r)
		}
	}
}

func TestSitesThatAreRefused(t *testing.T) {
	c := card()
	for program, dir := range map[string]string{"cyberduck": "", "": "", "openssh": "/home/x\n  ProxyCommand touch /tmp/x",
		"rclone": "/home/x\n[other]", "winscp": "C:\\x\r\nHostName=evil", "filezilla": "\x1b"} {
		if _, err := c.Sites(program, dir); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s in %q: %v", program, dir, err)
		}
	}
	for _, program := range guide.Programs {
		if _, err := c.Sites(program, ""); err != nil {
			t.Errorf("%s: %v", program, err)
		}
	}
}
