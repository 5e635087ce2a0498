package sshd

import (
	"context"
	"time"
)

// greetTime bounds how long a log-in waits for its greeting.
const greetTime = time.Second

// greet shows a client that has proven its key what is announced to its account, as an authentication
// banner. Every client knows those; interactive ones show them, and the data of a session is not touched.
func (a *attempt) greet(account string) {
	if a.s.o.Greeting == nil || a.pre == nil {
		return
	}
	ctx, cancel := context.WithTimeout(a.ctx, greetTime)
	defer cancel()
	if text := a.s.o.Greeting(ctx, account); text != "" {
		_ = a.pre.SendAuthBanner(text) // fails only if the client is gone
	}
}
