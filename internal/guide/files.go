package guide

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// files says how files are sent and fetched, for whoever may do it.
func (c *Card) files() (out []section) {
	if c.sends() {
		out = append(out, c.sending())
	}
	if c.fetches() && !c.Inbox {
		out = append(out, section{title: "Fetch files", steps: c.fetching()})
	}
	if len(c.Outbound) > 0 {
		out = append(out, c.publishing())
	}
	if c.Inbox {
		out = append(out, section{title: "Fetch what partners sent", steps: []string{
			"Each partner's files are in `/inbox/<account>/<user>`.",
			"Opening a file claims it for you: no other program gets it meanwhile.",
			"Removing a file that you have read to its end accepts it. A file that was not read can't be removed.",
		}})
	}
	return out
}

func (c *Card) sending() section {
	var dirs []string
	for _, f := range c.Folders {
		if f.Send {
			dirs = append(dirs, code(f.Path))
		}
	}
	steps := []string{"Put your files into " + listed(dirs, "or") + "."}
	for _, e := range c.Expected {
		steps = append(steps, e.says())
	}
	return section{title: "Send files", steps: append(steps,
		"A file counts when it has arrived whole. If the connection breaks, send it again, or let your program resume it.",
		"If we can't use a file, we tell you why in a note in "+listed(c.refusedDirs(),
			"or")+". Correct it, and send it again.",
	)}
}

// says puts what is expected into words.
func (e Expected) says() string {
	what := "a file"
	if e.Glob != "" {
		what += " called " + code(e.Glob)
	}
	days := "on " + e.Days
	switch n, err := strconv.Atoi(e.Days); {
	case e.Days == "daily":
		days = "every day"
	case e.Days == "weekdays":
		days = "from Monday to Friday"
	case err == nil:
		days = fmt.Sprintf("on day %d of each month", n)
	}
	text := fmt.Sprintf("We expect %s %s by %s (%s)", what, days, e.Clock, e.Zone)
	if e.Later {
		text += "; what comes later is refused"
	}
	if e.MostBytes > 0 {
		text += fmt.Sprintf(". It has %d bytes at most", e.MostBytes)
		if e.Larger {
			text += "; what is larger is refused"
		}
	}
	return text + "."
}

// refusedDirs are where the notes on refused files lie: in the top directory of the files.
func (c *Card) refusedDirs() (dirs []string) {
	for _, f := range c.Folders {
		top, _, _ := strings.Cut(strings.TrimPrefix(f.Path, "/"), "/")
		if dir := code(path.Join("/", top, "refused")); f.Send && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func (c *Card) fetching() []string {
	var steps []string
	remove := false
	for _, f := range c.Feeds {
		remove = remove || f.MayRemove
	}
	if len(c.Feeds) == 0 {
		return []string{"Fetch files from " + code(c.fetchDir()) + " as often as you like, while we keep them."}
	}
	where := "the folders above"
	if dir := c.fetchDir(); dir != "/" {
		where += ", such as " + code(dir)
	}
	steps = append(steps, "New files arrive in "+where+". Fetch them as often as you like, while we keep them.")
	if !remove {
		steps = append(steps,
			"They can't be removed by you; if your program removes files after the transfer, switch that off.")
	}
	return steps
}

func (c *Card) publishing() section {
	var names []string
	for _, f := range c.Outbound {
		names = append(names, code(f.Name))
	}
	dir := "/outbound/" + strings.Trim(names[0], "`")
	return section{title: "Publish files", steps: []string{
		"Put a file into " + code(dir+"/<account>") + " to deliver it to that customer, or into " + code(dir+"/all") +
			" to deliver it to all who receive the feed.",
		"It is delivered when it has arrived whole. Under a temporary name, such as `bill.csv.part`, it waits until you " +
			"rename it.",
		"When the server has answered OK, every customer's folder has it. A published file can't be changed; we can " +
			"withdraw it.",
	}}
}
