package sftpd

import (
	"path"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// slashed is a FileSystem in which a path that ends with a slash, "." or ".." can only
// name a directory, as in POSIX and OpenSSH. Programs send such a path to mean "into this
// directory". Without this check, a file would be stored under the directory's name, and
// the next file would replace it. The results are those of OpenSSH (test/oracle).
type slashed struct{ FileSystem }

// end says how a path ends: slash if with a slash, dot if its last name is "." or "..".
func end(p string) (slash, dot bool) {
	bare := strings.TrimRight(p, "/")
	if bare == "" {
		return false, false
	}
	last := bare[strings.LastIndexByte(bare, '/')+1:]
	return len(bare) < len(p), last == "." || last == ".."
}

// asDirectory reports whether a path can only name a directory.
func asDirectory(p string) bool {
	slash, dot := end(p)
	return slash || dot
}

func errNoDirectory() error {
	return fault.E("sftpd.slash", fault.NotFound,
		"No such file or directory: the end of the path asks for a directory, and there is none of that name.")
}

// directory fails if a path can only name a directory and there is none.
func (f slashed) directory(p string) error {
	if !asDirectory(p) {
		return nil
	}
	info, err := f.FileSystem.Stat(p)
	if err == nil && !info.Dir {
		err = errNoDirectory()
	}
	return err
}

func (f slashed) Open(p string, flags exchange.OpenFlags, mode uint32) (File, error) {
	if err := f.directory(p); err != nil {
		slash, dot := end(p)
		if fault.Is(err, fault.NotFound) && flags&exchange.FlagCreate != 0 && slash && !dot &&
			f.isDir(path.Dir(strings.TrimRight(p, "/"))) {
			return nil, fault.E("sftpd.slash", fault.Conflict,
				"There is no such directory, and the slash at the end says that no file is meant. Make the directory first.")
		}
		return nil, err
	}
	return f.FileSystem.Open(p, flags, mode)
}

func (f slashed) isDir(p string) bool {
	info, err := f.FileSystem.Stat(p)
	return err == nil && info.Dir
}

func (f slashed) Stat(p string) (model.FileInfo, error) {
	info, err := f.FileSystem.Stat(p)
	if err == nil && !info.Dir && asDirectory(p) {
		err = errNoDirectory()
	}
	return info, err
}

func (f slashed) Setstat(p string, c exchange.Change) error {
	if err := f.directory(p); err != nil {
		return err
	}
	return f.FileSystem.Setstat(p, c)
}

// Mkdir accepts "new/", but not "new/.", which names an entry of a missing directory.
func (f slashed) Mkdir(p string) error {
	if _, dot := end(p); dot {
		if err := f.directory(p); err != nil {
			return err
		}
	}
	return f.FileSystem.Mkdir(p)
}

func (f slashed) Rmdir(p string) error {
	if err := f.directory(p); err != nil {
		return err
	}
	if _, dot := end(p); dot {
		return fault.E("sftpd.slash", fault.Invalid, "A directory is not removed by a dot; please use its name.")
	}
	return f.FileSystem.Rmdir(p)
}

func (f slashed) Remove(p string) error {
	if err := f.directory(p); err != nil {
		return err
	}
	return f.FileSystem.Remove(p)
}

func (f slashed) Rename(from, to string, replace bool) error {
	if err := f.directory(from); err != nil {
		return err
	}
	if _, dot := end(from); dot {
		return fault.E("sftpd.slash", fault.Conflict, "A directory is not renamed by a dot; please use its name.")
	}
	if asDirectory(to) {
		if err := f.mayBecome(from, to, replace); err != nil {
			return err
		}
	}
	return f.FileSystem.Rename(from, to, replace)
}

// mayBecome fails if to can only name a directory and a rename of from to it would not
// fit that. Whether the name is taken is left to Rename, which looks again.
func (f slashed) mayBecome(from, to string, replace bool) error {
	what, err := f.FileSystem.Stat(from)
	if err != nil {
		return err
	}
	there, err := f.FileSystem.Stat(to)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	missing := err != nil
	_, dot := end(to)
	switch {
	case missing && (dot || !what.Dir), !missing && dot && !there.Dir:
		return errNoDirectory()
	case !missing && what.Dir && !there.Dir, !missing && !what.Dir && replace && !dot:
		return errNoDirectory()
	}
	return nil
}
