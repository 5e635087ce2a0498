package client

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// peerOf returns the user id of whoever listens at the other end of a Unix socket, as the kernel says
// (SO_PEERCRED).
func peerOf(conn net.Conn) (int, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errors.New("not a Unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// ownerOf returns the user id of a folder's owner.
func ownerOf(folder string) (int, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return 0, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return 0, errors.New("not a folder with an owner")
	}
	return int(s.Uid), nil
}
