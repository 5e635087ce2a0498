// What hostile partners do to memory and processors.

package hostile

import (
	"context"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
)

// floods opens channels and fills their windows byte by byte.
func floods(s Server) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		c, err := s.dial()
		if err != nil {
			return err
		}
		defer c.Close()
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
		ch, reqs, err := c.OpenChannel("session", nil)
		if err != nil {
			return err
		}
		go ssh.DiscardRequests(reqs)
		for ctx.Err() == nil {
			if _, err := ch.Write([]byte{0}); err != nil {
				return nil
			}
		}
		return nil
	}
}

func readsNothing(s Server) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		p, err := s.join()
		if err != nil {
			return err
		}
		defer p.close()
		defer context.AfterFunc(ctx, p.close)()
		ask := p.packet(sftpwire.TypeRealpath, "/upload")
		for ctx.Err() == nil {
			if _, err := p.ch.Write(ask); err != nil {
				return nil
			}
		}
		return nil
	}
}

func holes(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		a, err := p.calls(p.open(fmt.Sprintf("/upload/h%d-%d", i, round%4)))
		if err != nil {
			return err
		}
		h := handle(a[0])
		_, err = p.calls(p.packet(sftpwire.TypeWrite, h, uint64([]int{800 << 20, 40 << 30}[round%2]), "x"),
			p.packet(sftpwire.TypeClose, h))
		return err
	})
}

// voids rewrites the start of a file and syncs it.
func voids(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		a, err := p.calls(p.open(fmt.Sprintf("/upload/v%d", i)))
		if err != nil {
			return err
		}
		h := handle(a[0])
		list := [][]byte{}
		for j := range 64 { // 2 MiB
			list = append(list, p.packet(sftpwire.TypeWrite, h, uint64(j)<<15, make([]byte, 32<<10)))
		}
		for j := range 50 {
			list = append(list, p.packet(sftpwire.TypeWrite, h, uint64(0), []byte{byte(j)}),
				p.packet(sftpwire.TypeExtended, "fsync@openssh.com", h))
		}
		_, err = p.calls(append(list, p.packet(sftpwire.TypeClose, h))...)
		return err
	})
}

// changesMiddle has stored files copied, hashed and stored again.
func changesMiddle(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		path := fmt.Sprintf("/upload/c%d", i)
		if round == 0 {
			a, err := p.calls(p.open(path))
			if err != nil {
				return err
			}
			h := handle(a[0])
			list := [][]byte{}
			for j := range 1024 { // 32 MiB
				list = append(list, p.packet(sftpwire.TypeWrite, h, uint64(j)<<15, make([]byte, 32<<10)))
			}
			_, err = p.calls(append(list, p.packet(sftpwire.TypeClose, h))...)
			return err
		}
		a, err := p.calls(p.packet(sftpwire.TypeOpen, path, flagWrite, uint32(0)))
		if err != nil {
			return err
		}
		h := handle(a[0])
		_, err = p.calls(p.packet(sftpwire.TypeWrite, h, uint64(5), []byte{byte(round)}), p.packet(sftpwire.TypeClose, h))
		return err
	})
}

func logsIn(s Server) func(context.Context, int) error {
	return func(context.Context, int) error {
		p, err := s.join()
		if err == nil {
			p.close()
		}
		return err
	}
}

func lists(s Server) func(context.Context, int) error {
	if p, err := s.join(); err == nil {
		defer p.close()
		for i := range 10 {
			opens := make([][]byte, 200)
			for j := range opens {
				opens[j] = p.open(fmt.Sprintf("/upload/l%d-%d", i, j))
			}
			_ = writeAndClose(p, opens)
		}
	}
	return lasting(s, func(p *peer, i, round int) error {
		a, err := p.calls(p.packet(sftpwire.TypeOpendir, "/upload"))
		if err != nil {
			return err
		}
		h := handle(a[0])
		for {
			a, err := p.calls(p.packet(sftpwire.TypeReaddir, h))
			if err != nil {
				return err
			}
			if a[0][0] == sftpwire.TypeStatus {
				break
			}
		}
		_, err = p.calls(p.packet(sftpwire.TypeClose, h))
		return err
	})
}

// breaksOff has the server compute a key exchange of 4096 bits, and leaves.
func breaksOff(s Server) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		c := s.config()
		c.Auth = nil
		c.KeyExchanges = []string{ssh.KeyExchangeDH16SHA512}
		_, err := ssh.Dial("tcp", s.Addr, c)
		return err
	}
}
