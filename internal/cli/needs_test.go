package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestEveryNeedHasACommandAndAStory: each row of docs/needs.md names a command or a setting that
// exists, and a story that exists.
func TestEveryNeedHasACommandAndAStory(t *testing.T) {
	text := string(testkit.MustRead(t, "../../docs/needs.md"))
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !regexp.MustCompile(`^ [ES]\d+ $`).MatchString(cells[1]) {
			continue
		}
		rows++
		named := 0
		for _, m := range quoted.FindAllStringSubmatch(cells[3], -1) {
			words := strings.Fields(m[1])
			if named++; strings.HasSuffix(words[0], ":") {
				continue // a setting
			}
			c, rest, err := (&app{}).root().Find(words)
			if err != nil || !c.Runnable() {
				t.Errorf("%s: there is no command %q (%v)", cells[1], m[1], err)
				continue
			}
			for _, word := range rest {
				if name, is := strings.CutPrefix(word, "--"); is && c.Flags().Lookup(name) == nil {
					t.Errorf("%s: %q has no flag --%s", cells[1], m[1], name)
				}
			}
		}
		if named == 0 {
			t.Errorf("%s: no command is named", cells[1])
		}
		for story := range strings.SplitSeq(cells[4], ",") {
			path := "../../test/journeys/testdata/" + strings.TrimSpace(story) + ".txtar"
			switch story := strings.TrimSpace(story); story {
			case "attacks":
				path = "../../test/attacks"
			case "test/browser":
				path = "../../" + story
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: there is no story %q", cells[1], story)
			}
		}
	}
	if rows != 64 {
		t.Errorf("%d rows, not 64", rows)
	}
}
