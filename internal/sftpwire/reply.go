package sftpwire

import "encoding/binary"

// DataHeader is how many bytes of a DATA reply come before the data.
const DataHeader = 4 + 1 + 4 + 4

// Extension is an extension that VERSION advertises: its name, and its version in Data.
type Extension struct{ Name, Data string }

// begin starts a packet: four zero bytes for its length, its type and its id.
func begin(b []byte, kind byte, id uint32) []byte {
	b = append(b, 0, 0, 0, 0, kind)
	return binary.BigEndian.AppendUint32(b, id)
}

// end fills in the length of the packet that began at from.
func end(b []byte, from int) []byte {
	binary.BigEndian.PutUint32(b[from:], uint32(len(b)-from-4))
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// AppendVersion answers INIT.
func AppendVersion(b []byte, version uint32, ext []Extension) []byte {
	from := len(b)
	b = begin(b, TypeVersion, version)
	for _, e := range ext {
		b = appendString(appendString(b, e.Name), e.Data)
	}
	return end(b, from)
}

// AppendStatus answers with a code and a text for people, in English.
func AppendStatus(b []byte, id, code uint32, text string) []byte {
	from := len(b)
	b = binary.BigEndian.AppendUint32(begin(b, TypeStatus, id), code)
	return end(appendString(appendString(b, text), "en"), from)
}

// AppendHandle answers OPEN and OPENDIR.
func AppendHandle(b []byte, id uint32, handle []byte) []byte {
	from := len(b)
	b = binary.BigEndian.AppendUint32(begin(b, TypeHandle, id), uint32(len(handle)))
	return end(append(b, handle...), from)
}

// AppendDataHeader begins a DATA reply. The caller appends the n bytes of data.
func AppendDataHeader(b []byte, id uint32, n int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(1+4+4+n))
	b = binary.BigEndian.AppendUint32(append(b, TypeData), id)
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// AppendAttrsReply answers STAT, LSTAT and FSTAT.
func AppendAttrsReply(b []byte, id uint32, a *Attrs) []byte {
	from := len(b)
	return end(AppendAttrs(begin(b, TypeAttrs, id), a), from)
}

// Names builds a NAME reply entry by entry.
type Names struct {
	from  int
	count uint32
}

// BeginNames starts a NAME reply.
func BeginNames(b []byte, id uint32) ([]byte, Names) {
	n := Names{from: len(b)}
	return binary.BigEndian.AppendUint32(begin(b, TypeName, id), 0), n
}

// Append adds one name, its line as ls -l would print it, and its attributes.
func (n *Names) Append(b []byte, name string, long []byte, a *Attrs) []byte {
	n.count++
	b = appendString(b, name)
	b = binary.BigEndian.AppendUint32(b, uint32(len(long)))
	return AppendAttrs(append(b, long...), a)
}

// End completes the reply.
func (n *Names) End(b []byte) []byte {
	binary.BigEndian.PutUint32(b[n.from+4+1+4:], n.count)
	return end(b, n.from)
}

// AppendExtendedReply answers an extended request with 64-bit numbers, as
// statvfs@ and limits@ do.
func AppendExtendedReply(b []byte, id uint32, fields ...uint64) []byte {
	from := len(b)
	b = begin(b, TypeExtendedReply, id)
	for _, v := range fields {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return end(b, from)
}
