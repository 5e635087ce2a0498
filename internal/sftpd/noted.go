package sftpd

import (
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Noted is a FileSystem whose refusals for want of rights are noted with what was asked for, such as "list /a".
type Noted struct {
	FileSystem
	Denied func(what string)
}

// denied notes a refusal on its way to the client.
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

// Rename renames.
func (m Noted) Rename(from, to string, replace bool) error {
	return m.denied(m.FileSystem.Rename(from, to, replace), "rename", from+" to "+to)
}
