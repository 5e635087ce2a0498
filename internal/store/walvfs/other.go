//go:build !linux

package walvfs

// VFS is SQLite's own: the log is written as SQLite does it.
type VFS struct{}

// New does nothing.
func New() (*VFS, error) { return &VFS{}, nil }

// Name is "", which means SQLite's own VFS.
func (*VFS) Name() string { return "" }

// Forget does nothing.
func (*VFS) Forget() {}

// Close does nothing.
func (*VFS) Close() {}
