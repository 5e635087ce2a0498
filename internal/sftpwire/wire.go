// Package sftpwire parses and builds SFTP version 3 packets
// (draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL file for the
// extensions). Its input is not trusted: every length is checked before
// it is used, and memory is never allocated for a length that a packet only claims.
package sftpwire

import (
	"encoding/binary"
	"errors"
)

// Packet types (draft-ietf-secsh-filexfer-02 §3).
const (
	TypeInit          = 1
	TypeVersion       = 2
	TypeOpen          = 3
	TypeClose         = 4
	TypeRead          = 5
	TypeWrite         = 6
	TypeLstat         = 7
	TypeFstat         = 8
	TypeSetstat       = 9
	TypeFsetstat      = 10
	TypeOpendir       = 11
	TypeReaddir       = 12
	TypeRemove        = 13
	TypeMkdir         = 14
	TypeRmdir         = 15
	TypeRealpath      = 16
	TypeStat          = 17
	TypeRename        = 18
	TypeReadlink      = 19
	TypeSymlink       = 20
	TypeStatus        = 101
	TypeHandle        = 102
	TypeData          = 103
	TypeName          = 104
	TypeAttrs         = 105
	TypeExtended      = 200
	TypeExtendedReply = 201
)

// MaxPacket is the largest packet, in bytes without its length field, and
// MaxData the most bytes in one READ or WRITE (OpenSSH PROTOCOL,
// limits@openssh.com: 256 KiB and 255 KiB).
const (
	MaxPacket = 256 << 10
	MaxData   = 255 << 10
)

// Errors of Next and of the parsing methods of Request.
var (
	ErrShort  = errors.New("sftpwire: a field runs past the end of the packet")
	ErrLength = errors.New("sftpwire: the packet's length is out of bounds")
)

// Next returns the body of the first packet in buf, as a slice of buf. need is how many
// bytes the whole packet takes, length field included. If need is more than len(buf), body
// is nil and more bytes must be read. A length of zero or above MaxPacket is ErrLength; the
// stream cannot be read any further then.
func Next(buf []byte) (body []byte, need int, err error) {
	if len(buf) < 4 {
		return nil, 4, nil
	}
	n := binary.BigEndian.Uint32(buf)
	if n == 0 || n > MaxPacket {
		return nil, 0, ErrLength
	}
	need = 4 + int(n)
	if len(buf) < need {
		return nil, need, nil
	}
	return buf[4:need], need, nil
}

// reader reads the fields of a packet one by one. After an error, all later fields are
// zero or meaningless, and err stays set.
type reader struct {
	b   []byte
	err error
}

func (r *reader) byte() (v byte) {
	if len(r.b) < 1 {
		r.err = ErrShort
		return 0
	}
	v, r.b = r.b[0], r.b[1:]
	return v
}

func (r *reader) uint32() (v uint32) {
	if len(r.b) < 4 {
		r.err, r.b = ErrShort, nil
		return 0
	}
	v, r.b = binary.BigEndian.Uint32(r.b), r.b[4:]
	return v
}

func (r *reader) uint64() (v uint64) {
	if len(r.b) < 8 {
		r.err, r.b = ErrShort, nil
		return 0
	}
	v, r.b = binary.BigEndian.Uint64(r.b), r.b[8:]
	return v
}

// bytes returns a string field as a slice of the packet, not a copy.
func (r *reader) bytes() []byte {
	n := r.uint32()
	if r.err != nil || uint64(n) > uint64(len(r.b)) {
		r.err, r.b = ErrShort, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string { return string(r.bytes()) }
