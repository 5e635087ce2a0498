package attacks

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/test/hostile"
)

// One partner's worst day is nobody else's. Server, hostile and honest client share one
// process and two processors here, under the race detector, so only what must not
// happen is asserted; the benchmark, with processes of their own, compares rates
// (docs/benchmarks.md).
const (
	slowest95  = 3 * time.Second
	worstLogin = 4 * time.Second
	beside     = 2 * time.Second
)

func TestNeighbours(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		for _, p := range hostile.Partners {
			t.Run(p.Name, func(t *testing.T) { besides(t, url, p) })
		}
	})
}

func besides(t *testing.T, url string, partner hostile.Partner) {
	database := url
	if url != "" {
		database = testkit.Postgres(t).Database(t)
	}
	n := start(t, func(c *config.Config) {
		c.Database.URL = database
		c.Limits.UserSessions, c.Limits.AccountSessions = 10, 50
	})
	good, bad := n.User("honest"), n.User("hostile")
	stop := partner.Run(t.Context(), hostile.Server{Addr: n.Addr, User: "hostile", Key: bad})
	time.Sleep(500 * time.Millisecond) // it is at full speed
	pace, err := hostile.Honest(hostile.Server{Addr: n.Addr, User: "honest", Key: good}, beside)
	rounds := stop()
	testkit.Must(t, err)
	t.Logf("beside %d rounds: %v", rounds, pace)
	if pace.P95 > slowest95 || pace.WorstLogin > worstLogin {
		t.Errorf("the honest partner is slowed down: %v", pace)
	}
	testkit.Eventually(t, "descriptors are given back", func() bool {
		entries, err := os.ReadDir("/proc/self/fd")
		return err == nil && len(entries) < 400 // two nodes, and databases
	})
	n.Restart()
	if _, err := hostile.Honest(hostile.Server{Addr: n.Addr, User: "honest", Key: good}, 0); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}
