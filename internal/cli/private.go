package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/model"
)

// A private key file that is given in place of a public one is looked at here, and goes no further
// (docs/decisions/0006-exposed-keys.md). At a terminal a person says whether it was exposed: what a
// partner sent was, a wrong file of one's own was not. A script can't say, so the key is blocked
// unless a flag says otherwise.

// private says what to do about a private key file.
type private struct {
	block, noBlock bool
}

func (p *private) flags(c *cobra.Command) {
	c.Flags().BoolVar(&p.block, "block", false,
		"if the file is a private key, block it without a question; the default, but at a terminal")
	c.Flags().BoolVar(&p.noBlock, "no-block", false, "if the file is a private key, block nothing: it was never sent")
	c.MarkFlagsMutuallyExclusive("block", "no-block")
}

// refusePrivate returns the error for a private key file. Before that it tells the operator whose
// key it is, and blocks it if a person or a flag says so.
func (a *app) refusePrivate(ctx context.Context, user, file string, text []byte, p private) error {
	found := keys.Examine(text)
	asks := !p.block && !p.noBlock && !a.json && file != "-" && a.onTerminal()
	if !asks && !p.noBlock {
		return a.exposed(ctx, user, found)
	}
	refusal := fault.E("cli.readKey", fault.Invalid, "No key was enrolled: %s is a private key.", file).
		WithHint("choose the public file, usually ending in .pub")
	if a.json {
		return refusal
	}
	a.sayWhose(ctx, file, found)
	if p.noBlock {
		return refusal
	}
	known := fingerprints(found)
	if len(known) == 0 {
		return refusal
	}
	fmt.Fprintf(a.Err, `
Did somebody send you this file? Then others may have it, too. Block it, and read this to them:
  %s

Is it your own, and did it never leave this machine? Then it is still safe, and need not be blocked.

`, strings.Join(wrap(keys.PrivateKeyAdvice, 90, false), "\n  "))
	if !a.agrees(ctx, "Block "+strings.Join(known, ", ")+" now? "+whatBlockingDoes(found)) {
		fmt.Fprintln(a.Err, "Nothing was blocked.")
		return refusal
	}
	out, err := a.client().ExposeKeys(ctx, exposedKeys(user, found))
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "Done: %s.\n", out.Done())
	if len(out.Flagged) > 0 {
		fmt.Fprintln(a.Err, "The file is encrypted, and anybody can make one with another's public half. To block it anyway:")
		for _, f := range out.Flagged {
			fmt.Fprintf(a.Err, "  sallyport key revoke %s --reason 'private file was sent' --burn\n", f)
		}
	}
	return refusal
}

// inspectPrivate returns the error of "key inspect" for a private key file.
func inspectPrivate(file string, found []keys.Exposed) error {
	e := fault.E("cli.keyInspect", fault.Invalid,
		"%s is a private key. Nothing of it was sent, and nothing was kept.", file)
	if known := fingerprints(found); len(known) > 0 {
		e.Public += " Its public half is " + strings.Join(known, ", ") + "."
	}
	return e.WithHint("the public file usually ends in .pub")
}

func whatBlockingDoes(found []keys.Exposed) string {
	for _, f := range found {
		if f.Proven {
			return "Its sessions end, and nobody can enrol it again."
		}
	}
	return "If it is enrolled, it is flagged and works on, since an encrypted file proves nothing."
}

// fingerprints returns the fingerprints of the keys that are known.
func fingerprints(found []keys.Exposed) (list []string) {
	for _, f := range found {
		if f.Key.Fingerprint != "" {
			list = append(list, f.Key.Fingerprint)
		}
	}
	return list
}

// sayWhose tells what a private key file is, and whose key it is here. The server is asked about
// fingerprints alone.
func (a *app) sayWhose(ctx context.Context, file string, found []keys.Exposed) {
	for _, f := range found {
		kind := "encrypted"
		if f.Proven {
			kind = "not encrypted"
		}
		fmt.Fprintf(a.Err, "%s is a private key (%s, %s). Nothing of it was sent, and nothing was kept.\n", file, f.Format,
			kind)
		if f.Key.Fingerprint == "" {
			fmt.Fprintln(a.Err, "Which key it is cannot be told without its passphrase.")
			continue
		}
		list, err := client.All(ctx, a.client().ShowKey, model.FingerprintFilter{Fingerprint: f.Key.Fingerprint})
		switch {
		case fault.Is(err, fault.NotFound) || err == nil && len(list) == 0:
			fmt.Fprintf(a.Err, "Its public half, %s, is enrolled for nobody here.\n", f.Key.Fingerprint)
		case err != nil:
			fmt.Fprintf(a.Err, "Its public half is %s. Whose key that is cannot be told: %s\n", f.Key.Fingerprint,
				fault.PublicText(err))
		}
		for _, k := range list {
			fmt.Fprintf(a.Err, "It is the key %s of user %s%s, %s; %s.\n", k.Fingerprint, k.User, ifAny(", held by ", k.Holder),
				keyState(k), lastUse(k))
		}
	}
}

// lastUse says when a key was used last.
func lastUse(k model.Key) string {
	if k.LastUsedAt == nil {
		return "no log-in with it is on record"
	}
	return "last log-in " + when(*k.LastUsedAt) + ifAny(" from ", k.LastAddress) + ifAny(" with ", k.LastClient)
}

// exposed reports to the server the keys whose private files were sent. It returns the error to
// show to the user.
func (a *app) exposed(ctx context.Context, user string, files []keys.Exposed) error {
	refusal := fault.E("cli.readKey", fault.Invalid, "%s", keys.PrivateKeyAdvice)
	out, err := a.client().ExposeKeys(ctx, exposedKeys(user, files))
	if err != nil {
		return refusal.WithHint("the server could not be told of it, so nothing was blocked: %s", fault.PublicText(err))
	}
	refusal.Public = out.Advice
	if done := out.Done(); done != "" {
		return refusal.WithHint("%s", done)
	}
	return refusal
}

// exposedKeys is what the server is told of private key files: the public halves, and what was
// proven.
func exposedKeys(user string, files []keys.Exposed) model.ExposedKeys {
	body := model.ExposedKeys{User: user, Files: []model.ExposedFile{}}
	for _, f := range files {
		body.Files = append(body.Files, model.ExposedFile{Format: f.Format, Public: f.Key.Line, Proven: f.Proven})
	}
	return body
}
