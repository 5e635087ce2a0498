package cli

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// worthShowing is the size in bytes from which a transfer gets a progress bar.
const worthShowing = 1 << 20

// progress is a progress bar on standard error if that is a terminal, and nothing otherwise.
type progress struct{ bar *progressbar.ProgressBar }

func (a *app) progress(name string, size int64) progress {
	f, ok := a.Err.(*os.File)
	if !ok || a.json || size < worthShowing || !term.IsTerminal(int(f.Fd())) {
		return progress{}
	}
	return progress{progressbar.NewOptions64(size, progressbar.OptionSetDescription(name), progressbar.OptionSetWriter(f),
		progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100e6))}
}

// reader returns a reader that counts the bytes read.
func (p progress) reader(r io.Reader) io.Reader {
	if p.bar == nil {
		return r
	}
	return io.TeeReader(r, p.bar)
}

func (p progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish() // a bar that cannot be drawn is no failure
	}
}

// counting returns a counter with a progress bar. The total is learnt later.
func (a *app) counting(what string) *counter {
	f, ok := a.Err.(*os.File)
	if !ok || a.json || !term.IsTerminal(int(f.Fd())) {
		return &counter{}
	}
	return &counter{file: f, what: what}
}

type counter struct {
	file *os.File
	what string
	bar  *progressbar.ProgressBar
}

func (c *counter) count(done, total int64) {
	if c.file == nil || total < worthCounting {
		return
	}
	if c.bar == nil {
		c.bar = progressbar.NewOptions64(total, progressbar.OptionSetDescription(c.what), progressbar.OptionSetWriter(c.file),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100e6))
	}
	_ = c.bar.Set64(done) // a bar that cannot be drawn is no failure
}

// worthCounting is the total from which a count gets a progress bar.
const worthCounting = 10_000

func (c *counter) finish() {
	if c.bar != nil {
		_ = c.bar.Finish()
		c.bar = nil
	}
}
