package client

import (
	"io"
	"net/http"
	"sync"
)

// Within returns a client of a server in the same process: operations are handled by handler, which
// gets the context of each call. Answers are streamed.
func Within(handler http.Handler) *Client {
	return &Client{base: "http://within", where: "this process", http: &http.Client{Transport: within{handler}}}
}

// within is a transport that calls a handler.
type within struct{ handler http.Handler }

// RoundTrip runs the handler, and returns as soon as it has begun its answer.
func (t within) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	from, to := io.Pipe()
	a := &answer{header: http.Header{}, body: to, begun: make(chan struct{})}
	go func() {
		defer func() {
			if recover() != nil { // the handler broke its answer off, or should have been guarded (httpd.Guard)
				_ = to.CloseWithError(http.ErrAbortHandler)
			}
			a.WriteHeader(http.StatusOK)
			_ = to.Close() // the end, unless it failed
		}()
		t.handler.ServeHTTP(a, r)
	}()
	select {
	case <-a.begun:
	case <-r.Context().Done():
		_ = from.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: a.status, Status: http.StatusText(a.status), Header: a.sent, Body: from,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Request: r}, nil
}

// answer is a handler's answer, on its way to the client.
type answer struct {
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	begun  chan struct{} // closed when status and sent are set
	status int
	sent   http.Header
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	})
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
