package service

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// prometheus is one that asks every second, and alerts without waiting.
type prometheus struct {
	t   *testing.T
	url string
}

// startPrometheus runs Debian's Prometheus with the rules of examples/ until the test ends.
func startPrometheus(t *testing.T, targets ...string) *prometheus {
	t.Helper()
	dir, listen := t.TempDir(), "127.0.0.1:"+testkit.FreePort(t)
	rules := string(testkit.MustRead(t, "../../examples/prometheus/alerts.yaml"))
	rules = regexp.MustCompile(`(?m)^ +for: .*\n`).ReplaceAllString(rules, "")
	conf := string(testkit.MustRead(t, "../../examples/prometheus/prometheus.yaml"))
	all := `["` + strings.Join(targets, `", "`) + `"]`
	conf = strings.NewReplacer(": 30s", ": 1s", `["127.0.0.1:9222"]`, all).Replace(conf)
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "alerts.yaml"), []byte(rules), 0o600))
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(conf), 0o600))
	c := exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path",
		filepath.Join(dir, "data"), "--web.listen-address", listen, "--log.level", "warn")
	log := &testkit.Log{}
	c.Stdout, c.Stderr = log, log
	testkit.Must(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("Prometheus:\n%s", log)
		}
	})
	return &prometheus{t, "http://" + listen}
}

// ask asks its API; false if it does not answer yet.
func (p *prometheus) ask(path string, into any) bool {
	resp, err := http.Get(p.url + path)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(into) == nil
}

// values returns how many results an expression has; -1 if it is none.
func (p *prometheus) values(expr string) int {
	var out struct {
		Data struct {
			Result []any `json:"result"`
		} `json:"data"`
	}
	if !p.ask("/api/v1/query?query="+url.QueryEscape(expr), &out) {
		return -1
	}
	return len(out.Data.Result)
}

// firing lists the alerts that fire: "name instance" or "name topic".
func (p *prometheus) firing() (all []string) {
	var out struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string `json:"labels"`
				State  string            `json:"state"`
			} `json:"alerts"`
		} `json:"data"`
	}
	p.ask("/api/v1/alerts", &out)
	for _, a := range out.Data.Alerts {
		if a.State == "firing" {
			name := strings.TrimPrefix(a.Labels["alertname"], "Sallyport")
			all = append(all, name+" "+a.Labels["instance"]+a.Labels["topic"])
		}
	}
	return all
}

// watched starts a node with metrics, and returns their address.
func watched(t *testing.T, options ...testkit.Option) (*testkit.Node, string) {
	listen := "127.0.0.1:" + testkit.FreePort(t)
	return testkit.Start(t, append(options, func(c *config.Config) { c.Metrics.Listen = listen })...), listen
}

// TestAlertsFire plants faults and waits for Prometheus to say so, with the rules as they are shipped.
func TestAlertsFire(t *testing.T) {
	testkit.Long(t, "it runs Prometheus")
	good, goodAt := watched(t)
	down, downAt := watched(t)
	_, fullAt := watched(t, func(c *config.Config) { c.Storage.FreeFloor = 1 << 60 })
	key := good.User("acme")
	p := startPrometheus(t, goodAt, downAt, fullAt)
	testkit.Eventually(t, "all are asked", func() bool { return p.values(`up{job="sallyport"} == 1`) == 3 })

	fires := func(alert string) {
		t.Helper()
		testkit.Eventually(t, alert+" fires", func() bool { return slices.Contains(p.firing(), alert) })
	}
	fires("UploadsRefused " + fullAt)
	fires("NeedsSomebody disk")
	for _, alert := range p.firing() {
		if strings.Contains(alert, goodAt) || strings.Contains(alert, downAt) {
			t.Errorf("%s fires for a server that is well", alert)
		}
	}

	files := good.SFTP("acme", key)
	f, err := files.Create("/upload/a.csv")
	testkit.Must(t, err)
	testkit.Must(t, f.Close())
	old(t, good, "UPDATE drops SET received_at = received_at - 90000000000") // 25 hours
	// From as many addresses, since one would be banned.
	for i := range 60 {
		stranger(t, good, fmt.Sprintf("127.0.1.%d", i+1))
	}
	down.Stop()
	fires("Down " + downAt)
	fires("Unclaimed " + goodAt)
	fires("LogInsRefused " + goodAt)
	dashboardHasNumbers(t, p)
}

// old changes rows of a node's database behind its back.
func old(t *testing.T, n *testkit.Node, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(n.Data, "sallyport.db")+"?_pragma=busy_timeout(5000)")
	testkit.Must(t, err)
	defer db.Close()
	_, err = db.Exec(statement)
	testkit.Must(t, err)
}

// stranger offers a key that nobody has.
func stranger(t *testing.T, n *testkit.Node, from string) {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", n.Addr)
	testkit.Must(t, err)
	if _, _, _, err := ssh.NewClientConn(conn, n.Addr, testkit.ClientConfig("acme", testkit.NewKey(t))); err == nil {
		t.Fatal("a stranger logged in")
	}
	_ = conn.Close()
}

// dashboardHasNumbers asks each question of the dashboard.
func dashboardHasNumbers(t *testing.T, p *prometheus) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	testkit.Must(t, json.Unmarshal(testkit.MustRead(t, "../../examples/grafana/sallyport.json"), &board))
	empty := []string{"Backup age", "Next removal", "Certificate expires"} // there is none here
	for _, panel := range board.Panels {
		for _, q := range panel.Targets {
			n := p.values(q.Expr)
			if n < 0 || n == 0 && !slices.Contains(empty, panel.Title) {
				t.Errorf("%s: %s has %d results", panel.Title, q.Expr, n)
			}
		}
	}
	if len(board.Panels) < 10 {
		t.Error("the dashboard has hardly any panels")
	}
}

// TestAlertsWait: each rule alerts when it should, and not before (promtool's own tests of rules).
func TestAlertsWait(t *testing.T) {
	testkit.Long(t, "it runs promtool")
	out, err := exec.Command("promtool", "test", "rules", "testdata/alerts.yaml").CombinedOutput()
	if err != nil {
		t.Fatalf("%s", out)
	}
	rules := string(testkit.MustRead(t, "../../examples/prometheus/alerts.yaml"))
	tested := string(testkit.MustRead(t, "testdata/alerts.yaml"))
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(tested, "alertname: "+m[1]+"\n") {
			t.Errorf("%s is not tested", m[1])
		}
	}
}
