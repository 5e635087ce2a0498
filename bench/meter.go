package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpu is a server's processor time, counted in two ways.
type cpu struct {
	group time.Duration // from its cgroup; zero without one
	proc  time.Duration // from /proc: live processes, and those that they have waited for
}

// best returns the cgroup's time if there is one, since that misses no process.
func (c cpu) best() time.Duration {
	if c.group > 0 {
		return c.group
	}
	return c.proc
}

func (c cpu) minus(o cpu) cpu { return cpu{c.group - o.group, c.proc - o.proc} }

// cpu returns the user and system time of the whole process tree.
func (p *process) cpu() (cpu, error) {
	var c cpu
	for _, pid := range p.tree() {
		if st, ok := procStat(pid); ok {
			c.proc += st.times
		}
	}
	c.proc += p.reaped // after tree, which adds to reaped
	if p.group == "" {
		return c, nil
	}
	b, err := os.ReadFile(filepath.Join(p.group, "cpu.stat"))
	if err != nil {
		return c, err
	}
	n, err := field(string(b), "usage_usec")
	c.group = time.Duration(n) * time.Microsecond
	return c, err
}

// field reads a number from lines of names and values, such as smaps_rollup.
func field(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("there is no %s", name)
}

// pss returns the memory of the whole process tree in bytes. Shared pages are counted once.
func (p *process) pss() (int64, error) {
	var sum int64
	for _, pid := range p.tree() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue // the process has ended
		}
		if n, err := field(string(b), "Pss:"); err == nil {
			sum += n << 10
		}
	}
	if sum == 0 {
		return 0, fmt.Errorf("the memory of process %d cannot be read", p.cmd.Process.Pid)
	}
	return sum, nil
}

// resetPeak makes peak count from now on. It returns the memory in use now.
func (p *process) resetPeak() (int64, error) {
	pid := p.cmd.Process.Pid
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		return 0, err
	}
	return p.status("VmRSS:")
}

// peak returns the largest memory of the server's main process since resetPeak.
func (p *process) peak() (int64, error) { return p.status("VmHWM:") }

func (p *process) status(name string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	n, err := field(string(b), name)
	return n << 10, err
}

// checkMeter runs a shell and a child that use processor time. It fails if the meter's result
// differs from what the kernel reports to the parent.
func checkMeter(dir string) error {
	cmd := exec.Command("sh", "-c",
		`burn() { i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; }; (burn); burn; read -r _`)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	p, err := startProcess(cmd, filepath.Join(dir, "meter.log"), "meter")
	if err != nil {
		return err
	}
	defer p.dropGroup()
	var got cpu
	for last := time.Duration(-1); got.best() != last || last < tick; time.Sleep(150 * time.Millisecond) {
		last = got.best()
		if got, err = p.cpu(); err != nil {
			return err
		}
	}
	_ = in.Close()
	<-p.ended
	want := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if d := (got.best() - want).Abs(); d > want/20+tick {
		return fmt.Errorf("the meter is wrong: it counted %v of processor time where %v were used", got.best(), want)
	}
	return nil
}
