package api_test

import (
	"testing"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestAWayWithAnUnfinishedUploadStays: a directory that was made only as the way to one that is removed goes with it,
// but not while a partner uploads into it.
func TestAWayWithAnUnfinishedUploadStays(t *testing.T) {
	n := testkit.Start(t)
	c := n.SFTP("acme", n.User("acme"))
	for _, path := range []string{"/upload/way/one", "/upload/way/two"} {
		testkit.Call[model.Directory](n, "POST", "/users/acme/directories", model.NewDirectory{Path: path,
			Rights: []string{"all"}})
	}
	remove := func(path string) error {
		return failure(n, client.Request{Method: "DELETE", Path: "/users/acme/directories?path=" + path})
	}
	there := func(path string) bool { _, err := c.Stat(path); return err == nil }
	testkit.Must(t, remove("/upload/way/one"))
	f, err := c.Create("/upload/way/half")
	testkit.Must(t, err)
	_, err = f.Write([]byte("half"))
	testkit.Must(t, err)
	testkit.Must(t, remove("/upload/way/two"))
	if !there("/upload/way") || there("/upload/way/two") {
		t.Fatal("a directory went with an upload that was under way, or one stayed that was to go")
	}
	testkit.Must(t, f.Close())
	testkit.WantKind(t, remove("/upload/way"), fault.Exists)
	testkit.Must(t, c.Remove("/upload/way/half"))

	testkit.Call[model.Directory](n, "POST", "/users/acme/directories", model.NewDirectory{Path: "/upload/way/three",
		Rights: []string{"all"}})
	testkit.Must(t, remove("/upload/way/three"))
	if there("/upload/way") || !there("/upload") {
		t.Error("the way stayed, or more than the way went")
	}
}
