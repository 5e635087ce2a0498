// Command neighbours measures how a hostile partner affects an honest one. It compares the honest
// partner's rate, latency and log-ins beside each kind of hostile partner at full speed with those
// alone. It also measures the server's memory and descriptors. The hostile client runs in its own
// process with the lowest priority, so that the result shows the server's behaviour, and not that
// both clients share this machine.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/test/hostile"
)

var (
	binary = flag.String("binary", "bin/sallyport", "the sallyport to measure")
	only   = flag.String("only", "", "only the partners whose name matches this regular expression")
	lasts  = flag.Duration("for", 10*time.Second, "how long each is measured")
	dir    = flag.String("dir", "/dev/shm", "where the data folder is made")
	url    = flag.String("database", "", "URL of an empty PostgreSQL database (default: SQLite)")
	be     = flag.String("be", "", "be this hostile partner (used by the command itself)")
	addr   = flag.String("addr", "", "where, with -be")
	keyOf  = flag.String("key", "", "file of the private key, with -be")
	as     = flag.String("as", "hostile", "the username, with -be")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := measure
	switch {
	case *be != "":
		do = act
	case *endure > 0:
		do = endureAll
	}
	if err := do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "neighbours:", err)
		os.Exit(1)
	}
}

// act runs this process as a hostile partner.
func act(ctx context.Context) error {
	text, err := os.ReadFile(*keyOf)
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return err
	}
	for _, p := range hostile.Partners {
		if p.Name == *be {
			stop := p.Run(ctx, hostile.Server{Addr: *addr, User: *as, Key: key})
			<-ctx.Done()
			fmt.Println(stop())
			return nil
		}
	}
	return fmt.Errorf("there is no hostile partner %q", *be)
}

func measure(ctx context.Context) error {
	pick, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	fmt.Printf("| %-42s | alone/s | beside/s | ratio | median ms | 95%% ms | log-in ms | MiB | fds | rounds |\n",
		"hostile partner")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, p := range hostile.Partners {
		if !pick.MatchString(p.Name) {
			continue
		}
		if err := one(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

// node is a server with the keys of both partners.
type node struct {
	dir  string
	cmd  *exec.Cmd
	good hostile.Server
}

func one(ctx context.Context, p hostile.Partner) error {
	n, err := startNode(ctx)
	if n != nil {
		defer n.stop()
	}
	if err != nil {
		return err
	}
	if _, err := hostile.Honest(n.good, time.Second); err != nil { // warm
		return err
	}
	// Alone and beside in turns, because the machine's speed varies.
	var alone, beside []hostile.Pace
	var memory, descriptors int64
	rounds := ""
	for range 3 {
		was, err := hostile.Honest(n.good, *lasts/3)
		if err != nil {
			return err
		}
		stop, err := n.act(ctx, p, "hostile")
		if err != nil {
			return err
		}
		time.Sleep(time.Second)
		is, err := hostile.Honest(n.good, *lasts/3)
		memory, descriptors = max(memory, n.status("VmRSS:")/1024), max(descriptors, n.descriptors())
		count := stop()
		if err != nil {
			return err
		}
		rounds += count + " "
		alone, beside = append(alone, was), append(beside, is)
	}
	report(p, alone, beside, memory, descriptors, strings.TrimSpace(rounds))
	return nil
}

// act starts a hostile partner's process. stop ends it, and returns how many rounds it made.
func (n *node) act(ctx context.Context, p hostile.Partner, user string) (stop func() string, err error) {
	bad := exec.CommandContext(ctx, "nice", "-n", "19", os.Args[0], "-be", p.Name, "-addr", n.good.Addr, "-as", user,
		"-key", filepath.Join(n.dir, user))
	bad.Cancel = func() error { return bad.Process.Signal(syscall.SIGTERM) }
	out, err := bad.StdoutPipe()
	if err == nil {
		err = bad.Start()
	}
	return func() string {
		_ = bad.Process.Signal(syscall.SIGTERM)
		var count string
		_, _ = fmt.Fscan(out, &count)
		_ = bad.Wait()
		return count
	}, err
}

// report prints medians. The ratio is the median of the turns' ratios.
func report(p hostile.Partner, alone, beside []hostile.Pace, memory, descriptors int64, rounds string) {
	ratios := make([]float64, len(alone))
	for i := range alone {
		ratios[i] = beside[i].Rate / alone[i].Rate
	}
	slices.Sort(ratios)
	byRate := func(a, b hostile.Pace) int { return int(a.Rate - b.Rate) }
	slices.SortFunc(alone, byRate)
	slices.SortFunc(beside, byRate)
	m, worst := beside[len(beside)/2], time.Duration(0)
	for _, b := range beside {
		worst = max(worst, b.WorstLogin)
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	fmt.Printf("| %-42s | %7.0f | %8.0f | %5.2f | %9.1f | %6.1f | %9.0f | %3d | %3d | %s |\n", p.Name,
		alone[len(alone)/2].Rate, m.Rate, ratios[len(ratios)/2], ms(m.Median), ms(m.P95), ms(worst), memory, descriptors,
		rounds)
}

func startNode(ctx context.Context) (*node, error) {
	tmp, err := os.MkdirTemp(*dir, "neighbours-")
	if err != nil {
		return nil, err
	}
	n := &node{dir: tmp}
	port, err := freePort()
	if err != nil {
		return n, err
	}
	n.good = hostile.Server{Addr: fmt.Sprintf("127.0.0.1:%d", port), User: "honest"}
	log, err := os.Create(filepath.Join(tmp, "log"))
	if err != nil {
		return n, err
	}
	defer log.Close()
	n.cmd = exec.CommandContext(ctx, *binary, "serve", "--data", n.data(), "--ssh-listen", n.good.Addr)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.Env = append(os.Environ(), "SALLYPORT_DATABASE_URL="+*url)
	if err := n.cmd.Start(); err != nil {
		return n, err
	}
	for range 200 {
		if _, err = os.Stat(filepath.Join(n.data(), "sallyport.sock")); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, user := range []string{"honest", "hostile"} {
		key, err := enrol(ctx, tmp, n.data(), user)
		if err != nil {
			return n, err
		}
		if user == "honest" {
			n.good.Key = key
		}
	}
	return n, nil
}

// enrol makes an account with a user and a key, and returns the key.
func enrol(ctx context.Context, tmp, data, user string) (ssh.Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(tmp, user)
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"account", "add", user, "--name", user}, {"user", "add", "--account", user},
		{"key", "add", user, file + ".pub"}} {
		if out, err := exec.CommandContext(ctx, *binary, append(args, "--data", data)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%v: %w: %s", args, err, out)
		}
	}
	return signer, nil
}

func (n *node) data() string { return filepath.Join(n.dir, "data") }

func (n *node) stop() {
	if n.cmd != nil && n.cmd.Process != nil {
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		_ = n.cmd.Wait()
	}
	_ = os.RemoveAll(n.dir)
}
