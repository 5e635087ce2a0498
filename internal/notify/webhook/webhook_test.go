package webhook_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify/webhook"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// TestNoReceiverIsOnThisSideOfTheInternet: addresses of this machine and its neighbours are
// refused when they are configured. Names that resolve to one are refused when connecting.
func TestNoReceiverIsOnThisSideOfTheInternet(t *testing.T) {
	s := webhook.New(webhook.Policy{AllowHTTP: true}, time.Now)
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Must(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Errorf("somebody connected from %s", c.RemoteAddr())
			_ = c.Close()
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	testkit.Must(t, err)
	for _, c := range []struct {
		host    string
		literal bool
	}{{"127.0.0.1", true}, {"127.9.9.9", true}, {"[::1]", true}, {"[::ffff:127.0.0.1]", true}, {"[::ffff:7f00:1]", true},
		{"2130706433", false}, {"0x7f000001", false}, {"127.1", false},
		{"169.254.169.254", true}, {"10.0.0.1", true}, {"172.16.0.1", true}, {"192.168.1.1", true}, {"100.64.0.1", true},
		{"[fd00::1]", true}, {"[fe80::1]", true}, {"0.0.0.0", true},
		{"[::]", true}, {"[64:ff9b::7f00:1]", true}, {"[2002:7f00:1::]", true}, {"224.0.0.1", true},
		{"255.255.255.255", true}, {"localhost", false}, {"LOCALHOST.", false}} {
		url := "http://" + c.host + ":" + port + "/"
		if err := s.CheckURL(url); c.literal != fault.Is(err, fault.Denied) {
			t.Errorf("%s as a receiver's address: %v", url, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		err := s.Post(ctx, model.Webhook{URL: url, Secret: secret}, model.Message{EventID: "1", Body: "{}"})
		cancel()
		testkit.WantKind(t, err, fault.Unavailable)
		if c.literal && !strings.Contains(fault.PublicText(err), "not on the open internet") {
			t.Errorf("posting to %s: %s", url, fault.PublicText(err))
		}
	}
}

// TestAddressesThatAreNone: invalid schemes, users, ports and control characters.
func TestAddressesThatAreNone(t *testing.T) {
	p := webhook.Policy{}
	testkit.Must(t, p.CheckURL("https://billing.example.com/hooks?x=1"))
	testkit.Must(t, p.CheckURL("https://93.184.216.34:8443/"))
	for _, bad := range []string{"", "x", "https://", "https:///x", "http://billing.example.com/", "ftp://x/",
		"file:///etc/passwd", "https://u:p@x/", "https://x/#a", "https://x:0/", "https://x:99999/", "https://x/\n",
		"https://x\x00/", "javascript:alert(1)", "https://" + strings.Repeat("x", 2000)} {
		testkit.WantKind(t, p.CheckURL(bad), fault.Invalid)
	}
}

// TestTheOperatorMayAllowANetwork: only the allowed network becomes reachable.
func TestTheOperatorMayAllowANetwork(t *testing.T) {
	p := webhook.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}}
	for a, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "fd00:1::5": true,
		"fd00:2::5": false, "127.0.0.1": false, "8.8.8.8": true, "2606:4700::1": true} {
		if got := p.Reachable(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s may be a receiver: %v", a, got)
		}
	}
}
