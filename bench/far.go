package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Clients that are far away: a proxy on loopback delays every byte, as a network does that takes half of far for
// each direction.

const (
	far = 80 * time.Millisecond // there and back
	// farWindow is how many bytes may be under way in one direction: what Linux lets a connection have.
	farWindow = 4 << 20
)

// farRows measure each client's time for a large file and for many small ones, beside OpenSSH's server.
func farRows(z sizes) []row {
	large := bytesText(z.farBig)
	var out []row
	for _, c := range []struct {
		name   string
		client farClient
	}{{"sftp", farSFTP}, {"lftp", farLFTP}, {"rclone", copyRclone}, {"psftp", farPSFTP}} {
		for _, up := range []bool{true, false} {
			how := map[bool]string{true: "puts", false: "gets"}[up]
			out = append(out,
				row{name: fmt.Sprintf("far: %s %s %s over %v", c.name, how, large, far), prepare: farFiles(z),
					run: farAway(c.client, "big", up), bars: []bar{{measure: seconds, limit: 1.05}}},
				row{name: fmt.Sprintf("far: %s %s %d × 4 KiB over %v", c.name, how, z.farFiles, far), prepare: farFiles(z),
					run: farAway(c.client, "many", up), bars: []bar{{measure: seconds, limit: 1.05}}})
		}
	}
	return out
}

const seconds = "s"

// farClient copies a folder up or down through a port.
type farClient func(ctx context.Context, b *bench, s *server, up bool, local, remote string) error

// farFolder returns the local folder of a kind of files, and makes it once.
func (b *bench) farFolder(z sizes, kind string) (string, error) {
	if kind == "many" {
		return b.smallFiles(z.farFiles)
	}
	dir := filepath.Join(b.work, "far-big")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	source, err := b.source(z.farBig)
	if err != nil {
		return "", err
	}
	if err := os.Link(source, filepath.Join(dir, "big")); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return dir, nil
}

// farFiles prepares what is downloaded.
func farFiles(z sizes) func(context.Context, *bench, *server) error {
	return func(ctx context.Context, b *bench, s *server) error {
		for _, kind := range []string{"big", "many"} {
			dir, err := b.farFolder(z, kind)
			if err == nil {
				err = b.sftp(ctx, s, gcm, "mkdir upload/"+kind+"\nput "+dir+"/* upload/"+kind)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// farAway measures a client behind the delay.
func farAway(c farClient, kind string, up bool) func(context.Context, *bench, *server, int) (sample, error) {
	return func(ctx context.Context, b *bench, s *server, round int) (sample, error) {
		local, err := b.farFolder(sizesFor(b.o.quick), kind)
		if err != nil {
			return nil, err
		}
		remote := "upload/" + kind
		if up {
			remote = fmt.Sprintf("upload/%s-%d-%d", kind, round, time.Now().UnixNano())
		} else if local, err = os.MkdirTemp(b.work, "far-"); err != nil {
			return nil, err
		}
		proxy, err := delay(s.addr(), far/2)
		if err != nil {
			return nil, err
		}
		defer proxy.Close()
		away := *s
		away.port = proxy.Addr().(*net.TCPAddr).Port
		began := time.Now()
		err = c(ctx, b, &away, up, local, remote)
		took := time.Since(began)
		if !up {
			err = errors.Join(err, os.RemoveAll(local))
		}
		return sample{seconds: took.Seconds()}, err
	}
}

func farSFTP(ctx context.Context, b *bench, s *server, up bool, local, remote string) error {
	if up {
		return b.sftp(ctx, s, "", "mkdir "+remote+"\ncd "+remote+"\nput "+local+"/*")
	}
	return b.sftp(ctx, s, "", "lcd "+local+"\nget "+remote+"/*")
}

func farLFTP(ctx context.Context, b *bench, s *server, up bool, local, remote string) error {
	mirror := "mirror " + remote + " " + local
	if up {
		mirror = "mirror -R " + local + " " + remote
	}
	ssh := "ssh -a -x -F none -i " + b.key + " -o IdentitiesOnly=yes -o StrictHostKeyChecking=no " +
		"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
	return runQuiet(exec.CommandContext(ctx, "lftp", "-c", "set sftp:connect-program '"+ssh+"'; set cmd:fail-exit yes; "+
		"set net:max-retries 1; open sftp://"+s.user+":@127.0.0.1:"+strconv.Itoa(s.port)+"; "+mirror))
}

func copyRclone(ctx context.Context, b *bench, s *server, up bool, local, remote string) error {
	from, to := ":sftp:"+remote, local
	if up {
		from, to = to, from
	}
	return runQuiet(exec.CommandContext(ctx, "rclone", "copy", "--config", "/dev/null", "--quiet", from, to,
		"--sftp-host", "127.0.0.1", "--sftp-port", strconv.Itoa(s.port), "--sftp-user", s.user, "--sftp-key-file", b.key,
		"--sftp-shell-type", "none"))
}

func farPSFTP(ctx context.Context, b *bench, s *server, up bool, local, remote string) error {
	key := b.key + ".ppk"
	if _, err := os.Stat(key); err != nil {
		if err := runQuiet(exec.CommandContext(ctx, "puttygen", b.key, "-O", "private", "-o", key)); err != nil {
			return err
		}
	}
	commands := "lcd " + local + "\ncd " + remote + "\nmget *\n"
	if up {
		commands = "mkdir " + remote + "\ncd " + remote + "\nlcd " + local + "\nmput *\n"
	}
	batch := filepath.Join(b.work, "psftp.batch")
	if err := os.WriteFile(batch, []byte(commands), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "psftp", "-P", strconv.Itoa(s.port), "-i", key, "-b", batch, s.user+"@127.0.0.1")
	cmd.Env = append(os.Environ(), "HOME="+b.work) // host keys are kept there
	cmd.Stdin = strings.NewReader("y\n")
	return runQuiet(cmd)
}

// delay listens, and passes connections on to an address with a delay in each direction.
func delay(to string, by time.Duration) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			go pass(in, out, by)
			go pass(out, in, by)
		}
	}()
	return l, nil
}

// chunk is bytes that are under way until a time.
type chunk struct {
	bytes []byte
	due   time.Time
}

// pass moves bytes in one direction. It ends, and closes both, when one end does.
func pass(from, to net.Conn, by time.Duration) {
	var mu sync.Mutex
	room, under := sync.NewCond(&mu), 0
	way := make(chan chunk, 1<<16)
	go func() {
		defer to.Close()
		defer from.Close()
		for c := range way {
			time.Sleep(time.Until(c.due))
			_, err := to.Write(c.bytes)
			mu.Lock()
			under -= len(c.bytes)
			mu.Unlock()
			room.Signal()
			if err != nil {
				_ = from.Close() // ends the reading below
			}
		}
	}()
	defer close(way)
	for {
		buf := make([]byte, 64<<10)
		n, err := from.Read(buf)
		if n > 0 {
			mu.Lock()
			for under > farWindow {
				room.Wait()
			}
			under += n
			mu.Unlock()
			way <- chunk{buf[:n], time.Now().Add(by)}
		}
		if err != nil {
			return
		}
	}
}
