package platform_test

import (
	"net/url"
	"testing"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestAFileCalledAsAFolderOfOurs: a partner's files have the names of the folders for accepted
// files and notes of refusals. Both still work, with other folders.
func TestAFileCalledAsAFolderOfOurs(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, func(c *config.Config) { c.Database.URL, c.Inbox.After = database, "move" })
		c := w.as("acme")
		for _, name := range []string{"processed", "refused", "refused-2", "good.csv", "bad.csv"} {
			w.put(c, "/upload/"+name, name)
		}
		for _, live := range testkit.List[model.Session](w.node, "/sessions") { // moves wait until sessions have ended
			testkit.Call[any](w.node, "DELETE", "/sessions/"+live.ID, nil)
		}
		for _, d := range w.node.Drops() {
			switch d.Path {
			case "/upload/good.csv":
				testkit.Call[model.Drop](w.node, "POST", "/inbox/"+d.ID+"/ack", body{})
			case "/upload/bad.csv":
				testkit.Call[model.Drop](w.node, "POST", "/inbox/"+d.ID+"/reject", body{"reason": "no header"})
			}
		}
		look := func(path string) func() bool { // not over SFTP, because moves wait until sessions have ended
			return func() bool {
				_, err := client.Call[model.Page[model.FileInfo]](t.Context(), w.node.API,
					client.Request{Method: "GET", Path: "/users/acme/files", Query: url.Values{"path": {path}}})
				return err == nil
			}
		}
		testkit.Eventually(t, "the note is there", look("/upload/refused-3/bad.csv.txt"))
		testkit.Eventually(t, "the accepted file was moved", look("/upload/processed-2/good.csv"))
		c = w.as("acme")
		w.wantText(c, "/upload/processed", "processed")
		w.wantText(c, "/upload/refused", "refused")
		if !w.node.Log.Contains("another folder has its place") {
			t.Error("nobody was told")
		}
	})
}
