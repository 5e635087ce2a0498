// Package faults breaks things under a running server: it is killed, its disk
// fills up, its database goes away. What was acknowledged must be there.
package faults

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/cli"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// asServer makes this test binary the product.
const asServer = "TEST_BINARY_IS_SALLYPORT"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(cli.Run(cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ()}, os.Args[1:]))
	}
	testkit.LongMain(m, "kill -9, full disks and lost databases")
}

// server is a process that can be killed.
type server struct {
	t    *testing.T
	data string
	addr string
	cmd  *exec.Cmd
	log  bytes.Buffer
	api  *client.Client
}

// start runs a server process on a data folder, with more of a configuration.
func start(t *testing.T, data, yaml string) *server {
	t.Helper()
	return startWith(t, data, yaml)
}

// startWith is start with more on the command line.
func startWith(t *testing.T, data, yaml string, more ...string) *server {
	t.Helper()
	s := &server{t: t, data: data, addr: "127.0.0.1:" + testkit.FreePort(t), api: client.Local(data)}
	config := filepath.Join(t.TempDir(), "config.yaml")
	yaml += "limits: {sessions_per_user: 100, sessions_per_account: 100, sessions_per_address: 100}\n"
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(os.Args[0],
		append([]string{"serve", "--data", data, "--config", config, "--ssh-listen", s.addr}, more...)...)
	s.cmd.Env = append(os.Environ(), asServer+"=1")
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("server log:\n%s", s.log.String())
		}
	})
	testkit.Eventually(t, "the server answers", func() bool {
		_, err := client.Call[model.Page[model.Session]](context.Background(), s.api,
			client.Request{Method: "GET", Path: "/sessions"})
		return err == nil
	})
	return s
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// term asks the server to stop and expects it to do so in peace.
func (s *server) term() {
	s.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.t.Fatalf("the server stopped with %v\n%s", err, s.log.String())
	}
}

// items are all of a list.
func items[T any](s *server, path string) (out []T) {
	s.t.Helper()
	for cursor := ""; ; {
		page := call[model.Page[T]](s, "GET", path+"?limit=1000&cursor="+cursor, nil)
		if out = append(out, page.Items...); page.Next == "" {
			return out
		}
		cursor = page.Next
	}
}

func call[T any](s *server, method, path string, body any) T {
	s.t.Helper()
	v, err := client.Call[T](context.Background(), s.api, client.Request{Method: method, Path: path, Body: body})
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return v
}

// user makes an account with its user and returns a key that logs in.
func (s *server) user(name string) ssh.Signer {
	s.t.Helper()
	key := testkit.NewKey(s.t)
	call[model.Account](s, "POST", "/accounts", map[string]string{"id": name, "name": name})
	call[model.User](s, "POST", "/users", map[string]string{"account": name})
	call[[]model.Key](s, "POST", "/users/"+name+"/keys",
		map[string]string{"text": string(ssh.MarshalAuthorizedKey(key.PublicKey()))})
	return key
}

// sftp logs in; the error is the caller's to judge.
func (s *server) sftp(user string, key ssh.Signer) (*sftp.Client, error) {
	c, err := ssh.Dial("tcp", s.addr, testkit.ClientConfig(user, key))
	if err != nil {
		return nil, err
	}
	f, err := sftp.NewClient(c)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return f, nil
}

func (s *server) mustSFTP(user string, key ssh.Signer) *sftp.Client {
	s.t.Helper()
	c, err := s.sftp(user, key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// put uploads and returns the outcome of CLOSE, or the first error.
func put(c *sftp.Client, path string, content []byte) error {
	f, err := c.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		_ = f.Close()
		return fmt.Errorf("write: %w", err)
	}
	return f.Close()
}

// get reads a whole file.
func get(c *sftp.Client, path string) ([]byte, error) {
	f, err := c.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	_, err = f.WriteTo(&b)
	return b.Bytes(), err
}
