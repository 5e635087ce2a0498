//go:build linux

// Package sandbox confines this process, with Linux's Landlock, to the files that a server needs: whoever gets the
// process to do what it should not reaches nothing else. It holds for every thread, for good, and for
// programs that the
// process would start. Ports are not confined: Landlock knows those of TCP, and whoever uses MPTCP, as
// Go's listeners do,
// is not held by it.
package sandbox

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// The values of the setting "sandbox".
const (
	Off     = "off"
	On      = "on"      // as far as the kernel can
	Require = "require" // the server does not start without
)

// Grants is what the process may reach.
type Grants struct {
	Write []string // folders
	Read  []string // files and folders
}

// system is what the system's libraries read: names of hosts, users and groups, certificates, time
// zones, the memory
// that the process may use. /etc is granted whole, since programs replace single files of it.
var system = []string{"/etc", "/usr/share/zoneinfo", "/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/usr/lib/ssl", "/run/systemd/resolve", "/run/resolvconf", "/proc", "/sys/fs/cgroup", "/dev/urandom"}

// For returns what a server with a configuration needs. file is the configuration's; it may be "".
func For(c config.Config, file string) Grants {
	g := Grants{Write: []string{c.Data, c.FolderDir(), os.TempDir(), "/var/tmp"}}
	if c.Socket.Group != "" {
		g.Write = append(g.Write, filepath.Dir(c.SocketPath()))
	}
	for _, to := range c.Audit.Checkpoints {
		if path, ok := strings.CutPrefix(to, "file:"); ok {
			g.Write = append(g.Write, path)
		}
	}
	files := []string{file, c.Web.TLSCert, c.Web.TLSKey, c.Web.ACME.CA, c.Mail.CA, c.Traces.CA, c.Operator.Logo}
	if u, err := url.Parse(c.Database.URL); err == nil {
		for _, name := range []string{"sslrootcert", "sslcert", "sslkey", "passfile"} {
			files = append(files, u.Query().Get(name))
		}
	}
	for _, f := range files {
		if f == "" {
			continue
		}
		// The folder, since a new file takes the old one's place; and where links lead, such as those of certificates.
		g.Read = append(g.Read, filepath.Dir(f))
		if real, err := filepath.EvalSymlinks(f); err == nil {
			g.Read = append(g.Read, filepath.Dir(real))
		}
	}
	if c.Mail.Templates != "" {
		g.Read = append(g.Read, c.Mail.Templates)
	}
	g.Read = append(g.Read, system...)
	return g
}

// Enter confines the process, as mode says, and tries to get out. It returns in words how that ended. It returns an
// error if mode is Require and the sandbox does not hold, or if it holds in part.
func Enter(mode string, g Grants) (words string, err error) {
	const op = "sandbox.Enter"
	if mode == Off {
		return "off: the configuration says so", nil
	}
	abi, err := ll.LandlockGetABIVersion()
	if err != nil || abi < 1 {
		if mode == Require {
			return "", fault.E(op, fault.Unsupported,
				"The kernel of this machine has no Landlock, and sandbox is \"require\".").
				WithHint("Landlock is in Linux 5.13 and later, if it is switched on; or set sandbox: on, which does without")
		}
		return "off: the kernel of this machine has no Landlock", nil
	}
	if err := restrict(g); err != nil {
		if mode == Require {
			return "", fault.E(op, fault.Unsupported, "The sandbox cannot be entered: %s.", fault.InWords(err))
		}
		return "off: the kernel refused it (" + fault.InWords(err) + ")", nil
	}
	if way := leave(); way != "" {
		return "", fault.E(op, fault.Internal, "The sandbox does not hold: %s.", way).
			WithHint("start with sandbox: off, and report this")
	}
	return "on: only the server's own files can be reached (Landlock " + strconv.Itoa(abi) + ")", nil
}

func restrict(g Grants) error {
	var folders, files []string
	for _, path := range g.Read {
		switch info, err := os.Stat(path); {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		case err != nil:
			return err
		case info.IsDir():
			folders = append(folders, path)
		default:
			files = append(files, path)
		}
	}
	rules := []landlock.Rule{
		landlock.PathAccess(ll.AccessFSReadFile|ll.AccessFSReadDir, folders...).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile, files...).IgnoreIfMissing(),
		landlock.RWFiles("/dev/null").IgnoreIfMissing(),
		// Stored bytes are linked from one folder of the data folder to another.
		landlock.RWDirs(g.Write...).WithRefer().IgnoreIfMissing(),
	}
	return landlock.V5.BestEffort().RestrictPaths(rules...)
}

// leave tries to do what the sandbox forbids, and returns what could be done; "" if nothing could.
func leave() string {
	if _, err := os.ReadDir("/"); err == nil {
		return "the machine's root folder can be read"
	}
	f, err := os.OpenFile("/proc/self/comm", os.O_WRONLY, 0) // a process may always write this file of its own
	if err == nil {
		_ = f.Close()
		return "a file outside of the granted folders can be written"
	}
	return ""
}
