package guide

import (
	"context"
	"fmt"

	"github.com/sallyport-sftp/sallyport/model"
)

// KeySheet writes the text that lies beside the files of an issued key. Unlike a guide, it can be written while the
// server's public name is not known: it leaves the address out. It fails if the user can't be issued a key.
func (s *Service) KeySheet(ctx context.Context, user string) (model.Document, error) {
	v, err := s.subject(ctx, user)
	if err != nil {
		return model.Document{}, err
	}
	if err := s.o.Accounts.MayIssue(v.user, v.contacts); err != nil {
		return model.Document{}, err
	}
	c := v.card.tame()
	d := c.keySheet()
	return model.Document{Format: "text", Text: d.text()}, nil
}

// keySheet says what the files are, who they are from, and what to do with them.
func (c *Card) keySheet() document {
	d := document{title: "Key files of user " + c.User, from: c.Operator.Name, site: c.Operator.URL,
		intro: []string{"With these files " + c.partner() + " exchanges files over SFTP."},
		card: []row{
			{c.file(), "your private key, for OpenSSH, Cyberduck, rclone and curl"},
			{c.file() + ".ppk", "the same key, for WinSCP, FileZilla and PuTTY"},
			{c.file() + ".pub", "the public half: the lock on your account. Anybody may see it"}},
		sections: []section{{title: "What to do", steps: []string{
			"Keep the files in a folder that only you can read, with a copy in a safe place.",
			"In your SFTP program, choose your file as the private key file. There is no password for the server.",
			"The program asks for a passphrase of seven words. It went to another person by another channel, and unlocks the " +
				"file on your computer.",
			"Never send the first two files to anybody. We will never ask for them, nor for the passphrase.",
			"If files or passphrase are lost, or get into other hands, tell us at once: we stop the key within seconds, and " +
				"make a new pair.",
		}}}}
	if c.Host != "" {
		d.card = append(d.card, row{"Server", fmt.Sprintf("%s, port %d, protocol SFTP", c.Host, c.Port)})
	}
	d.card = append(d.card, row{"Username", c.User})
	if help := c.Support.Help(); help != "" {
		d.card = append(d.card, row{"Help", help})
	}
	return d
}
