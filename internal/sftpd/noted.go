package sftpd

import (
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Noted is a FileSystem that calls Denied for each request that is refused for lack of rights. what is the request,
// such as "list /a". Denied must not be nil.
type Noted struct {
	FileSystem
	Denied func(what string)
}

// denied returns err, and calls Denied if it is a refusal.
func (m Noted) denied(err error, did, path string) error {
	if fault.Is(err, fault.Denied) {
		m.Denied(did + " " + path)
	}
	return err
}

// Open opens a file.
func (m Noted) Open(path string, flags exchange.OpenFlags, mode uint32) (File, error) {
	f, err := m.FileSystem.Open(path, flags, mode)
	did := "read"
	if flags&exchange.FlagWrite != 0 {
		did = "write"
	}
	return f, m.denied(err, did, path)
}

// OpenDir opens a directory.
func (m Noted) OpenDir(path string) (Dir, error) {
	d, err := m.FileSystem.OpenDir(path)
	return d, m.denied(err, "list", path)
}

// Mkdir makes a directory.
func (m Noted) Mkdir(path string) error {
	return m.denied(m.FileSystem.Mkdir(path), "make", path)
}

// Rmdir removes a directory.
func (m Noted) Rmdir(path string) error {
	return m.denied(m.FileSystem.Rmdir(path), "remove", path)
}

// Remove removes a file.
func (m Noted) Remove(path string) error {
	return m.denied(m.FileSystem.Remove(path), "remove", path)
}

// Rename moves a file or directory.
func (m Noted) Rename(from, to string, replace bool) error {
	return m.denied(m.FileSystem.Rename(from, to, replace), "rename", from+" to "+to)
}
