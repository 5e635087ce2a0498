package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
)

type whoKey struct{}

// A client within the server's process hands the caller's context on, streams answers, and ends as the
// handler ends.
func TestClientWithinAProcess(t *testing.T) {
	first, second := make(chan struct{}), make(chan struct{})
	c := client.Within(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/who":
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s sent %s", r.Context().Value(whoKey{}), body)
		case "/api/v1/slow":
			_, _ = w.Write([]byte("one "))
			<-first
			_, _ = w.Write([]byte("two"))
		case "/api/v1/broken":
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		case "/api/v1/never":
			<-second
		}
	}))
	ctx := context.WithValue(context.Background(), whoKey{}, "kim")
	ask := func(ctx context.Context, path string) (io.Reader, error) {
		r, err := c.Send(ctx, client.Request{Method: "POST", Path: path, Body: strings.NewReader("a file"), Size: 6})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = r.Body.Close() })
		return r.Body, nil
	}
	r, err := ask(ctx, "/who")
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(r); string(body) != "kim sent a file" {
		t.Errorf("it answers %q", body)
	}
	if r, err = ask(ctx, "/slow"); err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 4)
	if _, err := io.ReadFull(r, piece); err != nil || string(piece) != "one " {
		t.Errorf("before its end it has sent %q, %v", piece, err)
	}
	close(first)
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "two" {
		t.Errorf("then %q, %v", rest, err)
	}
	if r, err = ask(ctx, "/broken"); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r); err == nil {
		t.Errorf("a broken answer ends as if it were whole: %q", body)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	var e *client.Error
	if _, err := ask(short, "/never"); !errors.As(err, &e) {
		t.Errorf("without an answer: %v", err)
	}
	close(second)
}
