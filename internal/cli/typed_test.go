package cli

import "testing"

// ssh and the shell each take a part of an option for their own.
func TestPathsForSSH(t *testing.T) {
	for path, want := range map[string]string{
		"/srv/demo/acme":    "UserKnownHostsFile=/srv/demo/acme",
		"/home/jo hill/k":   `UserKnownHostsFile='"/home/jo hill/k"'`,
		"/home/jo's/k":      `UserKnownHostsFile='/home/jo'\''s/k'`,
		"/home/100%/k":      "UserKnownHostsFile=/home/100%%/k",
		"/home/jo's demo/k": `UserKnownHostsFile='"/home/jo'\''s demo/k"'`,
	} {
		if got := forSSH("UserKnownHostsFile=", path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
