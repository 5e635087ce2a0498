package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// whole is a body that says when its last byte was taken.
type whole struct {
	io.Reader
	taken func()
}

func (w whole) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err == io.EOF {
		w.taken()
	}
	return n, err
}

// publishThen publishes a file to everybody and does something a moment after
// its last byte left; its context ends then, too, if hangUp.
func publishThen(s *server, name string, content []byte, hangUp bool, then func()) (model.Publication, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	body := whole{bytes.NewReader(content), func() {
		go func() {
			time.Sleep(time.Duration(mathrand.IntN(40)) * time.Millisecond) // any moment will do
			then()
			if hangUp {
				cancel()
			}
		}()
	}}
	return client.Call[model.Publication](ctx, s.api,
		client.Request{Method: "PUT", Path: "/feeds/cdr/publications/" + name,
			Query: url.Values{"all": {"true"}}, Header: http.Header{"Idempotency-Key": {name}}, Body: body,
			Size: int64(len(content))})
}

// TestSendersThatHangUp: senders go away a few milliseconds after their last
// byte, or the server is told to stop then. What was published can be read, and
// a retry under the same key finds it whole.
func TestSendersThatHangUp(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, database string) {
		yaml := ""
		if database != "" {
			yaml = onPostgres(database)
		}
		data := filepath.Join(t.TempDir(), "data")
		s := start(t, data, yaml)
		key := s.user("acme")
		call[model.Feed](s, "POST", "/feeds", map[string]string{"name": "cdr", "kind": "cdr", "folders": "{yyyy}/{mm}"})
		call[model.Subscription](s, "POST", "/feeds/cdr/subscriptions", map[string]string{"user": "acme"})
		for i := range 40 {
			name := fmt.Sprintf("sub-%03d", i)
			call[model.Account](s, "POST", "/accounts", map[string]string{"id": name, "name": name})
			call[model.User](s, "POST", "/users", map[string]string{"account": name})
			call[model.Subscription](s, "POST", "/feeds/cdr/subscriptions", map[string]string{"user": name})
		}
		content := func(name string) []byte { return bytes.Repeat([]byte(name+"\n"), 2000) }
		cut := 0
		const hangUps, stops = 30, 6
		for i := range hangUps {
			name := fmt.Sprintf("hangup-%02d.csv", i)
			if _, err := publishThen(s, name, content(name), true, func() {}); err != nil {
				cut++
			}
		}
		for i := range stops {
			name := fmt.Sprintf("stop-%02d.csv", i)
			stopped := make(chan struct{})
			_, err := publishThen(s, name, content(name), false, func() {
				s.term()
				close(stopped)
			})
			if err != nil {
				cut++
			}
			<-stopped
			s = start(t, data, yaml)
		}
		t.Logf("%d of %d senders got no answer", cut, hangUps+stops)
		c := s.mustSFTP("acme", key)
		root := "/download/cdr/" + time.Now().UTC().Format("2006/01") + "/"
		for i := range hangUps + stops {
			name := fmt.Sprintf("hangup-%02d.csv", i)
			if i >= hangUps {
				name = fmt.Sprintf("stop-%02d.csv", i-hangUps)
			}
			out, err := publishThen(s, name, content(name), false, func() {})
			if err != nil || out.Deliveries != 41 {
				t.Fatalf("%s again: %+v, %v", name, out, err)
			}
			if got, err := get(c, root+name); err != nil || !bytes.Equal(got, content(name)) {
				t.Fatalf("%s: %d bytes, %v", name, len(got), err)
			}
		}
		s.term()
	})
}
