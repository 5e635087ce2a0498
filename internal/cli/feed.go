package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

func (a *app) feedCommand() *cobra.Command {
	return group("feed", "Named streams of files", a.feedAdd(), a.feedList(), a.feedShow(), a.feedSubscribe(), a.feedUnsubscribe())
}

func (a *app) feedAdd() *cobra.Command {
	var in struct {
		Name      string   `json:"name"`
		Kind      string   `json:"kind"`
		Types     []string `json:"types,omitempty"`
		Retention string   `json:"retention,omitempty"`
	}
	c := command("add NAME --kind KIND", "Add a feed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in.Name = args[0]
		v, err := call[exchange.Feed](ctx, a, "POST", "/feeds", in)
		if err != nil {
			return err
		}
		return a.done(v, "Feed %s was added. Next: sallyport feed subscribe %s USER", v.Name, v.Name)
	})
	c.Flags().StringVar(&in.Kind, "kind", "", "an open label: cdr, data, invoice, report")
	c.Flags().StringSliceVar(&in.Types, "types", nil, "file types that it takes: csv,pdf (default: all)")
	c.Flags().StringVar(&in.Retention, "retention", "", "how long its files stay: 12mo, 90d (default: the policy's)")
	_ = c.MarkFlagRequired("kind")
	return c
}

func (a *app) feedList() *cobra.Command {
	return command("list", "List feeds", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]exchange.Feed](ctx, a, "GET", "/feeds", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"FEED", "KIND", "TYPES", "RETENTION"}, none: "There are no feeds yet."}
		for _, f := range v {
			t.add(f.Name, f.Kind, joined(f.Types, "all"), f.Retention)
		}
		return a.show(v, t)
	})
}

func (a *app) feedShow() *cobra.Command {
	return command("show NAME", "Show a feed and who has it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		path := "/feeds/" + url.PathEscape(args[0])
		f, err := call[exchange.Feed](ctx, a, "GET", path, nil)
		if err != nil {
			return err
		}
		subs, err := call[[]exchange.Subscription](ctx, a, "GET", path+"/subscriptions", nil)
		if err != nil {
			return err
		}
		if a.json {
			return a.show(struct {
				exchange.Feed
				Subscriptions []exchange.Subscription `json:"subscriptions"`
			}{f, subs}, table{})
		}
		if err := a.card(f, [2]string{"Feed", f.Name}, [2]string{"Kind", f.Kind}, [2]string{"Types", joined(f.Types, "all")},
			[2]string{"Retention", f.Retention}, [2]string{"Since", when(f.CreatedAt)}); err != nil {
			return err
		}
		t := table{head: []string{"USER", "TYPES", "DIRECTORY", "SINCE"}, none: "Nobody has this feed yet."}
		for _, s := range subs {
			t.add(s.User, joined(s.Types, "all"), s.Dir, when(s.CreatedAt))
		}
		fmt.Fprintln(a.Out)
		return a.show(nil, t)
	})
}

func (a *app) feedSubscribe() *cobra.Command {
	var in struct {
		User  string   `json:"user"`
		Types []string `json:"types,omitempty"`
		Dir   string   `json:"dir,omitempty"`
	}
	c := command("subscribe FEED USER", "Entitle a user to a feed", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		in.User = args[1]
		v, err := call[exchange.Subscription](ctx, a, "POST", "/feeds/"+url.PathEscape(args[0])+"/subscriptions", in)
		if err != nil {
			return err
		}
		return a.done(v, "User %s gets %s in %s from now on.", v.User, v.Feed, v.Dir)
	})
	c.Flags().StringSliceVar(&in.Types, "types", nil, "file types that the user wants: csv,pdf (default: the feed's)")
	c.Flags().StringVar(&in.Dir, "dir", "", "where deliveries appear (default: /download/FEED)")
	return c
}

func (a *app) feedUnsubscribe() *cobra.Command {
	return command("unsubscribe FEED USER", "End a user's entitlement; what was delivered stays", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		_, err := call[any](ctx, a, "DELETE", "/feeds/"+url.PathEscape(args[0])+"/subscriptions/"+url.PathEscape(args[1]), nil)
		if err != nil {
			return err
		}
		return a.done(map[string]string{"feed": args[0], "user": args[1]}, "User %s gets %s no longer.", args[1], args[0])
	})
}

func (a *app) publishCommand() *cobra.Command {
	var p publishing
	c := command("publish FEED (--account ID | --all) FILE...", "Hand files to a feed's subscribers", cobra.MinimumNArgs(2),
		func(ctx context.Context, args []string) error { return a.publish(ctx, p, args[0], args[1:]) })
	c.Flags().StringVar(&p.account, "account", "", "publish to this account's subscribers")
	c.Flags().BoolVar(&p.all, "all", false, "publish to every subscriber")
	c.Flags().StringVar(&p.key, "idempotency-key", "", "a repeated key publishes nothing again; with several files, each adds its name")
	c.MarkFlagsMutuallyExclusive("account", "all")
	c.MarkFlagsOneRequired("account", "all")
	return c
}

type publishing struct {
	account string
	all     bool
	key     string
}

func (a *app) publish(ctx context.Context, p publishing, feed string, files []string) error {
	var out []exchange.Publication
	t := table{head: []string{"FILE", "SIZE", "MAILBOXES", "SHA-256"}}
	for _, file := range files {
		key := p.key
		if key != "" && len(files) > 1 {
			key += "/" + filepath.Base(file)
		}
		v, err := a.publishFile(ctx, p, feed, file, key)
		if err != nil {
			if showErr := a.showSome(out, t); showErr != nil {
				return showErr
			}
			return err
		}
		out = append(out, v)
		reached := strconv.Itoa(v.Deliveries)
		if v.Repeated {
			reached += " (before)"
		}
		t.add(v.Name, size(v.Size), reached, v.SHA256)
	}
	return a.show(out, t)
}

// showSome prints what was done before a failure, if anything was.
func (a *app) showSome(v []exchange.Publication, t table) error {
	if len(v) == 0 {
		return nil
	}
	return a.show(v, t)
}

// publishFile hashes a file, then sends it with what it must be, so that a
// file that changes meanwhile is refused.
func (a *app) publishFile(ctx context.Context, p publishing, feed, file, key string) (v exchange.Publication, err error) {
	const op = "cli.publish"
	f, err := os.Open(file)
	if err != nil {
		return v, exchange.E(op, exchange.NotFound, "The file cannot be read: %v.", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return v, exchange.E(op, exchange.Invalid, "%s is not a regular file.", file)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return v, exchange.E(op, exchange.Invalid, "The file cannot be read: %v.", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return v, exchange.E(op, exchange.Invalid, "The file cannot be read: %v.", err)
	}
	q := url.Values{"sha256": {hex.EncodeToString(sum.Sum(nil))}, "size": {strconv.FormatInt(info.Size(), 10)}}
	if p.all {
		q.Set("all", "true")
	} else {
		q.Set("account", p.account)
	}
	h := http.Header{}
	if key != "" {
		h.Set("Idempotency-Key", key)
	}
	name := filepath.Base(file)
	bar := a.progress(name, info.Size())
	defer bar.finish()
	return client.Call[exchange.Publication](ctx, a.client(), client.Request{Method: "PUT", Query: q, Header: h,
		Path: "/feeds/" + url.PathEscape(feed) + "/publications/" + url.PathEscape(name), Body: bar.reader(f), Size: info.Size()})
}
