package node

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/platform"
	"github.com/sallyport-sftp/sallyport/internal/sftpd"
	"github.com/sallyport-sftp/sallyport/model"
)

// platformOptions are what the platform's tree is made of.
func (n *Node) platformOptions() platform.Options {
	return platform.Options{Store: n.store, Feeds: n.feeds, Inbox: n.inbox, Clock: n.clock, Log: n.log,
		Names: n.naming.Rules, Readings: n.readings, MayWrite: n.mayStill}
}

// mayStill fails once a login was revoked, or when that cannot be known.
func (n *Node) mayStill(l *exchange.Login) error {
	if err := n.revoked.mayWrite(); err != nil {
		return err
	}
	ok, err := n.accounts.Confirm(context.Background(), *l)
	if err == nil && !ok {
		err = fault.E("node.mayStill", fault.Denied, "This login has ended; nothing more is stored.")
	}
	return err
}

// service is the platform's tree as the SFTP server sees it.
type service struct {
	*platform.FS
	open map[*platform.File]bool
}

func newService(fs *platform.FS) *service { return &service{fs, map[*platform.File]bool{}} }

// serviceFile forgets itself when it is closed.
type serviceFile struct {
	*platform.File
	s *service
}

func (f serviceFile) Close(done func(error)) {
	delete(f.s.open, f.File)
	f.File.Close(done)
}

func (s *service) Open(path string, flags exchange.OpenFlags, mode uint32) (sftpd.File, error) {
	f, err := s.FS.Open(path, flags, mode)
	if err != nil {
		return nil, err
	}
	s.open[f] = true
	return serviceFile{f, s}, nil
}

func (s *service) OpenDir(path string) (sftpd.Dir, error) {
	d, err := s.FS.OpenDir(path)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// End discards what was never closed.
func (s *service) End() {
	for f := range s.open {
		f.Abandon()
	}
}

// both is a mailbox with the part of /outbound that its account produces.
type both struct {
	mailbox
	out *service
}

// outbound reports whether a path is below /outbound.
func (b both) outbound(p string) bool {
	clean, err := b.RealPath(p)
	return err == nil && (clean == "/"+platform.Outbound || strings.HasPrefix(clean, "/"+platform.Outbound+"/"))
}

// in makes a path absolute, as the mailbox would.
func (b both) in(p string) string {
	clean, err := b.RealPath(p)
	if err != nil {
		return p
	}
	return clean
}

func (b both) Open(path string, flags exchange.OpenFlags, mode uint32) (sftpd.File, error) {
	if b.outbound(path) {
		return b.out.Open(b.in(path), flags, mode)
	}
	return b.mailbox.Open(path, flags, mode)
}

func (b both) OpenDir(path string) (sftpd.Dir, error) {
	if b.outbound(path) {
		return b.out.OpenDir(b.in(path))
	}
	d, err := b.mailbox.OpenDir(path)
	if err != nil || b.in(path) != "/" {
		return d, err
	}
	info, err := b.out.Stat("/" + platform.Outbound)
	return &withOutbound{Dir: d, info: info}, err
}

// withOutbound adds one directory at the end of a listing.
type withOutbound struct {
	sftpd.Dir
	info model.FileInfo
	seen bool
}

func (w *withOutbound) Next() ([]model.FileInfo, error) {
	list, err := w.Dir.Next()
	if errors.Is(err, io.EOF) && !w.seen {
		w.seen = true
		return []model.FileInfo{w.info}, nil
	}
	for _, f := range list {
		w.seen = w.seen || f.Name == platform.Outbound // one of the mailbox's own hides behind it
	}
	return list, err
}

func (b both) Stat(path string) (model.FileInfo, error) {
	if b.outbound(path) {
		return b.out.Stat(b.in(path))
	}
	return b.mailbox.Stat(path)
}

func (b both) Setstat(path string, c exchange.Change) error {
	if b.outbound(path) {
		return b.out.Setstat(b.in(path), c)
	}
	return b.mailbox.Setstat(path, c)
}

func (b both) Mkdir(path string) error {
	if b.outbound(path) {
		return b.out.Mkdir(b.in(path))
	}
	return b.mailbox.Mkdir(path)
}

func (b both) Rmdir(path string) error {
	if b.outbound(path) {
		return b.out.Rmdir(b.in(path))
	}
	return b.mailbox.Rmdir(path)
}

func (b both) Remove(path string) error {
	if b.outbound(path) {
		return b.out.Remove(b.in(path))
	}
	return b.mailbox.Remove(path)
}

func (b both) Rename(from, to string, replace bool) error {
	switch in, out := b.outbound(from), b.outbound(to); {
	case in && out:
		return b.out.Rename(b.in(from), b.in(to), replace)
	case in || out:
		return fault.E("node.Rename", fault.Unsupported, "A file cannot be renamed into or out of /outbound; copy it.")
	}
	return b.mailbox.Rename(from, to, replace)
}
