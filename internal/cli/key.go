package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxKeyFile is how much of a key file is read, in bytes. It exceeds any key, so that a file that
// is too large is not taken for a damaged one.
const maxKeyFile = 1 << 20

func (a *app) keyCommand() *cobra.Command {
	return group("key", "Users' keys, from the first file to the last log-in",
		a.keyAdd(), a.keyInspect(), a.keyIssue(), a.keyList(), a.keyRotate(), a.keySet(), a.keyRevoke(), a.keyActivity(),
		a.keyFreeze("freeze", "Stop a key at the word of any of the partner's contacts"),
		a.keyFreeze("thaw", "Let a frozen key work again, at the word of a second contact"),
		a.keyPending(), a.keyApprove(), a.keyRefuse(), a.keyBurned())
}

// newKey is an enrolment as given by flags.
type newKey struct {
	model.NewKey
	expires string
	private private
}

func (k *newKey) flags(c *cobra.Command) {
	c.Flags().StringVar(&k.Holder, "holder", "", "contact (id or e-mail) who has the private half")
	c.Flags().StringVar(&k.expires, "expires", "",
		"last day: 2027-06-30, a time, or a length of time: 365d (default: the configured one)")
	c.Flags().StringVar(&k.ConfirmedBy, "confirmed-by", "", "second contact (id or e-mail), needed after a key was frozen")
}

// ready parses the flags that are kept as text.
func (k *newKey) ready(ctx context.Context, a *app) (err error) {
	if k.expires != "" {
		k.ExpiresAt, err = a.expiry(ctx, k.expires)
	}
	return err
}

// expiry reads when something is to end: after a day, at a time, or a length of time from now by the
// server's clock.
func (a *app) expiry(ctx context.Context, text string) (*time.Time, error) {
	at, err := parseTime(text, a.now(ctx), ahead, true)
	if err != nil {
		return nil, err
	}
	at = at.UTC()
	return &at, nil
}

func (a *app) keyAdd() *cobra.Command {
	var in newKey
	c := command("add USER FILE|-", "Enrol a public key, in whatever form it was sent",
		cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
			if err := in.ready(ctx, a); err != nil {
				return err
			}
			return a.enrol(ctx, args[0], args[1], in)
		})
	c.Long = `Enrol a public key. The file may be an OpenSSH .pub file, what PuTTYgen's "Save public
key" wrote, PEM, or the bare base64; with Windows line ends, several keys, or pasted
from a mail.

A private key is refused and goes no further than this command. At a terminal you are told
whose key it is, and asked whether to block it. In a script it is blocked, since somebody
sent it: if it can be read, for ever, and its sessions end; if it is encrypted, it is
flagged. --no-block leaves it alone.`
	in.flags(c)
	in.private.flags(c)
	return c
}

// enrol reads a key file and enrols its keys.
func (a *app) enrol(ctx context.Context, user, file string, in newKey) error {
	text, found, err := a.readKey(ctx, user, file, in.private)
	if err != nil {
		return err
	}
	in.Text = string(text)
	added, err := a.client().AddKeys(ctx, user, in.NewKey)
	if err != nil {
		return err
	}
	if a.json {
		return a.show(added, table{})
	}
	for i, k := range added {
		fmt.Fprintf(a.Out, "Key %s (%s, %d bits) may log in as %s now.\n", k.Fingerprint, k.Type, k.Bits, k.User)
		fmt.Fprintf(a.Out, "Read from %s; old form MD5:%s%s\n", found[i].Format, found[i].MD5,
			ifAny("; comment: ", k.Comment))
		if found[i].Options != "" {
			fmt.Fprintf(a.Out, "The options before the key were left out (%s): limits are set here.\n", found[i].Options)
		}
		if in.Replaces != "" {
			fmt.Fprintf(a.Out,
				"The key %s works beside it for now, and retires a day after the new one's first log-in, "+
					"or when the overlap ends.\n", in.Replaces)
		}
	}
	return nil
}

func ifAny(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

// readFile reads a key file, or standard input for "-".
func (a *app) readFile(name string) ([]byte, error) {
	const op = "cli.readFile"
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fault.E(op, fault.NotFound, "The key file cannot be read: %v.", fault.InWords(err))
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err != nil {
		return nil, fault.E(op, fault.Invalid, "The key file cannot be read: %v.", fault.InWords(err))
	}
	if len(text) > maxKeyFile {
		return nil, fault.E(op, fault.Invalid, "This is far too large for a public key.")
	}
	return text, nil
}

// readKey reads the public keys in a file. A private key is not sent to the server.
func (a *app) readKey(ctx context.Context, user, name string, p private) ([]byte, []keys.Public, error) {
	text, err := a.readFile(name)
	if err != nil {
		return nil, nil, err
	}
	if keys.LooksPrivate(text) {
		return nil, nil, a.refusePrivate(ctx, user, name, text, p)
	}
	found, err := keys.Read(text)
	return text, found, err
}

func (a *app) keyInspect() *cobra.Command {
	return command("inspect FILE|-", "Say what a key file is, without enrolling it", cobra.ExactArgs(1),
		func(_ context.Context, args []string) error {
			text, err := a.readFile(args[0])
			if err != nil {
				return err
			}
			if keys.LooksPrivate(text) {
				return inspectPrivate(args[0], keys.Examine(text))
			}
			found, err := keys.Read(text)
			if err != nil {
				return err
			}
			t := table{head: []string{"TYPE", "BITS", "FINGERPRINT", "MD5", "READ FROM", "COMMENT"}}
			for _, k := range found {
				t.add(k.Type, fmt.Sprint(k.Bits), k.Fingerprint, k.MD5, k.Format, k.Comment)
			}
			return a.show(found, t)
		})
}

func (a *app) keyList() *cobra.Command {
	return listCommand(a, &listing[model.UserKeyFilter, model.Key]{use: "list USER", short: "List a user's keys",
		args: cobra.ExactArgs(1), head: keyColumns, more: []string{"EXPIRES", "RETIRES", "REVOKED"}, at: "ADDED",
		none: "The user has no keys yet.",
		read: (*client.Client).ListKeys, row: keyRow,
		ready: func(_ context.Context, f *model.UserKeyFilter, args []string) error {
			f.User = args[0]
			return nil
		}})
}

// keyColumns are the headings of keyRow.
var keyColumns = []string{"FINGERPRINT", "TYPE", "BITS", "HOLDER", "COMMENT", "ADDED", "LAST USED", "FROM", "WITH",
	"STATE"}

func keyRow(k model.Key) []any {
	return []any{k.Fingerprint, k.Type, k.Bits, k.Holder, k.Comment, k.CreatedAt, k.LastUsedAt, k.LastAddress,
		k.LastClient, keyState(k), k.ExpiresAt, k.RetiresAt, k.RevokedAt}
}

func keyTable(list []model.Key, none string) table {
	t := table{head: keyColumns, none: none}
	for _, k := range list {
		t.add(keyRow(k)...)
	}
	return t
}

// keyState describes a key's state, with its dates and its flag.
func keyState(k model.Key) string {
	s := model.Word(k.State)
	switch {
	case k.State == model.KeyRevoked && k.RevokedAt != nil, k.State == model.KeyBurned && k.RevokedAt != nil:
		s += " " + when(*k.RevokedAt) + ": " + k.RevokedWhy
	case k.State == model.KeyRetiring:
		s += " by " + when(*k.RetiresAt) + ", for " + k.ReplacedBy
	case k.State == model.KeyFrozen:
		s += " by " + k.FrozenBy
	case k.ExpiresAt != nil:
		s += ", expires " + when(*k.ExpiresAt)
	}
	if k.Flag != "" {
		s += "; look into it: " + k.Flag
	}
	return valid.Printable(s)
}

func (a *app) keySet() *cobra.Command {
	var in model.EditKey
	var expires string
	c := command("set USER FINGERPRINT", "Change a key's holder, expiry or flag", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) (err error) {
			in.Fingerprint = args[1]
			if expires == "never" {
				in.ExpiresAt = &time.Time{}
			} else if expires != "" {
				if in.ExpiresAt, err = a.expiry(ctx, expires); err != nil {
					return err
				}
			}
			k, err := a.client().EditKey(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(k, "Key %s of %s was changed: %s.", k.Fingerprint, k.User, keyState(k))
		})
	optText(c, &in.Holder, "holder", "", "contact (id or e-mail) who has the private half")
	c.Flags().StringVar(&expires, "expires", "", "last day: 2027-06-30, a length of time: 365d, or never")
	optText(c, &in.Flag, "flag", "", "what is to be looked into; empty once that is done")
	c.MarkFlagsOneRequired("holder", "expires", "flag")
	return c
}

func (a *app) keyFreeze(use, short string) *cobra.Command {
	var by string
	c := command(use+" FINGERPRINT --by CONTACT", short, cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			do := a.client().FreezeKey
			if use == "thaw" {
				do = a.client().ThawKey
			}
			v, err := do(ctx, model.ByContact{Fingerprint: args[0], By: by})
			if err != nil {
				return err
			}
			return a.show(v, keyTable(v, ""))
		})
	c.Flags().StringVar(&by, "by", "", "contact (id or e-mail) at whose word")
	_ = c.MarkFlagRequired("by")
	return c
}

func (a *app) keyPending() *cobra.Command {
	return listCommand(a, &listing[model.OfUserFilter, model.PendingKey]{use: "pending [USER]",
		short: "List unknown keys that were offered for real users and wait for your word", args: cobra.MaximumNArgs(1),
		head: []string{"USER", "FINGERPRINT", "TYPE", "BITS", "FIRST", "LAST", "TIMES", "ADDRESS", "CLIENT"}, at: "LAST",
		order: "last", desc: true, ready: ofUser, read: (*client.Client).ListPendingKeys,
		noneOf: "No key of %s waits. (Unknown keys are kept only with keys.pending in the configuration.)",
		none:   "No key waits. (Unknown keys are kept only with keys.pending in the configuration.)",
		row: func(p model.PendingKey) []any {
			return []any{p.User, p.Fingerprint, p.Type, p.Bits, p.FirstAt, p.LastAt, p.Times, p.Address, p.Client}
		}})
}

// ofUser completes a filter from the argument [USER].
func ofUser(_ context.Context, f *model.OfUserFilter, args []string) error {
	f.User = strings.Join(args, "")
	return nil
}

func (a *app) keyApprove() *cobra.Command {
	var in model.ApproveKey
	c := command("approve USER FINGERPRINT", "Let a key that waits in, after a contact read its fingerprint out to you",
		cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
			in.Fingerprint = args[1]
			v, err := a.client().ApproveKey(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "Key %s may log in as %s now.", v[0].Fingerprint, v[0].User)
		})
	c.Flags().StringVar(&in.Holder, "holder", "", "contact (id or e-mail) who has the private half")
	c.Flags().StringVar(&in.ConfirmedBy, "confirmed-by", "",
		"second contact (id or e-mail), needed after a key was frozen")
	return c
}

func (a *app) keyRefuse() *cobra.Command {
	return command("refuse USER FINGERPRINT", "Forget a key that waits", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			if err := a.client().RefuseKey(ctx, args[0], args[1]); err != nil {
				return err
			}
			return a.done(map[string]bool{"refused": true}, "The key %s no longer waits.", args[1])
		})
}

func (a *app) keyBurned() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.BurnedKey]{use: "burned",
		short: "List keys that are blocked for ever: their private half was exposed",
		head:  []string{"FINGERPRINT", "SINCE", "HOW", "WHY", "BY"}, at: "SINCE", order: "since", desc: true,
		none: "No key is blocked.", read: (*client.Client).ListBurnedKeys,
		row: func(b model.BurnedKey) []any { return []any{b.Fingerprint, b.At, b.How, b.Why, b.Actor} }})
}
