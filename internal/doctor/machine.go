package doctor

import (
	"bufio"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

const (
	others       fs.FileMode = 0o077
	fewFiles                 = 16_384 // a server's limit on open files, below which many sessions do not fit
	shortQueue               = 1024   // connections that wait to be accepted
	fewInodes                = 20_000
	slowSync                 = 50 * time.Millisecond
	stuckSync                = time.Second
	syncs                    = 9
	mostClockOff             = 2 * time.Second
)

// configuration looks whether others can read a configuration with secrets.
func (p *patient) configuration() {
	if p.File == "" {
		p.say("configuration", Odd,
			"sallyport config init --out /etc/sallyport.yaml writes one, with every setting's meaning",
			"There is no configuration file: all settings are defaults, or come from the environment.")
		return
	}
	info, err := os.Stat(p.File)
	if err != nil {
		p.fails("configuration", err, "name it with --config")
		return
	}
	c := &p.Config
	secrets := c.Mail.Password != "" || strings.Contains(c.Database.URL, ":") || c.SignIn.SSO.ClientSecret != ""
	if info.Mode()&0o007 != 0 && secrets {
		p.say("configuration", Broken, "chmod o= "+p.File,
			"%s has a password, and everybody on this machine can read it (%s).", p.File, info.Mode())
		return
	}
	p.well("configuration", "%s is valid.", p.File)
}

// folder looks whether others can enter the data folder, or read its secrets.
func (p *patient) folder() {
	top := p.Config.Data
	info, err := os.Stat(top)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.say("data folder", Broken, "start the server once: sallyport serve; or name the folder with --data or data",
			"There is no folder %s.", top)
		return
	case err != nil:
		p.fails("data folder", err, "run this as root, or as the server's own user")
		return
	}
	var open []string
	if info.Mode()&others != 0 {
		open = append(open, top)
	}
	owner := uint32(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = st.Uid
	}
	foreign := ""
	for _, dir := range []string{"", "hostkeys", "hostkeys.coming", "signing", "acme"} {
		entries, err := os.ReadDir(filepath.Join(top, dir))
		if err != nil {
			continue
		}
		for _, e := range entries {
			i, err := e.Info()
			if err != nil || i.Mode()&(fs.ModeSocket|fs.ModeSymlink) != 0 || strings.HasSuffix(e.Name(), ".pub") {
				continue
			}
			path := filepath.Join(top, dir, e.Name())
			secret := dir != "" || strings.HasPrefix(e.Name(), "sallyport.db") || e.Name() == "secrets.key"
			if i.Mode()&others != 0 && secret {
				open = append(open, path)
			}
			if st, ok := i.Sys().(*syscall.Stat_t); ok && st.Uid != owner {
				foreign = path
			}
		}
	}
	if len(open) > 0 {
		p.say("data folder", Broken, "chmod -R go= "+top+"; then rotate webhooks' secrets, since somebody may have read them",
			"Others on this machine can read secrets: %s.", strings.Join(open[:min(len(open), 3)], ", "))
		return
	}
	if foreign != "" {
		p.say("data folder", Broken, "chown -R --reference="+top+" "+top,
			"%s belongs to another user than the folder, so the server may not be able to use it.", foreign)
		return
	}
	p.well("data folder", "%s is closed to others.", top)
}

// clock looks whether the clock is kept right, and agrees with the database's.
func (p *patient) clock() {
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	if p.Store != nil {
		before := time.Now()
		if at, dbErr := p.Store.Clock(p.ctx); dbErr == nil && !at.IsZero() {
			if off := at.Sub(before.Add(time.Since(before) / 2)).Abs(); off > mostClockOff {
				p.say("clock", Broken, "synchronize both machines with NTP",
					"This machine's clock and the database's differ by %s: bans, links and leases end at the wrong time.",
					off.Round(time.Second))
				return
			}
		}
	}
	switch {
	case err != nil:
		p.say("clock", Skipped, "", "The kernel does not say whether the clock is synchronized: %s", fault.InWords(err))
	case t.Status&unix.STA_UNSYNC != 0:
		p.say("clock", Odd, "run an NTP client: apt install systemd-timesyncd",
			"The kernel's clock is not synchronized. Records, links and one-time codes need the right time.")
	default:
		p.well("clock", "The clock is synchronized.")
	}
}

// disk looks at free space and inodes.
func (p *patient) disk() {
	var st unix.Statfs_t
	if err := unix.Statfs(p.Config.Data, &st); err != nil {
		p.fails("disk", err, "see data folder")
		return
	}
	free, floor := int64(st.Bavail)*st.Bsize, int64(p.Config.Storage.FreeFloor) //nolint:gosec // bytes of a real disk
	const fix = "add space; what goes next: sallyport retention forecast"
	switch {
	case free < floor:
		p.say("disk", Broken, fix, "%s are free. Uploads are refused, because they must leave %s free.", valid.Size(free),
			valid.Size(floor))
	case st.Files > 0 && st.Ffree < fewInodes:
		p.say("disk", Broken, "make a file system with more inodes, or remove small files",
			"%d inodes are left: each stored file needs one.", st.Ffree)
	case free < 2*floor:
		p.say("disk", Odd, fix, "%s are free. Uploads are refused once it is less than %s.", valid.Size(free),
			valid.Size(floor))
	default:
		p.well("disk", "%s are free.", valid.Size(free))
	}
}

// latency measures how long the disk takes to sync a small file. Each upload waits for that.
func (p *patient) latency() {
	f, err := os.CreateTemp(p.Config.Data, ".doctor-*")
	if err != nil {
		p.say("disk latency", Skipped, "", "No file can be written into %s: %s", p.Config.Data, fault.InWords(err))
		return
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }()
	var took []time.Duration
	for range syncs {
		began := time.Now()
		_, err := f.WriteAt(make([]byte, 4096), 0)
		if err = errors.Join(err, f.Sync()); err != nil {
			p.say("disk latency", Broken, "look at the kernel's log: dmesg", "The disk cannot be written: %s",
				fault.InWords(err))
			return
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	median := took[len(took)/2]
	text := "A small write takes " + median.Round(10*time.Microsecond).String() + " until it is safe (median of " +
		strconv.Itoa(syncs) + ")."
	switch {
	case median > stuckSync:
		p.say("disk latency", Broken, "look for a failing or overloaded disk", "%s Uploads wait for that.", text)
	case median > slowSync:
		p.say("disk latency", Odd, "use an SSD, or a disk with a safe write cache", "%s Uploads wait for that.", text)
	default:
		p.well("disk latency", "%s", text)
	}
}

// encryption looks whether the disk of the data folder is encrypted by the kernel.
func (p *patient) encryption() {
	var st unix.Stat_t
	if err := unix.Stat(p.Config.Data, &st); err != nil {
		p.fails("disk encryption", err, "see data folder")
		return
	}
	device := "/sys/dev/block/" + strconv.Itoa(int(unix.Major(st.Dev))) + ":" + strconv.Itoa(int(unix.Minor(st.Dev)))
	if _, err := os.Stat(device); err != nil {
		p.say("disk encryption", Skipped, "", "The file system has no block device of its own, so nothing can be said.")
		return
	}
	if encrypted(device, 0) {
		p.well("disk encryption", "The disk is encrypted (dm-crypt).")
		return
	}
	p.say("disk encryption", Odd,
		"put the data folder on LUKS, or encrypt the machine's disks below it; ignore this if they are",
		"The kernel does not encrypt the disk of the data folder.")
}

// encrypted reports whether a device, or one below it, is dm-crypt's.
func encrypted(device string, depth int) bool {
	uuid, err := os.ReadFile(filepath.Join(device, "dm", "uuid"))
	if err == nil && strings.HasPrefix(string(uuid), "CRYPT-") {
		return true
	}
	below, err := os.ReadDir(filepath.Join(device, "slaves"))
	if err != nil || depth > 8 {
		return false
	}
	for _, b := range below {
		if encrypted(filepath.Join("/sys/class/block", b.Name()), depth+1) {
			return true
		}
	}
	return false
}

// pid returns the process that serves the data folder's socket; 0 if none does.
func (p *patient) pid() (int, error) {
	c, err := net.DialTimeout("unix", filepath.Join(p.Config.Data, "sallyport.sock"), time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var sockErr error
	err = raw.Control(func(fd uintptr) {
		peer, sockErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, sockErr); err != nil {
		return 0, err
	}
	return int(peer.Pid), nil
}

// server looks whether the server runs.
func (p *patient) server() {
	if _, err := p.pid(); err != nil {
		p.say("server", Odd, "start it: sallyport serve; its log says why it stopped",
			"No server answers on the socket of %s.", p.Config.Data)
		return
	}
	p.well("server", "A server answers.")
}

// limits looks at the server's limit on open files, and at the kernel's queue of new connections.
func (p *patient) limits() {
	if pid, err := p.pid(); err == nil {
		if n := openFiles("/proc/" + strconv.Itoa(pid) + "/limits"); n > 0 && n < fewFiles {
			p.say("open files", Odd, "LimitNOFILE=65536 in the unit, or ulimit -n 65536",
				"The server may open %d files at a time; with many sessions, connections are refused.", n)
		} else if n > 0 {
			p.well("open files", "The server may open %d files at a time.", n)
		}
	}
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil && n < shortQueue {
		p.say("connection queue", Odd, "sysctl -w net.core.somaxconn=4096",
			"The kernel keeps %d new connections waiting, so a burst of log-ins is refused.", n)
	}
}

// openFiles reads the limit on open files from /proc/PID/limits; 0 if it cannot.
func openFiles(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "Max open files"); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				n, _ := strconv.Atoi(fields[0])
				return n
			}
		}
	}
	return 0
}
