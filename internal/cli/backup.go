//go:build linux

package cli

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/node"
)

// backupRate is how many bytes a second a backup reads unless it is told: transfers go on beside it.
const backupRate = "50MB"

// niceness is the priority of a backup's process, so that it waits for the server's.
const niceness = 10

func (a *app) backupCommand() *cobra.Command {
	r := node.BackupRequest{}
	var file, rate string
	var s3 s3Flags
	c := command("backup TARGET", "Back up the database, the stored files and the keys, while the server runs",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) (err error) {
			cfg, err := a.config(file, nil)
			if err != nil {
				return err
			}
			if r.Target = args[0]; r.Target == "-" && a.json {
				return fault.E("cli.backup", fault.Invalid, "Standard output cannot have both the backup and JSON.").
					WithField("--json")
			}
			if r.Rate, err = byteRate(rate); err != nil {
				return err
			}
			if r.Keep < 0 {
				return fault.E("cli.backup", fault.Invalid, "--keep is a number of snapshots, from 1; 0 keeps all.").
					WithField("--keep")
			}
			r.S3, r.Out, r.Clock, r.Actor = s3.read(a), a.Out, a.Clock, a.localActor()
			bar := a.counting("bytes")
			defer bar.finish()
			r.Progress = bar.count
			yield()
			out, err := node.Backup(ctx, cfg, r)
			bar.finish()
			if err != nil {
				return err
			}
			if r.Target == "-" {
				_, err = fmt.Fprintf(a.Err, "The backup %s is written.\n", out.Snapshot)
				return err
			}
			return a.done(out, "The backup %s is in %s: %d stored files (%s), %d of them new (%s). Prove it: sallyport "+
				"restore %s --verify", out.Snapshot, out.To, out.Files, size(out.Bytes), out.Copied, size(out.Written), out.To)
		})
	c.Long = `Back up a deployment: a snapshot of the database, then every stored file that the
snapshot names, then the keys. The server may run. TARGET is a folder, FILE.tar, a
bucket (s3://BUCKET/PREFIX), or - for a tar stream on standard output. In a folder
or bucket, only files that it lacks are copied, and each backup adds a snapshot. A
backup that was cut short has no manifest; making it again completes it.

A backup has secrets: host keys, the signing key, the key of the database's
secrets, certificates, and the database. --recipient encrypts all of it with age.
Keys to a bucket come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

Run it as root or as the server's own user, on the server's machine.`
	c.Flags().StringVar(&file, "config", "", "configuration file that names the database (SALLYPORT_CONFIG)")
	c.Flags().IntVar(&r.Keep, "keep", 0,
		"remove all snapshots but the newest this many, and files that only they had; 0: none")
	c.Flags().StringVar(&rate, "rate", backupRate, "bytes of stored files to read in a second, at most; 0: any number")
	c.Flags().StringArrayVar(&r.Recipients, "recipient", nil, "encrypt to this key of age: age1... (repeatable)")
	c.Flags().StringArrayVar(&r.RecipientsFiles, "recipients-file", nil, "encrypt to the keys in this file, one a line")
	s3.add(c)
	return c
}

// byteRate parses a number of bytes a second.
func byteRate(text string) (int64, error) {
	var n config.Size
	if err := n.UnmarshalText([]byte(text)); err != nil || n < 0 {
		return 0, fault.E("cli.byteRate", fault.Invalid, "%q is no number of bytes a second.", text).WithField("--rate").
			WithHint("such as 50MB; 0 is any number")
	}
	return int64(n), nil
}

// s3Flags say how a bucket is reached.
type s3Flags struct{ endpoint, region, ca string }

func (f *s3Flags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.endpoint, "s3-endpoint", "",
		"address of the bucket's server: https://s3.example.com (AWS_ENDPOINT_URL)")
	c.Flags().StringVar(&f.region, "s3-region", "", "the bucket's region (AWS_REGION)")
	c.Flags().StringVar(&f.ca, "s3-ca", "", "file with the certificate of the server's authority (default: the system's)")
}

func (f *s3Flags) read(a *app) node.S3 {
	or := func(flag, name string) string {
		if flag != "" {
			return flag
		}
		return a.env[name]
	}
	return node.S3{Endpoint: or(f.endpoint, "AWS_ENDPOINT_URL"), Region: or(f.region, "AWS_REGION"), CA: f.ca,
		Key: a.env["AWS_ACCESS_KEY_ID"], Secret: a.env["AWS_SECRET_ACCESS_KEY"]}
}

// localActor names the user of this machine who runs the command, as the server names who is at its socket.
func (a *app) localActor() string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	out := fmt.Sprintf("local:%s(%d)", name, os.Getuid())
	if sudo := a.env["SUDO_USER"]; sudo != "" && os.Getuid() == 0 {
		out += " (" + sudo + " via sudo)"
	}
	return out
}

// yield lowers the priority of this process. Where that is not possible, it goes on as it is.
func yield() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads { // on Linux, each thread has a priority; new ones have that of their maker
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, niceness)
		}
	}
}
