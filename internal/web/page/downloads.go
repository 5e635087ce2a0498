package page

// Program is an SFTP program, with the files that it imports.
type Program struct {
	Name  string
	Files []Place
}

// Programs are the programs that import files, by the names that guides give them.
var Programs = []struct{ ID, Name string }{{"filezilla", "FileZilla"}, {"winscp", "WinSCP"}, {"openssh", "OpenSSH"},
	{"rclone", "rclone"}}
