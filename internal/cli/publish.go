package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// publishing is the flags of publish.
type publishing struct {
	account string
	all     bool
	key     string
	expect  string // file of account IDs; each must get something
}

func (a *app) publishCommand() *cobra.Command {
	var p publishing
	c := command("publish FEED (--account ID | --all) FILE...", "Hand files to a feed's subscribers",
		cobra.MinimumNArgs(2), func(ctx context.Context, args []string) error { return a.publish(ctx, p, args[0], args[1:]) })
	c.Long = `Hand files to a feed's subscribers: of one account, or all.

A large file goes in parts and is resumed when the connection breaks. With
--idempotency-key a command that was cut off can be repeated: what was published
is not published again.

--expect names a file with an account ID a line; accounts of it that got none of
the files of this command are reported, and the exit status is 8. With it, and
with --account from-name, a file that is refused does not keep the others back.

With --account from-name the account is the part of the name before the first
underscore or dot, so that one command serves many accounts.`
	c.Flags().StringVar(&p.account, "account", "",
		"publish to this account's subscribers; from-name: each file's name begins with the account")
	c.Flags().BoolVar(&p.all, "all", false, "publish to every subscriber")
	c.Flags().StringVar(&p.key, "idempotency-key", "",
		"a repeated key publishes nothing again; with several files, each adds its name")
	c.Flags().StringVar(&p.expect, "expect", "",
		"file with the accounts that should get something, one a line; reports those that did not")
	c.MarkFlagsMutuallyExclusive("account", "all")
	c.MarkFlagsOneRequired("account", "all")
	return c
}

const fromName = "from-name"

// accountOf returns the account that a file's name begins with.
func accountOf(file string) string {
	name := filepath.Base(file)
	if i := strings.IndexAny(name, "_."); i > 0 {
		return name[:i]
	}
	return name
}

// published is the output of publish.
type published struct {
	Publications []model.Publication `json:"publications"`
	Failed       []string            `json:"failed,omitempty"`
	Without      []string            `json:"without,omitempty"` // expected accounts that got nothing
}

func (a *app) publish(ctx context.Context, p publishing, feed string, files []string) error {
	want, err := readExpected(p.expect)
	if err != nil {
		return err
	}
	many := len(want) > 0 || p.account == fromName
	out := published{Publications: []model.Publication{}}
	t := table{head: []string{"FILE", "SIZE", "MAILBOXES", "NOTE", "SHA-256"}}
	var failure error
	for _, file := range files {
		one := p
		if p.account == fromName {
			one.account = accountOf(file)
		}
		if p.key != "" && len(files) > 1 {
			one.key += "/" + filepath.Base(file)
		}
		v, err := a.publishFile(ctx, one, feed, file)
		if err != nil {
			if !many { // a single publication stops at the first error
				if showErr := a.showPublished(out, t, false); showErr != nil {
					return showErr
				}
				return err
			}
			a.failed(err, file+": ", "")
			out.Failed, failure = append(out.Failed, file), err
			continue
		}
		out.Publications = append(out.Publications, v)
		t.add(v.Name, size(v.Size), strconv.Itoa(v.Deliveries), publishNote(v), v.SHA256)
	}
	if len(want) > 0 {
		if out.Without, err = a.without(ctx, want, out.Publications); err != nil {
			return err
		}
	}
	if err := a.showPublished(out, t, many); err != nil {
		return err
	}
	if len(out.Without) > 0 {
		return fault.E("cli.publish", fault.NoRecipient, "%d of %d expected accounts got nothing: %s.", len(out.Without),
			len(want), strings.Join(out.Without, ", "))
	}
	return failure
}

func publishNote(v model.Publication) string {
	switch {
	case v.Repeated:
		return "published before"
	case v.Flag != "":
		return v.Flag
	case len(v.Missing) > 0:
		return "missing before it: " + strings.Join(v.Missing, ", ")
	}
	return ""
}

// showPublished prints the publications. With --json and many, the output also has what failed and
// which expected accounts got nothing.
func (a *app) showPublished(out published, t table, many bool) error {
	switch {
	case a.json && many:
		return a.show(out, t)
	case a.json:
		return a.show(out.Publications, t)
	case len(t.rows) == 0:
		return nil
	}
	return a.show(nil, t)
}

// readExpected reads account IDs, one per line; # begins a comment.
func readExpected(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.E("cli.publish", fault.NotFound, "The list of expected accounts cannot be read: %v.",
			fault.InWords(err))
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		id, _, _ := strings.Cut(lines.Text(), "#")
		if id = strings.TrimSpace(id); id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if err := lines.Err(); err != nil || len(out) == 0 {
		return nil, fault.E("cli.publish", fault.Invalid, "The list of expected accounts %s names nobody.", file)
	}
	return out, nil
}

// without returns the accounts for which none of the publications has a delivery.
func (a *app) without(ctx context.Context, want []string, published []model.Publication) ([]string, error) {
	var out []string
	for _, id := range want {
		got := slices.ContainsFunc(published, func(p model.Publication) bool { return p.Account == id && p.Deliveries > 0 })
		for _, p := range published {
			if got || p.Deliveries == 0 || p.Account == id {
				continue
			}
			// A file for all, or for another account: this account may be the other one's parent.
			page, err := a.client().ListDeliveries(ctx,
				model.DeliveryFilter{Publication: p.ID, Account: id, Paging: model.Paging{Limit: 1}})
			if err != nil {
				return nil, err
			}
			got = len(page.Items) > 0
		}
		if !got {
			out = append(out, id)
		}
	}
	return out, nil
}

const (
	partSize   = 16 << 20 // bytes per request of a file in parts
	partTries  = 8        // failures in a row before the command gives up
	wholeLimit = 64 << 20 // larger files are sent in parts
)

// publishFile hashes a file, and then sends it with its hash and size. If the file changes
// meanwhile, the server refuses it.
func (a *app) publishFile(ctx context.Context, p publishing, feed, file string) (v model.Publication, err error) {
	const op = "cli.publish"
	f, err := os.Open(file)
	if err != nil {
		return v, fault.E(op, fault.NotFound, "The file cannot be read: %v.", fault.InWords(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return v, fault.E(op, fault.Invalid, "%s is not a regular file.", file)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return v, fault.E(op, fault.Invalid, "The file cannot be read: %v.", fault.InWords(err))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return v, fault.E(op, fault.Invalid, "The file cannot be read: %v.", fault.InWords(err))
	}
	name := filepath.Base(file)
	q := model.PublishFile{Feed: feed, File: name, All: p.all, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: info.Size(),
		Key: p.key}
	if !p.all {
		q.Account = p.account
	}
	bar := a.progress(name, info.Size())
	defer bar.finish()
	if info.Size() <= wholeLimit {
		return a.client().Publish(ctx, q, bar.reader(f), info.Size())
	}
	if q.Upload, err = a.sendParts(ctx, f, info.Size(), bar); err != nil {
		return v, err
	}
	return a.client().Publish(ctx, q, nil, 0)
}

// sendParts sends a file in parts, and returns the upload's id. After an error it continues at the
// server's offset.
func (a *app) sendParts(ctx context.Context, f io.ReaderAt, total int64, bar progress) (string, error) {
	u, err := a.client().BeginUpload(ctx, model.NewUpload{Size: &total})
	if err != nil {
		return "", err
	}
	for failed := 0; u.Offset < total; {
		n := min(partSize, total-u.Offset)
		next, err := a.client().SendPart(ctx, u.ID, u.Offset, bar.reader(io.NewSectionReader(f, u.Offset, n)), n)
		if err == nil {
			u, failed = next, 0
			continue
		}
		failed++
		if failed > partTries || ctx.Err() != nil || !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Conflict) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(time.Duration(failed) * time.Second):
		}
		if now, err := a.client().ShowUpload(ctx, u.ID); err == nil {
			u = now
		}
	}
	return u.ID, nil
}
