package sftpd

import (
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Listing is a FileSystem that shows names and refuses everything else: contents and changes.
type Listing struct{ FileSystem }

func onlyLists() error {
	return fault.E("sftpd.Listing", fault.Denied, "This log-in may only list.")
}

// Open fails.
func (Listing) Open(string, exchange.OpenFlags, uint32) (File, error) { return nil, onlyLists() }

// Setstat fails.
func (Listing) Setstat(string, exchange.Change) error { return onlyLists() }

// Mkdir fails.
func (Listing) Mkdir(string) error { return onlyLists() }

// Rmdir fails.
func (Listing) Rmdir(string) error { return onlyLists() }

// Remove fails.
func (Listing) Remove(string) error { return onlyLists() }

// Rename fails.
func (Listing) Rename(string, string, bool) error { return onlyLists() }
