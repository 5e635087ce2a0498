package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// The user that OpenSSH serves when this runs as root, and where its chroot is
// to be seen: a mount that exists in the server's own namespace only, since no
// directory above a chroot may be writable by others, as that of temporary
// files is.
const (
	opensshUser = "sallyport-bench"
	chroot      = "/mnt"
)

// sshdConfig is the server's configuration but for where things are.
const sshdConfig = `ListenAddress %s
HostKey %s
AuthorizedKeysFile %s
PidFile none
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM %s
UseDNS no
StrictModes no
MaxStartups 4096
MaxSessions 4096
`

// ensureUser makes the user that OpenSSH serves, if there is none. Without
// root the server can only serve who runs it.
func ensureUser(ctx context.Context) (string, error) {
	if os.Getuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return "", err
		}
		return u.Username, nil
	}
	if _, err := user.Lookup(opensshUser); err == nil {
		return opensshUser, nil
	}
	// A password that matches nothing, instead of a locked account, which
	// would not be let in by key either.
	return opensshUser, runQuiet(exec.CommandContext(ctx, "useradd", "--system", "--no-create-home", "--shell", "/bin/sh",
		"--password", "*", opensshUser))
}

// startOpenSSH starts an OpenSSH server with its user's files in dir.
func (b *bench) startOpenSSH(ctx context.Context, dir string) (*server, error) {
	files := filepath.Join(dir, "openssh")
	if err := os.MkdirAll(filepath.Join(files, "upload"), 0o755); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{name: theirs, user: b.opensshUser, port: port, processes: 1}
	pam := "no"
	if os.Getuid() != 0 {
		pam = "yes" // without root, sshd takes an account for locked that it cannot look at
	}
	text := fmt.Sprintf(sshdConfig, s.addr(), b.hostKey, b.key+".pub", pam)
	sshd := []string{b.sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config")}
	if os.Getuid() == 0 {
		text += "Subsystem sftp internal-sftp\nChrootDirectory " + chroot + "\n"
		if err := giveTo(filepath.Join(files, "upload"), b.opensshUser); err != nil {
			return nil, err
		}
		mount := `mount --bind "$0" ` + chroot + ` && exec "$@"`
		sshd = append([]string{"unshare", "--mount", "sh", "-c", mount, files}, sshd...)
	} else {
		text += "Subsystem sftp internal-sftp -d " + files + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(sshd[0], sshd[1:]...)
	if s.process, err = startProcess(cmd, filepath.Join(dir, "sshd.log"), "openssh"); err != nil {
		return nil, err
	}
	s.orphans = "sshd"
	if err := s.waitUp(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// giveTo changes a directory's owner.
func giveTo(dir, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return errors.Join(uidErr, gidErr, os.Chown(dir, uid, gid))
}

// findSSHD finds the server's program, which wants to be started by its full
// name, and its empty directory.
func findSSHD() (string, error) {
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return "", err
		}
	}
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		path := filepath.Join(dir, "sshd")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("OpenSSH's server is not installed; on Debian: apt-get install openssh-server")
}

// opensshVersion is what the client says that it is.
func opensshVersion() string {
	out, err := exec.Command("ssh", "-V").CombinedOutput()
	if err != nil {
		return "unknown"
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), ",")
	return version
}
