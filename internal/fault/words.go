package fault

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// systemWords are clauses for errors of the operating system. %s stands for the path, or for "it"
// if the error names none. The first that fits is used.
var systemWords = []struct {
	is   error
	says string
}{
	{fs.ErrNotExist, "%s does not exist"},
	{fs.ErrPermission, "this user has no permission for %s"},
	{syscall.EISDIR, "%s is a folder, not a file"},
	{syscall.ENOTDIR, "%s, or a folder above it, is a file"},
	{fs.ErrExist, "%s exists already"},
	{syscall.ENOSPC, "the disk is full"},
	{syscall.EDQUOT, "this user's share of the disk is full"},
	{syscall.EROFS, "%s is on a file system that is mounted read-only"},
	{syscall.ENAMETOOLONG, "the name %s is too long"},
	{syscall.ELOOP, "%s leads in a circle of links"},
	{syscall.EMFILE, "this program has too many files open"},
	{syscall.ENFILE, "this machine has too many files open"},
	{syscall.EIO, "the disk could not read or write %s"},
	{programRuns, "%s is a program that runs"},
	{syscall.EADDRINUSE, "another program listens there already"},
	{syscall.EADDRNOTAVAIL, "this machine does not have that address"},
	{syscall.ECONNREFUSED, "nobody listens there"},
	{syscall.ECONNRESET, "the other side closed the connection"},
	{syscall.EPIPE, "nobody reads the output any more"},
	{syscall.EXDEV, "%s is on another file system"},
	{syscall.EINVAL, "%s is not a name that can be used"},
	{io.ErrUnexpectedEOF, "the connection ended early"},
}

// InWords returns a clause for people on what the operating system refused, such as "acme.pub does
// not exist". The text of any other error is returned as it is.
func InWords(err error) string {
	path := pathIn(err)
	for _, w := range systemWords {
		if errors.Is(err, w.is) {
			return strings.Replace(w.says, "%s", path, 1)
		}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "there is no machine called " + strconv.Quote(dns.Name)
	}
	return err.Error()
}

// pathIn returns the path that an error of package os is about, or "it".
func pathIn(err error) string {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p) && p.Path != "":
		return readable(p.Path)
	case errors.As(err, &l):
		return readable(l.New)
	}
	return "it"
}

// readable returns a path, quoted if it has what is not to be printed.
func readable(path string) string {
	for _, r := range path {
		if !strconv.IsPrint(r) {
			return strconv.Quote(path)
		}
	}
	return path
}
