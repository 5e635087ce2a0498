package sftpwire

import "encoding/binary"

// Attribute flags (draft-ietf-secsh-filexfer-02 §5).
const (
	AttrSize        = 1
	AttrOwner       = 2
	AttrPermissions = 4
	AttrTimes       = 8
	AttrExtended    = 1 << 31
)

// File type bits in Permissions (POSIX).
const (
	ModeDir     = 0o040000
	ModeRegular = 0o100000
)

// Attrs are a file's attributes; Flags says which fields are set. Extended
// pairs are skipped.
type Attrs struct {
	Flags        uint32
	Size         uint64
	UID, GID     uint32
	Permissions  uint32
	Atime, Mtime uint32 // seconds since 1970
}

func (r *reader) attrs() (a Attrs) {
	a.Flags = r.uint32()
	if a.Flags&AttrSize != 0 {
		a.Size = r.uint64()
	}
	if a.Flags&AttrOwner != 0 {
		a.UID, a.GID = r.uint32(), r.uint32()
	}
	if a.Flags&AttrPermissions != 0 {
		a.Permissions = r.uint32()
	}
	if a.Flags&AttrTimes != 0 {
		a.Atime, a.Mtime = r.uint32(), r.uint32()
	}
	if a.Flags&AttrExtended != 0 {
		for n := r.uint32(); n > 0 && r.err == nil; n-- {
			r.bytes()
			r.bytes()
		}
	}
	return a
}

// AppendAttrs writes attributes; extended pairs are never sent.
func AppendAttrs(b []byte, a *Attrs) []byte {
	b = binary.BigEndian.AppendUint32(b, a.Flags&^AttrExtended)
	if a.Flags&AttrSize != 0 {
		b = binary.BigEndian.AppendUint64(b, a.Size)
	}
	if a.Flags&AttrOwner != 0 {
		b = binary.BigEndian.AppendUint32(b, a.UID)
		b = binary.BigEndian.AppendUint32(b, a.GID)
	}
	if a.Flags&AttrPermissions != 0 {
		b = binary.BigEndian.AppendUint32(b, a.Permissions)
	}
	if a.Flags&AttrTimes != 0 {
		b = binary.BigEndian.AppendUint32(b, a.Atime)
		b = binary.BigEndian.AppendUint32(b, a.Mtime)
	}
	return b
}
