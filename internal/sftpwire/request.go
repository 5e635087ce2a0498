package sftpwire

// Request is one packet from a client. Which fields are set depends on Type.
// Handle and Data are slices of the packet's buffer and valid only as long as it.
type Request struct {
	Type     byte
	ID       uint32 // for INIT, the client's version
	Path     string // for RENAME and SYMLINK, the first path
	Path2    string
	Handle   []byte
	Offset   uint64
	Length   uint32
	Data     []byte
	Flags    uint32
	Attrs    Attrs
	Extended string // name of the extension; its own fields are in Data
}

// Parse reads a packet's body. After an error, ID is still set if it could be
// read, so that the client can be answered. Bytes after the last field are ignored,
// as in OpenSSH.
func (q *Request) Parse(body []byte) error {
	r := reader{b: body}
	*q = Request{Type: r.byte()}
	q.ID = r.uint32()
	switch q.Type {
	case TypeInit:
	case TypeOpen:
		q.Path, q.Flags, q.Attrs = r.string(), r.uint32(), r.attrs()
	case TypeClose, TypeFstat, TypeReaddir:
		q.Handle = r.bytes()
	case TypeRead:
		q.Handle, q.Offset, q.Length = r.bytes(), r.uint64(), r.uint32()
	case TypeWrite:
		q.Handle, q.Offset, q.Data = r.bytes(), r.uint64(), r.bytes()
	case TypeLstat, TypeStat, TypeOpendir, TypeRemove, TypeRmdir, TypeRealpath, TypeReadlink:
		q.Path = r.string()
	case TypeSetstat, TypeMkdir:
		q.Path, q.Attrs = r.string(), r.attrs()
	case TypeFsetstat:
		q.Handle, q.Attrs = r.bytes(), r.attrs()
	case TypeRename, TypeSymlink:
		q.Path, q.Path2 = r.string(), r.string()
	case TypeExtended:
		q.Extended, q.Data = r.string(), r.b
	}
	return r.err
}

// Paths reads n path fields of an extended request.
func (q *Request) Paths(n int) ([]string, error) {
	r := reader{b: q.Data}
	paths := make([]string, n)
	for i := range paths {
		paths[i] = r.string()
	}
	return paths, r.err
}

// HandleField reads an extended request that has one handle.
func (q *Request) HandleField() ([]byte, error) {
	r := reader{b: q.Data}
	return r.bytes(), r.err
}

// SetstatFields reads the path and attributes of lsetstat@openssh.com.
func (q *Request) SetstatFields() (string, Attrs, error) {
	r := reader{b: q.Data}
	p := r.string()
	a := r.attrs()
	return p, a, r.err
}

// CopyData is a copy-data request (draft-ietf-secsh-filexfer-extensions-00 §7). A
// Length of 0 means to the end of the file.
type CopyData struct {
	From, To         []byte
	FromOffset       uint64
	Length, ToOffset uint64
}

// CopyFields reads a copy-data request.
func (q *Request) CopyFields() (c CopyData, err error) {
	r := reader{b: q.Data}
	c.From, c.FromOffset, c.Length = r.bytes(), r.uint64(), r.uint64()
	c.To, c.ToOffset = r.bytes(), r.uint64()
	return c, r.err
}
