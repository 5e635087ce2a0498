package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running server with all that descends from it. Where cgroup v2
// can be used it has one of its own, whose account misses no process; else
// /proc is added up.
type process struct {
	cmd   *exec.Cmd
	group string // its cgroup's directory, or empty
	log   string // the file that it writes to
	ended chan struct{}

	// orphans is how the names of processes begin that the server leaves when
	// it does not wait for their end, as OpenSSH does not if a client hangs up.
	orphans string
	reaped  time.Duration // what those took that have ended
}

// startProcess runs a server with its output in a log file.
func startProcess(cmd *exec.Cmd, logFile, name string) (*process, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: cmd, log: logFile, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's Ctrl-C is ours to pass on
	if group, err := makeGroup(name); err == nil {
		dir, err := os.Open(group)
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		p.group = group
		cmd.SysProcAttr.UseCgroupFD = true
		cmd.SysProcAttr.CgroupFD = int(dir.Fd())
	}
	if err := cmd.Start(); err != nil {
		p.dropGroup()
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// makeGroup makes a cgroup below this process's own.
func makeGroup(name string) (string, error) {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "", err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	var path string
	for line := range strings.Lines(string(own)) {
		if rest, ok := strings.CutPrefix(line, "0::"); ok {
			path = strings.TrimSpace(rest)
		}
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			group := filepath.Join(f[1], path, fmt.Sprintf("sallyport-bench-%d-%s", os.Getpid(), name))
			return group, os.Mkdir(group, 0o755)
		}
	}
	return "", errors.New("there is no cgroup v2")
}

func (p *process) dropGroup() {
	for range 50 {
		if p.group == "" || os.Remove(p.group) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// logTail is the end of the server's log, for when something failed.
func (p *process) logTail() string {
	text, err := os.ReadFile(p.log)
	if err != nil || len(text) == 0 {
		return ""
	}
	return "\n" + string(text[max(0, len(text)-2000):])
}

// stop ends the server and everything that descends from it.
func (p *process) stop() {
	tree := p.tree()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(3 * time.Second):
	}
	if p.group != "" {
		_ = os.WriteFile(filepath.Join(p.group, "cgroup.kill"), []byte("1"), 0)
	} else {
		for _, pid := range tree[1:] {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = p.cmd.Process.Kill() // says so if it has ended
	<-p.ended
	p.dropGroup()
}

// settle waits until sessions that have ended are gone from the process tree
// and what they left behind is done.
func (p *process) settle(ctx context.Context, processes int) {
	for range 40 {
		if len(p.tree()) <= processes {
			break
		}
		pause(ctx, 50*time.Millisecond)
	}
	pause(ctx, 200*time.Millisecond)
}

// pause sleeps, but not past the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// tree lists the server's process and its live descendants, also those that
// outlived their parents and became this process's children.
func (p *process) tree() []int {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if st, ok := procStat(pid); ok {
			children[st.parent] = append(children[st.parent], pid)
		}
	}
	top := p.cmd.Process.Pid
	all := []int{top}
	for _, pid := range children[os.Getpid()] {
		if pid != top && !p.reap(pid) && p.orphan(pid) {
			all = append(all, pid)
		}
	}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// orphan says whether a child of this process is one that the server left.
func (p *process) orphan(pid int) bool {
	st, ok := procStat(pid)
	return ok && p.orphans != "" && strings.HasPrefix(st.name, p.orphans)
}

// reap takes leave of an orphan that has ended, and keeps its times.
func (p *process) reap(pid int) bool {
	st, ok := procStat(pid)
	if !ok || st.state != "Z" || !p.orphan(pid) {
		return false
	}
	p.reaped += st.times
	_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	return true
}

// adoptOrphans makes this process the parent of descendants that lose theirs.
func adoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// stat is what is needed of /proc/PID/stat.
type stat struct {
	name, state string
	parent      int
	times       time.Duration // its own, and of the children it waited for
}

// tick is the unit of times there (USER_HZ, on every Linux).
const tick = 10 * time.Millisecond

// procStat reads a process's stat; false if it is gone.
func procStat(pid int) (st stat, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return st, false
	}
	_, text, _ := strings.Cut(string(b), "(")
	end := strings.LastIndex(text, ") ")
	if end < 0 {
		return st, false
	}
	f := strings.Fields(text[end+2:])
	const state, parent, firstTime, lastTime = 0, 1, 11, 14 // proc(5), counted behind the name
	if len(f) <= lastTime {
		return st, false
	}
	st.name, st.state = text[:end], f[state]
	st.parent, _ = strconv.Atoi(f[parent])
	for _, s := range f[firstTime : lastTime+1] {
		n, _ := strconv.ParseInt(s, 10, 64)
		st.times += time.Duration(n) * tick
	}
	return st, true
}
