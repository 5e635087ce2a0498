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

// process is a running server with all its descendants. If cgroup v2 can be used, it has a cgroup
// of its own, which counts every process. Otherwise the times in /proc are added up.
type process struct {
	cmd   *exec.Cmd
	group string // its cgroup's directory, or empty
	log   string // its log file
	ended chan struct{}

	// orphans is the prefix of the names of processes that the server does not wait for. OpenSSH
	// leaves such processes when a client hangs up.
	orphans string
	reaped  time.Duration // time used by orphans that have ended
}

// startProcess starts a server, with its output in a log file.
func startProcess(cmd *exec.Cmd, logFile, name string) (*process, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: cmd, log: logFile, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Ctrl-C reaches only this process
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

// logTail returns the end of the server's log, for error messages.
func (p *process) logTail() string {
	text, err := os.ReadFile(p.log)
	if err != nil || len(text) == 0 {
		return ""
	}
	return "\n" + string(text[max(0, len(text)-2000):])
}

// stop ends the server and all its descendants.
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
	_ = p.cmd.Process.Kill() // fails if it has ended
	<-p.ended
	p.dropGroup()
}

// settle waits until at most processes processes are left in the tree, and then a moment for
// remaining work.
func (p *process) settle(ctx context.Context, processes int) {
	for range 40 {
		if len(p.tree()) <= processes {
			break
		}
		pause(ctx, 50*time.Millisecond)
	}
	pause(ctx, 200*time.Millisecond)
}

// pause sleeps for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// tree returns the ids of the server's process and its live descendants. This includes orphans,
// which have become children of this process.
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

// orphan reports whether a child of this process was left by the server.
func (p *process) orphan(pid int) bool {
	st, ok := procStat(pid)
	return ok && p.orphans != "" && strings.HasPrefix(st.name, p.orphans)
}

// reap waits for an orphan that has ended, and adds its time to reaped. It reports whether it did
// so.
func (p *process) reap(pid int) bool {
	st, ok := procStat(pid)
	if !ok || st.state != "Z" || !p.orphan(pid) {
		return false
	}
	p.reaped += st.times
	_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	return true
}

// adoptOrphans makes this process the parent of orphaned descendants.
func adoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// stat is the part of /proc/PID/stat that is used.
type stat struct {
	name, state string
	parent      int
	times       time.Duration // its own, and that of children it has waited for
}

// tick is the unit of times in /proc/PID/stat (USER_HZ, the same on every Linux).
const tick = 10 * time.Millisecond

// procStat reads a process's stat; false if the process is gone.
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
	const state, parent, firstTime, lastTime = 0, 1, 11, 14 // indexes of fields (proc(5)), counted from after the name
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
