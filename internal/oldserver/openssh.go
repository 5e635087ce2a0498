package oldserver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// maxText is the largest configuration or key file that is read, in bytes.
const maxText = 16 << 20

// OpenSSH says where an OpenSSH server's files are.
type OpenSSH struct {
	Config string // sshd_config; or a folder with a folder for each user
	Root   string // where a copied system begins; "": /
	Passwd string // below Root; ""; /etc/passwd
	Group  string
	Keys   string   // of a folder of users: a folder with a file of keys for each
	Only   []string // users; none: all
	Homes  bool     // a user without a chroot has its home directory as its root
	Names  Names
}

func publicText(err error) string {
	if e := new(fault.Error); errors.As(err, &e) && e.Public != "" {
		return e.Public
	}
	return fmt.Sprint(fault.InWords(err))
}

// on returns where a path of the old system is on this machine.
func (o *OpenSSH) on(p string) string { return filepath.Join(cmp.Or(o.Root, "/"), p) }

// ReadText reads a text file of bounded size.
func ReadText(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%s is not a regular file", name))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err == nil && len(text) > maxText {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxText>>20)
	}
	return string(text), err
}

// Read makes the plan. An error is a fault of the command line; what the files have is in the plan's findings.
func (o *OpenSSH) Read() (*Plan, error) {
	info, err := os.Stat(o.Config)
	if err != nil {
		return nil, fault.E("oldserver.OpenSSH", fault.NotFound, "%s cannot be read: %v.", o.Config, fault.InWords(err))
	}
	p := &Plan{}
	if info.IsDir() {
		err = o.folders(p)
	} else {
		err = o.config(p)
	}
	if err == nil {
		p.apply(o.Names)
	}
	return p, err
}

func (o *OpenSSH) wanted(name string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, name) }

// people reads who the system knows.
func (o *OpenSSH) people(p *Plan) ([]person, error) {
	var files [2]File
	for i, name := range []string{cmp.Or(o.Passwd, o.on("/etc/passwd")), cmp.Or(o.Group, o.on("/etc/group"))} {
		text, err := ReadText(name)
		if err != nil {
			return nil, fault.E("oldserver.people", fault.NotFound, "%s cannot be read: %v.", name, fault.InWords(err)).
				WithHint("name the files with --passwd and --group")
		}
		files[i] = File{name, text}
	}
	return readPasswd(files[0], files[1], &p.Findings), nil
}

// config reads sshd_config.
func (o *OpenSSH) config(p *Plan) error {
	people, err := o.people(p)
	if err != nil {
		return err
	}
	c := &sshdConfig{f: &p.Findings, glob: o.glob, read: func(name string) (string, error) {
		if name == o.Config {
			return ReadText(name)
		}
		return ReadText(o.on(name))
	}}
	c.parse(o.Config, nil, 0)
	o.server(c, p)
	var others []string
	for _, who := range people {
		if !o.wanted(who.name) {
			continue
		}
		switch u, is := o.user(c, who, p); {
		case is:
			p.Users = append(p.Users, u)
		case who.uid >= 1000 && who.uid < 65000:
			others = append(others, who.name)
		}
	}
	if len(others) > 0 {
		p.note(o.Config, "", "Not moved, because they have neither a chroot nor internal-sftp, or may not log in: "+
			strings.Join(others, ", "))
	}
	return nil
}

// glob finds the files of a pattern on the old system, in order.
func (o *OpenSSH) glob(pattern string) ([]string, error) {
	names, err := filepath.Glob(o.on(pattern))
	for i, name := range names {
		names[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(name, filepath.Clean(cmp.Or(o.Root, "/"))), "/")
	}
	slices.Sort(names)
	return names, err
}

// server reads what concerns the whole server.
func (o *OpenSSH) server(c *sshdConfig, p *Plan) {
	var ports []string
	for _, d := range c.global("port") {
		ports = append(ports, d.args[0])
	}
	if len(ports) == 0 {
		ports = []string{"22"}
	}
	for _, d := range c.global("listenaddress") {
		p.Listen = append(p.Listen, listenOn(d.args[0], ports)...)
	}
	if len(p.Listen) == 0 {
		p.Listen = listenOn("", ports)
	}
	for _, d := range c.global("hostkey") {
		p.HostKeys = append(p.HostKeys, o.on(d.args[0]))
	}
	if len(p.HostKeys) == 0 {
		for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
			if name := o.on("/etc/ssh/ssh_host_" + kind + "_key"); exists(name) {
				p.HostKeys = append(p.HostKeys, name)
			}
		}
	}
	for _, d := range c.global("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "kexalgorithms", "ciphers", "macs",
		"hostkeyalgorithms") {
		for _, name := range strings.Split(strings.TrimLeft(d.args[0], "+^"), ",") {
			if d.args[0][0] != '-' && !strings.Contains(name, "cert-v01") && Legacy(name) {
				p.note(d.where, "", "The old server also takes "+name+", which is refused here. See who needs it (import check).")
			}
		}
	}
	for _, d := range c.list {
		switch d.word {
		case "authorizedkeyscommand", "trustedusercakeys", "authorizedprincipalsfile":
			if len(d.args) > 0 && d.args[0] != "none" {
				p.add(d.where, "", "Keys come from elsewhere, by "+d.word+".", "add the keys of those users by hand, or to a file")
			}
		}
	}
}

func exists(name string) bool { _, err := os.Stat(name); return err == nil }

// listenOn returns listen addresses as our configuration has them.
func listenOn(address string, ports []string) (out []string) {
	host, port := address, ""
	if h, p, ok := strings.Cut(strings.TrimPrefix(address, "["), "]"); ok {
		host, port = h, strings.TrimPrefix(p, ":")
	} else if h, p, ok := strings.Cut(address, ":"); ok && !strings.Contains(p, ":") {
		host, port = h, p
	}
	if port != "" {
		ports = []string{port}
	}
	if host == "0.0.0.0" || host == "::" || host == "*" {
		host = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	for _, p := range ports {
		out = append(out, host+":"+p)
	}
	return slices.Compact(out)
}

// user reads what holds for one user; false if it is not one that is moved.
func (o *OpenSSH) user(c *sshdConfig, who person, p *Plan) (u User, is bool) {
	chroot, force, sub := c.of(who, "chrootdirectory"), c.of(who, "forcecommand"), c.of(who, "subsystem")
	var flags sftpFlags
	if force != nil && force.args[0] != "none" {
		command := strings.Join(force.args, " ")
		var sftp bool
		if flags, sftp = readSFTP(command); !sftp {
			p.add(force.where, who.name, "ForceCommand runs "+command+", and nothing but SFTP is served here.",
				"see what the command does, or leave the user out with --user")
			return u, false
		}
		flags.list(force.where, who.name, &p.Findings)
		is = true
	} else if sub != nil && sub.args[0] == "sftp" {
		flags, _ = readSFTP(strings.Join(sub.args[1:], " "))
	}
	u = User{Old: who.name, May: May{UID: who.uid, GIDs: who.gids, ReadOnly: flags.readOnly}}
	switch {
	case chroot != nil && chroot.args[0] != "none":
		u.Folder = o.on(tokens(chroot.args[0], who))
	case is && o.Homes:
		u.Folder = o.on(who.home)
	case is:
		p.add(cmp.Or(force.where, o.Config), who.name, "The user has no chroot, so it sees the whole machine.",
			"take its home directory as its root with --homes, or leave it out with --user")
	default:
		return u, false
	}
	if !mayLogIn(c, who) {
		return u, false
	}
	o.keysOf(c, who, &u, flags, p)
	return u, true
}

// mayLogIn judges AllowUsers and the like. An address in a pattern is for another moment.
func mayLogIn(c *sshdConfig, who person) bool {
	listed := func(word string, names ...string) (is, any bool) {
		for _, d := range c.list {
			if d.word != word || !d.holds(who) {
				continue
			}
			any = true
			for _, pattern := range d.args {
				pattern, _, _ = strings.Cut(pattern, "@")
				if slices.ContainsFunc(names, func(n string) bool { return matchPattern(n, pattern) }) {
					is = true
				}
			}
		}
		return is, any
	}
	for _, deny := range []struct {
		word  string
		names []string
	}{{"denyusers", []string{who.name}}, {"denygroups", who.groups}} {
		if is, _ := listed(deny.word, deny.names...); is {
			return false
		}
	}
	if is, any := listed("allowusers", who.name); any && !is {
		return false
	}
	is, any := listed("allowgroups", who.groups...)
	return is || !any
}

// tokens replaces %u, %h and the like.
func tokens(s string, who person) string {
	return strings.NewReplacer("%%", "%", "%u", who.name, "%h", who.home, "%U", strconv.Itoa(who.uid)).Replace(s)
}

// keysOf reads a user's keys, and what their options say.
func (o *OpenSSH) keysOf(c *sshdConfig, who person, u *User, flags sftpFlags, p *Plan) {
	patterns := []string{".ssh/authorized_keys", ".ssh/authorized_keys2"}
	if d := c.of(who, "authorizedkeysfile"); d != nil {
		patterns = d.args
	}
	var all keyLines
	for i, pattern := range patterns {
		if pattern == "none" {
			continue
		}
		name := tokens(pattern, who)
		if !path.IsAbs(name) {
			name = path.Join(who.home, name)
		}
		on := o.on(name)
		text, err := ReadText(on)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			p.add(on, who.name, "The file of keys cannot be read: "+publicText(err)+".", "run the command as root")
			continue
		}
		more := readKeys(File{on, text}, who.name, &p.Findings)
		u.leaveOut(path.Dir(on))
		if i > 0 && len(all.keys) > 0 && len(more.keys) > 0 {
			if !slices.Equal(all.from, more.from) || all.start != more.start || all.readOnly != more.readOnly {
				p.add(on, who.name, "The options differ from those of another file of the user's.", "make them equal")
			}
			more.keys = append(all.keys, more.keys...)
		}
		if len(more.keys) > 0 {
			all = more
		}
	}
	u.Keys, u.AllowIPs = all.keys, all.from
	u.May.ReadOnly = u.May.ReadOnly || all.readOnly
	u.StartDir = o.start(u, cmp.Or(tokens(all.start, who), tokens(flags.start, who)), who.home)
	if len(u.Keys) == 0 {
		what := "The user has no key that can be taken over."
		if d := c.of(who, "passwordauthentication"); d == nil || strings.EqualFold(d.args[0], "yes") {
			what += " It logs in with a password."
		}
		p.note(cmp.Or(u.Folder, who.home), who.name, what+" It needs a key before it can log in here.")
	}
}

// leaveOut has the folder of the key files stay behind, if it is one that is called .ssh, below the root.
func (u *User) leaveOut(folder string) {
	rel, err := filepath.Rel(cmp.Or(u.Folder, "/"), folder)
	if err == nil && u.Folder != "" && !strings.HasPrefix(rel, "..") && path.Base(folder) == ".ssh" {
		if p := "/" + filepath.ToSlash(rel); !slices.Contains(u.Without, p) {
			u.Without = append(u.Without, p)
		}
	}
}

// start returns where sessions start: the directory of -d, or the home directory, if it is there under the root.
func (o *OpenSSH) start(u *User, flag, home string) string {
	for _, p := range []string{flag, home} {
		if p == "" || u.Folder == "" {
			continue
		}
		clean := path.Clean("/" + p)
		if info, err := os.Stat(filepath.Join(u.Folder, clean)); err == nil && info.IsDir() {
			return clean
		}
	}
	return "/"
}

// folders reads a folder with a folder for each user.
func (o *OpenSSH) folders(p *Plan) error {
	entries, err := os.ReadDir(o.Config)
	if err != nil {
		return fault.E("oldserver.folders", fault.Invalid, "%s cannot be read: %v.", o.Config, fault.InWords(err))
	}
	var people []person
	if o.Passwd != "" {
		if people, err = o.people(p); err != nil {
			return err
		}
	}
	for _, e := range entries {
		name := e.Name()
		if !o.wanted(name) {
			continue
		}
		if !e.IsDir() {
			p.add(filepath.Join(o.Config, name), "", "It is not a folder of a user.",
				"move it away, or name the users with --user")
			continue
		}
		u := User{Old: name, Folder: filepath.Join(o.Config, name), StartDir: "/", May: May{UID: -1}}
		for _, who := range people {
			if who.name == name {
				u.May.UID, u.May.GIDs = who.uid, who.gids
			}
		}
		on := filepath.Join(u.Folder, ".ssh", "authorized_keys")
		if o.Keys != "" {
			on = filepath.Join(o.Keys, name)
		}
		text, err := ReadText(on)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			p.note(on, name, "The user has no file of keys. It needs a key before it can log in here.")
		case err != nil:
			p.add(on, name, "The file of keys cannot be read: "+publicText(err)+".", "run the command as root")
		default:
			k := readKeys(File{on, text}, name, &p.Findings)
			u.Keys, u.AllowIPs, u.May.ReadOnly = k.keys, k.from, k.readOnly
			u.StartDir = o.start(&u, k.start, "")
			u.leaveOut(filepath.Dir(on))
		}
		p.Users = append(p.Users, u)
	}
	return nil
}
