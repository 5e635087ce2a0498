package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/proof"
)

const (
	unsealed    = 10 * time.Minute
	notSent     = 49 * time.Hour // checkpoints are sent once a day
	weakHostKey = 3072           // bits of RSA host keys that are no more advised
)

// hostKeys looks whether the keys that partners know are there.
func (p *patient) hostKeys() {
	list, err := identity.InspectHostKeys(p.Config.Data)
	switch {
	case err != nil:
		p.say("host keys", Broken, "restore hostkeys/ from the backup", "They cannot be read: %s", fault.InWords(err))
		return
	case len(list) == 0:
		p.say("host keys", Broken,
			"restore hostkeys/ from the backup, or import the old server's: sallyport hostkey import FILE...",
			"There are none, and partners know this server by its keys.")
		return
	}
	var names []string
	for _, k := range list {
		names = append(names, k.Fingerprint)
	}
	if p.Store != nil {
		known, err := identity.KnownHostKeys(p.Store.Read(p.ctx))
		if err == nil && known != "" && known != strings.Join(names, " ") {
			p.say("host keys", Broken, "restore hostkeys/ from the backup",
				"They are not those of the server's last start: partners' programs would warn.")
			return
		}
	}
	for _, k := range list {
		if k.Type == "ssh-rsa" && k.Bits < weakHostKey {
			p.say("host keys", Odd, "sallyport hostkey rotate --type rsa", "The RSA key has %d bits; %d are advised.", k.Bits,
				weakHostKey)
			return
		}
	}
	p.well("host keys", "%d keys, those that partners know.", len(list))
}

// signingKey looks whether the key that signs receipts and the log is the one that the database knows.
func (p *patient) signingKey() {
	file := filepath.Join(proof.SigningDir(p.Config.Data), "key.pub")
	text, err := os.ReadFile(file)
	const fix = "restore signing/ from the backup; if it is lost: sallyport serve --new-signing-key REASON"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.say("signing key", Broken, fix, "There is none: receipts could not be signed, and the log not sealed.")
		return
	case err != nil:
		p.fails("signing key", err, fix)
		return
	}
	if p.Store != nil {
		known, err := identity.KnownSigningKey(p.Store.Read(p.ctx))
		now, _, _ := strings.Cut(string(text), "\n")
		if was, _, _ := strings.Cut(known, "\n"); err == nil && was != "" && was != now {
			p.say("signing key", Broken, fix, "It is not the one that the database knows.")
			return
		}
	}
	p.well("signing key", "It is the one that the database knows.")
}

// auditLog looks whether the log is sealed, and whether its checkpoints leave the machine.
func (p *patient) auditLog() {
	if !p.opened("audit log") {
		return
	}
	q := p.Store.Read(p.ctx)
	waiting, oldest, err := q.CountUnsealed()
	if err != nil {
		p.fails("audit log", err, "see database")
		return
	}
	sent, err := q.LastSent()
	switch {
	case err != nil:
		p.fails("audit log", err, "see database")
	case waiting > 0 && p.Clock().Sub(oldest) > unsealed:
		p.say("audit log", Broken, "sallyport audit verify says whether it was changed; the server's log why it stopped",
			"%d rows are not sealed, the oldest from %s.", waiting, p.ago(oldest))
	case len(p.Config.Audit.Checkpoints) == 0:
		p.say("audit log", Odd, `audit: {checkpoints: ["file:/mnt/elsewhere/checkpoints"]}`,
			"It is sealed, but no checkpoint leaves this machine: whoever has it can rewrite the past.")
	case sent.IsZero() && p.young():
		p.say("audit log", Odd, "wait a day, or: sallyport audit checkpoint > FILE",
			"It is sealed. No checkpoint has left this machine yet; the first leaves within a day.")
	case sent.IsZero() || p.Clock().Sub(sent) > notSent:
		p.say("audit log", Broken, "see the server's log, and audit.checkpoints", "No checkpoint left this machine lately.")
	default:
		p.well("audit log", "It is sealed; a checkpoint left this machine %s. sallyport audit verify reads all of it.",
			p.ago(sent))
	}
}

// young reports whether the log is too young for a checkpoint to have left.
func (p *patient) young() bool {
	rows, err := p.Store.Read(p.ctx).LogRows(0, 1)
	return err == nil && (len(rows) == 0 || p.Clock().Sub(rows[0].At) < notSent)
}

// backups looks how old the newest backup is.
func (p *patient) backups() {
	if !p.opened("backup") {
		return
	}
	tried, whole, why, err := p.Backups(p.ctx)
	oldest := time.Duration(p.Config.Backup.WarnAfter)
	switch {
	case err != nil:
		p.fails("backup", err, "see database")
	case whole.IsZero():
		p.say("backup", Odd, "sallyport backup TARGET, each day: docs/operate/backup.md",
			"There never was one. If this disk fails, everything is lost.")
	case p.Clock().Sub(whole) > oldest:
		text := "The newest is from " + p.ago(whole) + "."
		if tried.After(whole) && why != "" {
			text += " The latest try failed: " + why
		}
		p.say("backup", Broken, "sallyport backup TARGET; see what should have run it", "%s", text)
	default:
		p.well("backup", "The newest is from %s. Prove it: sallyport restore SOURCE --verify", p.ago(whole))
	}
}
