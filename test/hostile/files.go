// What hostile partners do with files and names.

package hostile

import (
	"context"
	"fmt"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
)

// lasting keeps a session for each goroutine, and begins another when it has ended.
func lasting(s Server, do func(p *peer, i, round int) error) func(context.Context, int) error {
	peers, rounds := make([]*peer, 100), make([]int, 100)
	return func(ctx context.Context, i int) (err error) {
		if peers[i] == nil {
			if peers[i], err = s.join(); err != nil {
				peers[i] = nil
				return err
			}
			context.AfterFunc(ctx, peers[i].close)
		}
		if err = do(peers[i], i, rounds[i]); err != nil {
			peers[i].close()
			peers[i] = nil
		}
		rounds[i]++
		return err
	}
}

func leavesPartials(s Server) func(context.Context, int) error {
	round := make([]int, 100)
	return func(_ context.Context, i int) error {
		p, err := s.join()
		if err != nil {
			return err
		}
		defer p.close()
		opens := make([][]byte, 200)
		for j := range opens {
			opens[j] = p.open(fmt.Sprintf("/upload/p%d-%d-%d", i, round[i], j))
		}
		round[i]++
		answers, err := p.calls(opens...)
		if err != nil {
			return err
		}
		var writes [][]byte
		for _, a := range answers {
			if h := handle(a); h != "" {
				writes = append(writes, p.packet(sftpwire.TypeWrite, h, uint64(0), "two"))
			}
		}
		_, err = p.calls(writes...)
		return err
	}
}

func putsAndRemoves(s Server) func(context.Context, int) error {
	content := make([]byte, 32<<10)
	return lasting(s, func(p *peer, i, round int) error {
		path := fmt.Sprintf("/upload/r%d", i)
		if err := p.put(path, content); err != nil {
			return err
		}
		_, err := p.calls(p.packet(sftpwire.TypeRemove, path))
		return err
	})
}

func replacesFromMany(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		opens := make([][]byte, 32)
		for j := range opens {
			opens[j] = p.open("/upload/one")
		}
		return writeAndClose(p, opens)
	})
}

// writeAndClose opens files at once, writes a byte to each and closes them at once.
func writeAndClose(p *peer, opens [][]byte) error {
	answers, err := p.calls(opens...)
	if err != nil {
		return err
	}
	var writes, closes [][]byte
	for _, a := range answers {
		if h := handle(a); h != "" {
			writes = append(writes, p.packet(sftpwire.TypeWrite, h, uint64(0), "x"))
			closes = append(closes, p.packet(sftpwire.TypeClose, h))
		}
	}
	if _, err = p.calls(writes...); err == nil {
		_, err = p.calls(closes...)
	}
	return err
}

func worksDeep(s Server) func(context.Context, int) error {
	deep := "/upload"
	if p, err := s.join(); err == nil {
		defer p.close()
		for range 70 {
			answer, err := p.calls(p.packet(sftpwire.TypeMkdir, deep+"/d", uint32(0)))
			if err != nil || answer[0][8] != 0 {
				break
			}
			deep += "/d"
		}
	}
	return lasting(s, func(p *peer, i, round int) error {
		opens := make([][]byte, 64)
		for j := range opens {
			opens[j] = p.open(fmt.Sprintf("%s/f%d-%d", deep, i, j))
		}
		return writeAndClose(p, opens)
	})
}

func closesMany(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		opens := make([][]byte, 200)
		for j := range opens {
			opens[j] = p.open(fmt.Sprintf("/upload/m%d-%d", i, j))
		}
		return writeAndClose(p, opens)
	})
}

// closesFailing makes commits that fail in their transaction: the directory is gone.
func closesFailing(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		dir := fmt.Sprintf("/upload/gone%d-%d", i, round)
		if _, err := p.calls(p.packet(sftpwire.TypeMkdir, dir, uint32(0))); err != nil {
			return err
		}
		opens := make([][]byte, 64)
		for j := range opens {
			opens[j] = p.open(fmt.Sprintf("%s/f%d", dir, j))
		}
		if _, err := p.calls(opens...); err != nil {
			return err
		}
		p.close() // empty uploads leave nothing, so that the directory goes
		return errClosed
	})
}

func renames(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		a, b := fmt.Sprintf("/upload/n%d", i), fmt.Sprintf("/upload/o%d", i)
		if round == 0 {
			if err := p.put(a, []byte("x")); err != nil {
				return err
			}
		}
		var list [][]byte
		for range 32 {
			list = append(list, p.packet(sftpwire.TypeRename, a, b), p.packet(sftpwire.TypeRename, b, a))
		}
		_, err := p.calls(list...)
		return err
	})
}

func mkdirs(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		var list [][]byte
		for j := range 32 {
			path := fmt.Sprintf("/upload/k%d-%d", i, j)
			list = append(list, p.packet(sftpwire.TypeMkdir, path, uint32(0)), p.packet(sftpwire.TypeRmdir, path))
		}
		_, err := p.calls(list...)
		return err
	})
}

func setstats(s Server) func(context.Context, int) error {
	return lasting(s, func(p *peer, i, round int) error {
		path := fmt.Sprintf("/upload/t%d", i)
		if round == 0 {
			if err := p.put(path, []byte("x")); err != nil {
				return err
			}
		}
		list := make([][]byte, 64)
		for j := range list {
			list[j] = p.packet(sftpwire.TypeSetstat, path, uint32(8), uint32(j), uint32(j)) // SSH_FILEXFER_ATTR_ACMODTIME
		}
		_, err := p.calls(list...)
		return err
	})
}
