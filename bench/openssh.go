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

// opensshUser is the user that OpenSSH serves when this runs as root. chroot is where that user's
// chroot is mounted, in the server's mount namespace only. It cannot be in the folder for temporary
// files, because no directory above a chroot may be writable by others.
const (
	opensshUser = "sallyport-bench"
	chroot      = "/mnt"
)

// sshdConfig is the server's configuration, without its paths.
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

// ensureUser makes the user that OpenSSH serves, unless it exists. Without root, the server can
// only serve the current user.
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
	// The password * matches nothing. A locked account would also be refused with a key.
	return opensshUser, runQuiet(exec.CommandContext(ctx, "useradd", "--system", "--no-create-home", "--shell", "/bin/sh",
		"--password", "*", opensshUser))
}

// startOpenSSH starts an OpenSSH server with the files of its user in dir.
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
		pam = "yes" // without root, sshd cannot see whether an account is locked, and assumes so
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

// findSSHD returns the path of sshd, which must be started by its full path. As root it also makes
// sshd's empty directory.
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

// opensshVersion returns the version of the OpenSSH client.
func opensshVersion() string {
	out, err := exec.Command("ssh", "-V").CombinedOutput()
	if err != nil {
		return "unknown"
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), ",")
	return version
}
