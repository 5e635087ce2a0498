package platform_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var outboundStories = stories{
	"a file is published when it is closed": func(t *testing.T, w *world) {
		c := w.as("billing")
		f, err := c.Create("/outbound/data/acme/a.csv")
		testkit.Must(t, err)
		_, err = f.Write([]byte("a;b\n1;2\n"))
		testkit.Must(t, err)
		w.wantDelivered()
		testkit.Must(t, f.Close())
		w.wantDelivered("acme a.csv 1")
		w.wantText(w.as("acme"), "/download/data/a.csv", "a;b\n1;2\n")
		info, err := c.Stat("/outbound/data/acme/a.csv") // clients look for the file after CLOSE
		if err != nil || info.Size() != 8 {
			t.Fatalf("afterwards it is %v, %v", info, err)
		}
		w.wantNames(c, "/outbound/data/acme", "a.csv")
		wantDenied(t, "removing what was published", c.Remove("/outbound/data/acme/a.csv"))
		_, err = w.read(c, "/outbound/data/acme/a.csv")
		wantDenied(t, "reading what was published", err)
		w.put(c, "/outbound/data/acme/a.csv", "again")
		w.wantDelivered("acme a.csv 1", "acme a.csv 2")
		w.wantNames(w.as("billing"), "/outbound/data/acme") // another session does not see it
	},
	"the directory all is for every subscriber": func(t *testing.T, w *world) {
		w.put(w.as("billing"), "/outbound/data/all/a.csv", "1")
		w.wantDelivered("acme a.csv 1", "beta a.csv 1")
	},
	"a file under a temporary name is published by its rename, once": func(t *testing.T, w *world) {
		c := w.as("billing")
		w.put(c, "/outbound/data/acme/a.csv.filepart", "12")
		w.wantDelivered()
		w.wantNames(c, "/outbound/data/acme", "a.csv.filepart")
		if info, err := c.Stat("/outbound/data/acme/a.csv.filepart"); err != nil || info.Size() != 2 {
			t.Fatalf("it waits as %v, %v", info, err)
		}
		f, err := c.OpenFile("/outbound/data/acme/a.csv.filepart", os.O_WRONLY) // continues the file on hold
		testkit.Must(t, err)
		_, err = f.WriteAt([]byte("34"), 2)
		testkit.Must(t, err)
		testkit.Must(t, f.Close())
		testkit.Must(t, c.Rename("/outbound/data/acme/a.csv.filepart", "/outbound/data/acme/b.tmp"))
		w.wantDelivered()
		testkit.Must(t, c.Rename("/outbound/data/acme/b.tmp", "/outbound/data/acme/a.csv"))
		w.wantDelivered("acme a.csv 1")
		w.wantText(w.as("acme"), "/download/data/a.csv", "1234")
		wantAbsent(t, "a second rename", c.Rename("/outbound/data/acme/b.tmp", "/outbound/data/acme/a.csv"))
		testkit.Eventually(t, "it was opened", func() bool {
			list := testkit.List[model.Delivery](w.node, "/deliveries")
			return len(list) == 1 && list[0].State != model.DeliveryPublished
		})
		wantDenied(t, "renaming what was opened", c.Rename("/outbound/data/acme/a.csv", "/outbound/data/acme/c.csv"))
		w.wantDelivered("acme a.csv 1")
	},
	"a file that was published under a name that no list holds gets its final one": func(t *testing.T, w *world) {
		c := w.as("billing")
		w.put(c, "/outbound/data/acme/upload-7f3a.csv", "12")
		w.wantDelivered("acme upload-7f3a.csv 1")
		testkit.Must(t, c.Rename("/outbound/data/acme/upload-7f3a.csv", "/outbound/data/acme/a.csv"))
		w.wantText(w.as("acme"), "/download/data/a.csv", "12")
		if _, err := w.as("acme").Stat("/download/data/upload-7f3a.csv"); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the first name is still there: %v", err)
		}
		wantAbsent(t, "a second rename", c.Rename("/outbound/data/acme/upload-7f3a.csv", "/outbound/data/acme/b.csv"))
	},
	"a name that may be a temporary one waits for a better one, in every session": func(t *testing.T, w *world) {
		c := w.as("billing")
		w.put(c, "/outbound/data/acme/a.csv.4711", "12")
		w.put(c, "/outbound/data/acme/tmp.b.csv", "34")
		w.wantDelivered()
		testkit.Must(t, c.Close())
		w.node.Restart()
		c = w.as("billing")
		w.wantNames(c, "/outbound/data/acme", "a.csv.4711", "tmp.b.csv")
		testkit.Must(t, c.Rename("/outbound/data/acme/a.csv.4711", "/outbound/data/acme/a.csv"))
		w.wantDelivered("acme a.csv 1")
		w.wantText(w.as("acme"), "/download/data/a.csv", "12")
	},
	"files that programs leave in folders are never published": func(t *testing.T, w *world) {
		c := w.as("billing")
		_, err := c.Create("/outbound/data/acme/Thumbs.db")
		wantDenied(t, "Thumbs.db", err)
	},
	"a rename that is refused leaves the file under its temporary name": func(t *testing.T, w *world) {
		c := w.as("billing")
		w.put(c, "/outbound/data/acme/a.part", "a;b")
		wantStatus(t, "a name that does not fit", c.Rename("/outbound/data/acme/a.part", "/outbound/data/acme/a.pdf"),
			"does not begin like one")
		wantAbsent(t, "to nobody", c.Rename("/outbound/data/acme/a.part", "/outbound/data/nobody/a.csv"))
		wantDenied(t, "into the inbox", c.Rename("/outbound/data/acme/a.part", "/inbox/acme/acme/a.csv"))
		wantDenied(t, "out of the tree", c.Rename("/outbound/data/acme/a.part", "/a.csv"))
		w.wantDelivered()
		testkit.Must(t, c.Rename("/outbound/data/acme/a.part", "/outbound/data/beta/a.csv"))
		w.wantDelivered("beta a.csv 1")
	},
	"what is left under a temporary name is not published": func(t *testing.T, w *world) {
		c := w.as("billing")
		w.put(c, "/outbound/data/acme/a.part", "1")
		w.put(c, "/outbound/data/acme/b.part", "1")
		testkit.Must(t, c.Remove("/outbound/data/acme/b.part"))
		w.wantNames(c, "/outbound/data/acme", "a.part")
		f, err := c.Create("/outbound/data/acme/c.csv") // never closed
		testkit.Must(t, err)
		_, err = f.Write([]byte("half"))
		testkit.Must(t, err)
		testkit.Must(t, c.Close())
		testkit.Eventually(t, "the session's own stage is gone", func() bool {
			left, err := filepath.Glob(w.node.Data + "/blobs/staging/*")
			return err == nil && len(left) <= 2 // the file on hold and its note
		})
		w.wantDelivered()
		w.wantNames(w.as("billing"), "/outbound/data/acme", "a.part")
	},
	"what the feed refuses is told at CLOSE, and nobody gets it": func(t *testing.T, w *world) {
		testkit.Call[model.Feed](w.node, "POST", "/feeds",
			body{"name": "numbered", "kind": "cdr", "pattern": "{account}-{seq}.csv"})
		testkit.Call[model.Subscription](w.node, "POST", "/feeds/numbered/subscriptions", body{"user": "acme"})
		c := w.as("billing")
		for path, words := range map[string]string{
			"/outbound/numbered/acme/a.csv":      "does not fit the feed's pattern {account}-{seq}.csv",
			"/outbound/numbered/acme/beta-1.csv": "speaks of account beta",
			"/outbound/numbered/beta/beta-1.csv": "no subscriber in account beta",
			"/outbound/data/acme/a.zip":          "takes csv and pdf files",
			"/outbound/data/acme/a.pdf":          "does not begin like one",
			"/outbound/data/acme/a\nb.csv":       "control characters",
		} {
			wantStatus(t, path, w.write(c, path, "a;b"), words)
			_, err := c.Stat(path)
			wantAbsent(t, path, err)
		}
		w.wantDelivered()
		w.put(c, "/outbound/numbered/acme/acme-1.csv", "a;b")
		w.wantDelivered("acme acme-1.csv 1")
	},
	"a feed for some is closed to others": func(t *testing.T, w *world) {
		w.feed(body{"name": "private", "kind": "data", "recipients": []string{"acme"}}, "acme")
		c := w.as("billing")
		w.wantNames(c, "/outbound/private", "all", "acme")
		_, err := c.Create("/outbound/private/beta/a.csv")
		wantAbsent(t, "another account's directory", err)
		w.put(c, "/outbound/private/all/a.csv", "1")
		w.wantDelivered("acme a.csv 1")
	},
}

var inboxStories = stories{
	"reading a received file claims it, and removing it accepts it": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "a;b")
		w.service("rating", "127.0.0.0/8")
		c, other := w.as("billing"), w.as("rating")
		w.wantNames(c, "/inbox/acme/acme", "cdr.csv")
		w.wantNames(c, "/inbox/beta/beta")
		if d := w.drop(); d.State != model.DropNew {
			t.Fatalf("listing made it %s", d.State)
		}
		if info, err := c.Stat("/inbox/acme/acme/cdr.csv"); err != nil || info.Size() != 3 {
			t.Fatalf("it is %v, %v", info, err)
		}
		wantDenied(t, "removing an unread one", c.Remove("/inbox/acme/acme/cdr.csv"))
		if d := w.drop(); d.State != model.DropNew {
			t.Fatalf("removing it unread made it %s", d.State)
		}
		w.wantText(c, "/inbox/acme/acme/cdr.csv", "a;b")
		if d := w.drop(); d.State != model.DropClaimed || d.Consumer != "billing" {
			t.Fatalf("reading made it %s of %s", d.State, d.Consumer)
		}
		w.wantNames(other, "/inbox/acme/acme")
		_, err := w.read(other, "/inbox/acme/acme/cdr.csv")
		wantAbsent(t, "one that somebody else has", err)
		wantAbsent(t, "removing one that somebody else has", other.Remove("/inbox/acme/acme/cdr.csv"))
		w.wantText(w.as("billing"), "/inbox/acme/acme/cdr.csv", "a;b") // another session of the same user
		testkit.Must(t, c.Remove("/inbox/acme/acme/cdr.csv"))
		if d := w.drop(); d.State != model.DropAcked || d.Consumer != "billing" {
			t.Fatalf("removing made it %s of %s", d.State, d.Consumer)
		}
		w.wantNames(c, "/inbox/acme/acme")
		w.wantText(w.as("acme"), "/upload/cdr.csv", "a;b") // the mailbox still has it
	},
	"a claim over the API and one over SFTP exclude each other": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "a;b")
		list := testkit.Call[[]model.Drop](w.node, "POST", "/inbox/claims", body{"consumer": "rating"})
		if len(list) != 1 {
			t.Fatalf("claimed %+v", list)
		}
		c := w.as("billing")
		w.wantNames(c, "/inbox/acme/acme")
		testkit.Call[model.Drop](w.node, "POST", "/inbox/"+list[0].ID+"/release", body{"claim": list[0].Claim})
		w.wantText(c, "/inbox/acme/acme/cdr.csv", "a;b")
		if list = testkit.Call[[]model.Drop](w.node, "POST", "/inbox/claims", body{"consumer": "rating"}); len(list) != 0 {
			t.Fatalf("claimed %+v", list)
		}
	},
	"files of one name come one after another, the oldest first": func(t *testing.T, w *world) {
		acme := w.as("acme")
		testkit.Must(t, acme.Mkdir("/upload/one"))
		testkit.Must(t, acme.Mkdir("/upload/two"))
		w.put(acme, "/upload/one/cdr.csv", "first")
		w.put(acme, "/upload/two/cdr.csv", "second")
		c := w.as("billing")
		for _, text := range []string{"first", "second"} {
			w.wantNames(c, "/inbox/acme/acme", "cdr.csv")
			w.wantText(c, "/inbox/acme/acme/cdr.csv", text)
			w.wantText(c, "/inbox/acme/acme/cdr.csv", text)
			testkit.Must(t, c.Remove("/inbox/acme/acme/cdr.csv"))
		}
		w.wantNames(c, "/inbox/acme/acme")
	},
	"nothing is written into the inbox": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "a;b")
		c := w.as("billing")
		for _, flags := range []int{os.O_WRONLY, os.O_WRONLY | os.O_CREATE | os.O_TRUNC, os.O_RDWR,
			os.O_WRONLY | os.O_APPEND} {
			for _, path := range []string{"/inbox/acme/acme/cdr.csv", "/inbox/acme/acme/new.csv"} {
				_, err := c.OpenFile(path, flags)
				wantDenied(t, path, err)
			}
		}
		wantDenied(t, "truncating", c.Truncate("/inbox/acme/acme/cdr.csv", 0))
		wantDenied(t, "renaming", c.Rename("/inbox/acme/acme/cdr.csv", "/inbox/acme/acme/b.csv"))
		wantDenied(t, "making a directory", c.Mkdir("/inbox/acme/acme/sub"))
		wantDenied(t, "removing a directory", c.RemoveDirectory("/inbox/acme/acme"))
		if d := w.drop(); d.State != model.DropNew {
			t.Fatalf("it became %s", d.State)
		}
		w.wantText(c, "/inbox/acme/acme/cdr.csv", "a;b")
	},
}

var borderStories = stories{
	"the tree is what services know, and nothing else": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "a;b")
		c := w.as("billing")
		w.wantNames(c, "/", "inbox", "outbound")
		w.wantNames(c, "/outbound", "data")
		w.wantNames(c, "/outbound/data", "all", "acme", "beta")
		w.wantNames(c, "/inbox", "acme", "beta", "house")
		w.wantNames(c, "/inbox/house") // service users are not listed
		for _, path := range []string{"/etc/passwd", "/upload", "/inbox/none", "/inbox/acme/beta", "/inbox/acme/none",
			"/inbox/house/billing", "/inbox/acme/acme/none.csv", "/inbox/../../../etc/passwd", "/outbound/none",
			"/outbound/data/none", "/outbound/../upload",
			"/outbound/data/../../etc/passwd", "/..//etc//passwd",
			"/inbox/acme/acme/cdr.csv/more", "/outbound/data/acme/a/b", "/outbound/data/all/none.csv", "/Outbound/data",
			"/outbound\\data"} {
			_, err := c.Stat(path)
			wantAbsent(t, "stat "+path, err)
			_, err = c.ReadDir(path)
			wantAbsent(t, "list "+path, err)
			if _, err = w.read(c, path); err == nil {
				t.Errorf("%s was read", path)
			}
			if err := c.Rename(path, "/outbound/data/acme/a.csv"); err == nil {
				t.Errorf("%s was renamed", path)
			}
			if err := c.Remove(path); err == nil {
				t.Errorf("%s was removed", path)
			}
		}
		for _, path := range []string{"/a.csv", "/outbound/a.csv", "/outbound/data/a.csv", "/outbound/none/acme/a.csv",
			"/outbound/data/none/a.csv", "/outbound/data/acme/sub/a.csv", "/outbound/data/acme/../../../../tmp/a.csv",
			"/outbound/data/acme/..", "/outbound/data/acme"} {
			if f, err := c.Create(path); err == nil {
				t.Errorf("%s was opened for writing; closing: %v", path, f.Close())
			}
		}
		w.wantDelivered()
		if d := w.drop(); d.State != model.DropNew {
			t.Fatalf("the drop became %s", d.State)
		}
	},
	"dots and slashes lead to what they name": func(t *testing.T, w *world) {
		w.put(w.as("acme"), "/upload/cdr.csv", "a;b")
		c := w.as("billing")
		if p, err := c.RealPath("../../outbound//data/./acme/.."); err != nil || p != "/outbound/data" {
			t.Fatalf("the path is %q, %v", p, err)
		}
		w.put(c, "//outbound/../outbound/data//acme/./a.csv", "1")
		w.wantDelivered("acme a.csv 1")
		w.wantText(c, "inbox//acme/../acme/acme/cdr.csv", "a;b")
		f, err := c.Open("/inbox/acme/acme/cdr.csv")
		testkit.Must(t, err)
		b := make([]byte, 10)
		if n, err := f.ReadAt(b, 1); n != 2 || err != io.EOF || string(b[:n]) != ";b" {
			t.Fatalf("read %q, %v", b[:n], err)
		}
		testkit.Must(t, f.Close())
	},
	"a service user from elsewhere is not let in": func(t *testing.T, w *world) {
		w.service("far", "203.0.113.0/24")
		if c, err := ssh.Dial("tcp", w.node.Addr, testkit.ClientConfig("far", w.keys["far"])); err == nil {
			_ = c.Close()
			t.Fatal("it was let in")
		}
		w.wantNames(w.as("billing"), "/", "inbox", "outbound") // the user's list has this address
	},
	"a service user whose key is revoked publishes nothing more": func(t *testing.T, w *world) {
		c := w.as("billing")
		f, err := c.Create("/outbound/data/acme/a.csv")
		testkit.Must(t, err)
		_, err = f.Write([]byte("1"))
		testkit.Must(t, err)
		testkit.Call[model.Revoked](w.node, "POST", "/keys/revoke",
			body{"fingerprint": ssh.FingerprintSHA256(w.keys["billing"].PublicKey()), "reason": "lost"})
		if err := f.Close(); err == nil {
			t.Fatal("it was published")
		}
		w.wantDelivered()
	},
	"a partner sees neither tree": func(t *testing.T, w *world) {
		c := w.as("acme")
		w.wantNames(c, "/", "download", "upload")
		for _, path := range []string{"/outbound", "/outbound/data/acme", "/inbox", "/inbox/acme/acme"} {
			_, err := c.Stat(path)
			wantAbsent(t, path, err)
		}
		if _, err := c.Create("/outbound/data/acme/a.csv"); err == nil {
			t.Fatal("it may write there")
		}
	},
}

var producerStories = stories{
	"a producer's user publishes into its feeds beside its own mailbox": func(t *testing.T, w *world) {
		w.keys["maker"] = w.node.User("maker")
		w.keys["secret"] = w.node.User("secret")
		w.feed(body{"name": "made", "kind": "data", "producer": "maker"}, "acme")
		c := w.as("maker")
		w.wantNames(c, "/", "download", "upload", "outbound")
		w.wantNames(c, "/outbound", "made")
		w.wantNames(c, "/outbound/made", "all", "acme")
		w.put(c, "/outbound/made/acme/a.csv", "1")
		w.put(c, "outbound/made/acme/b.part", "2")
		testkit.Must(t, c.Rename("/outbound/made/acme/b.part", "/outbound/made/acme/b.csv"))
		w.wantDelivered("acme a.csv 1", "acme b.csv 1")
		w.put(c, "/upload/own.csv", "3") // its own mailbox still works
		w.wantText(c, "/upload/own.csv", "3")
		wantStatus(t, "renaming across", c.Rename("/upload/own.csv", "/outbound/made/acme/own.csv"),
			"cannot be renamed into or out of /outbound")
		_, err := c.Stat("/inbox")
		wantAbsent(t, "the inbox", err)
		_, err = c.Stat("/outbound/../upload/own.csv")
		testkit.Must(t, err)
	},
	"an account that is there and one that is not look the same to a producer": func(t *testing.T, w *world) {
		w.keys["maker"] = w.node.User("maker")
		w.feed(body{"name": "made", "kind": "data", "producer": "maker"}, "acme")
		c := w.as("maker")
		same := func(what string, pair [2]string, there, none error) {
			t.Helper()
			if there == nil || none == nil ||
				strings.ReplaceAll(there.Error(), pair[0], "") != strings.ReplaceAll(none.Error(), pair[1], "") {
				t.Errorf("%s: %v for one that is there, %v for one that is not", what, there, none)
			}
		}
		for what, pair := range map[string][2]string{"an account": {"/outbound/made/beta", "/outbound/made/none"},
			"a feed": {"/outbound/data", "/outbound/none"}, "a feed's account": {"/outbound/data/acme", "/outbound/none/acme"},
			"its all": {"/outbound/data/all", "/outbound/none/all"}} {
			errs := [2][]error{}
			for i, path := range pair {
				_, stat := c.Stat(path)
				_, list := c.ReadDir(path)
				_, create := c.Create(path + "/a.csv")
				_, open := c.Open(path + "/a.csv")
				errs[i] = []error{stat, list, create, open, c.Mkdir(path), c.RemoveDirectory(path), c.Remove(path + "/a.csv")}
			}
			for j := range errs[0] {
				same(what, pair, errs[0][j], errs[1][j])
			}
			w.put(c, "/outbound/made/acme/x.part", "1")
			same(what, pair, c.Rename("/outbound/made/acme/x.part", pair[0]+"/a.csv"),
				c.Rename("/outbound/made/acme/x.part", pair[1]+"/a.csv"))
		}
		w.wantDelivered()
	},
	"a vendor of a producer account sees its uploads alone": func(t *testing.T, w *world) {
		w.keys["maker"] = w.node.User("maker")
		w.feed(body{"name": "made", "kind": "data", "producer": "maker"}, "acme")
		testkit.Call[model.Vendor](w.node, "POST", "/vendors", body{"short": "telco", "name": "Telco"})
		testkit.Call[model.User](w.node, "POST", "/users", body{"account": "maker", "vendor": "telco"})
		w.keys["maker-telco"] = testkit.NewKey(t)
		w.node.Enrol("maker-telco", w.keys["maker-telco"])
		c := w.as("maker-telco")
		_, err := c.Stat("/outbound")
		wantAbsent(t, "the producer's part", err)
	},
}
