package oldserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// write lays files below a folder.
func write(t *testing.T, top string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(top, name)
		testkit.Must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		testkit.Must(t, os.WriteFile(p, []byte(text), 0o644))
	}
}

// said are the findings, one a line.
func said(p *Plan) string {
	var out []string
	for _, f := range p.List {
		out = append(out, fmt.Sprintf("%s %s %s", f.Where, f.User, f.What))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

const people = "root:x:0:0::/root:/bin/sh\na:x:1001:1001::/home/a:/bin/false\nb:x:1002:1002::/home/b:/bin/false\n" +
	"c:x:1003:1003::/home/c:/bin/bash\nd:x:1004:1004::/:/bin/false\nbroken\n"

func TestAConfigurationOfOpenSSH(t *testing.T) {
	top := t.TempDir()
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(testkit.NewKey(t).PublicKey())))
	write(t, top, map[string]string{
		"etc/passwd": people, "etc/group": "sftp:x:2000:a,b\nc:x:1003:\n",
		"etc/ssh/sshd_config": "Port 22\nPort=2222\nInclude sshd_config.d/*.conf\nDenyUsers d\nMatch Group sftp\n" +
			"\tChrootDirectory \"/srv/%u\"\n\tForceCommand internal-sftp -d /in -l INFO -u 0077\n" +
			"Match User b\n\tForceCommand internal-sftp -R\n" +
			"Match Address 10.0.0.0/8\n  PasswordAuthentication yes\nMatch User d\n ChrootDirectory %h\n",
		"etc/ssh/sshd_config.d/1.conf": "AuthorizedKeysFile /etc/keys/%u\nKexAlgorithms +diffie-hellman-group14-sha1\n",
		"etc/ssh/ssh_host_rsa_key":     "", "srv/a/in/x": "1", "srv/b/in/x": "2",
		"etc/keys/a": "# mine\n" + line + " jo@host\n",
		"etc/keys/b": "from=\"192.0.2.7,*.example.com\" " + line + "\n" + `command="/bin/date" ` + line +
			"\ncert-authority " + line +
			"\nssh-dss AAAAB3NzaC1kc3MAAAAB\n-----BEGIN OPENSSH PRIVATE KEY-----\n",
	})
	o := OpenSSH{Config: filepath.Join(top, "etc/ssh/sshd_config"), Root: top}
	p, err := o.Read()
	testkit.Must(t, err)
	if len(p.Users) != 2 || p.Users[0].Folder != filepath.Join(top, "srv/a") || p.Users[0].StartDir != "/in" ||
		len(p.Users[0].Keys) != 1 || len(p.Users[1].Keys) != 0 {
		t.Errorf("%+v", p.Users)
	}
	got := strings.Join(p.Listen, " ") + " " + strings.Join(p.HostKeys, " ")
	if got != ":22 :2222 "+top+"/etc/ssh/ssh_host_rsa_key" {
		t.Error(got)
	}
	got = strings.ReplaceAll(said(p), top, "")
	for _, want := range []string{"/etc/keys/b:1 b from= has *.example.com", "/etc/keys/b:2 b The key runs a command",
		"/etc/keys/b:3 b The key is an authority", "/etc/keys/b:4 b The line is broken",
		"/etc/keys/b:5 b This is a part of a private",
		"/etc/passwd:6  The line is not", "sshd_config:10  The block depends on address", "diffie-hellman-group14-sha1",
		"or may not log in: c, d", "srv/b b The user has no key"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
}

// The first setting that holds counts, as OpenSSH has it.
func TestTheFirstSettingCounts(t *testing.T) {
	c := &sshdConfig{f: &Findings{}, read: func(string) (string, error) {
		return "Match User a*,!ab\nForceCommand internal-sftp -R\nMatch All\nForceCommand internal-sftp\n", nil
	}}
	c.parse("x", nil, 0)
	for name, want := range map[string]string{"a": "internal-sftp -R", "ab": "internal-sftp", "b": "internal-sftp"} {
		if got := strings.Join(c.of(person{name: name}, "forcecommand").args, " "); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestNamesThatAreRefusedHaveProposals(t *testing.T) {
	p := &Plan{Users: []User{{Old: "root"}, {Old: "ümlaut"}, {Old: "Jo"}, {Old: "jo"}, {Old: "ok"}, {Old: "svc"}}}
	p.apply(Names{Accounts: map[string]string{"ok": "acme"}, Services: map[string][]string{"svc": nil}})
	got := said(p)
	for _, want := range []string{"user root", "user ümlaut", "differ in capitals", "--service svc"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	if proposal("ümlaut") != "mlaut" || proposal("root") != "sftp-root" || strings.Contains(got, "user ok") {
		t.Error(proposal("ümlaut"), proposal("root"))
	}
}

// A folder that its owner replaces with a symlink while root walks is left by no way.
func TestAWalkLeavesItsFolderByNoWay(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{"out/secret": "s", "in/d/x": "1"})
	testkit.Must(t, os.RemoveAll(filepath.Join(top, "in/d")))
	testkit.Must(t, os.Symlink("../out", filepath.Join(top, "in/d")))
	var f Findings
	tree, err := Walk(&User{Folder: filepath.Join(top, "in"), May: May{UID: -1}}, &f)
	testkit.Must(t, err)
	if len(tree.Files) > 0 || f.Stops() != 1 {
		t.Errorf("%+v %+v", tree, f)
	}
	s, err := os.OpenRoot(filepath.Join(top, "in"))
	testkit.Must(t, err)
	if _, err := s.Open("d/secret"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Error("it was opened: ", err)
	}
}

// A file of somebody else with an access control list may be closed to the user, whatever its mode says.
func TestAFileWithAnAccessControlList(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{"listed": "l", "plain": "p"})
	var list []byte
	for _, e := range []struct {
		tag, may uint16
		id       uint32
	}{{0x01, 6, math.MaxUint32}, {0x02, 0, 4711}, {0x04, 4, math.MaxUint32}, {0x10, 4, math.MaxUint32},
		{0x20, 4, math.MaxUint32}} { // owner, user 4711, group, mask, others
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.may)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	list = append(binary.LittleEndian.AppendUint32(nil, 2), list...) // the form of <linux/posix_acl_xattr.h>
	testkit.Must(t, unix.Lsetxattr(filepath.Join(top, "listed"), "system.posix_acl_access", list, 0))
	for uid, want := range map[int]int{os.Getuid(): 2, os.Getuid() + 4711: 1} {
		var f Findings
		tree, err := Walk(&User{Folder: top, May: May{UID: uid}}, &f)
		testkit.Must(t, err)
		if len(tree.Files) != want || f.Stops() != 2-want {
			t.Errorf("for the user %d: %+v, %+v", uid, tree.Files, f)
		}
	}
}

func FuzzSSHDConfig(f *testing.F) {
	f.Add("Match User a,!b\nForceCommand internal-sftp -d /x\nInclude /etc/*\nPort=22\n")
	f.Fuzz(func(_ *testing.T, text string) {
		c := &sshdConfig{f: &Findings{}, read: func(string) (string, error) { return text, nil },
			glob: func(p string) ([]string, error) { return []string{p}, nil }}
		c.parse("x", nil, 0)
		c.of(person{name: "a", groups: []string{"g"}}, "forcecommand")
	})
}

func FuzzKeyLines(f *testing.F) {
	f.Add(`from="192.0.2.1",expiry-time="20300101",command="internal-sftp -d /" ssh-ed25519 AAAA x`)
	f.Fuzz(func(_ *testing.T, text string) {
		var found Findings
		readKeys(File{"keys", text}, "u", &found)
		readPasswd(File{"passwd", text}, File{"group", text}, &found)
	})
}

func FuzzSFTPGo(f *testing.F) {
	f.Add(`{"users": [{"username": "a", "permissions": {"/": ["*"]}, "groups": [{"name": "g", "type": 1}]}],
		"groups": [{"name": "g", "user_settings": {"home_dir": "/%username%"}}], "version": 16}`)
	f.Fuzz(func(_ *testing.T, text string) {
		o := SFTPGo{Dump: "dump"}
		if p, err := o.parse([]byte(text)); err == nil {
			p.apply(Names{})
		}
	})
}
