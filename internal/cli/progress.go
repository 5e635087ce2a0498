package cli

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// worthShowing is the size from which a transfer gets a progress bar, in bytes.
const worthShowing = 1 << 20

// progress is a bar on a terminal's standard error, or nothing.
type progress struct{ bar *progressbar.ProgressBar }

func (a *app) progress(name string, size int64) progress {
	f, ok := a.Err.(*os.File)
	if !ok || a.json || size < worthShowing || !term.IsTerminal(int(f.Fd())) {
		return progress{}
	}
	return progress{progressbar.NewOptions64(size, progressbar.OptionSetDescription(name), progressbar.OptionSetWriter(f),
		progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100e6))}
}

// reader counts what is read through it.
func (p progress) reader(r io.Reader) io.Reader {
	if p.bar == nil {
		return r
	}
	return io.TeeReader(r, p.bar)
}

func (p progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish() // a bar that can't be drawn is no failure
	}
}
