package oldserver

import (
	"slices"
	"strconv"
	"strings"
)

// person is a line of a passwd file.
type person struct {
	name, home string
	uid, gid   int
	groups     []string // names
	gids       []int
}

// readPasswd reads files as /etc/passwd and /etc/group are. Lines that are not of that form are listed.
func readPasswd(passwd, group File, f *Findings) (people []person) {
	byGID, members := map[int]string{}, map[string][]string{}
	gids := map[string]int{}
	for i, line := range lines(group.Text) {
		w := strings.Split(line, ":")
		if line == "" || line[0] == '#' || line[0] == '+' || line[0] == '-' {
			continue
		}
		gid, err := strconv.Atoi(at(w, 2))
		if len(w) != 4 || err != nil {
			f.add(group.at(i+1), "", "The line is not one of a group file.", "correct it")
			continue
		}
		byGID[gid], members[w[0]], gids[w[0]] = w[0], strings.Split(w[3], ","), gid
	}
	for i, line := range lines(passwd.Text) {
		if line == "" || line[0] == '#' || line[0] == '+' || line[0] == '-' {
			continue
		}
		w := strings.Split(line, ":")
		uid, err := strconv.Atoi(at(w, 2))
		gid, err2 := strconv.Atoi(at(w, 3))
		if len(w) != 7 || err != nil || err2 != nil || w[0] == "" {
			f.add(passwd.at(i+1), "", "The line is not one of a passwd file.", "correct it")
			continue
		}
		p := person{name: w[0], home: w[5], uid: uid, gid: gid, gids: []int{gid}}
		if g := byGID[gid]; g != "" {
			p.groups = append(p.groups, g)
		}
		for g, list := range members {
			if slices.Contains(list, p.name) && !slices.Contains(p.groups, g) {
				p.groups, p.gids = append(p.groups, g), append(p.gids, gids[g])
			}
		}
		people = append(people, p)
	}
	return people
}

// File is a text file of the old server.
type File struct{ Name, Text string }

func (f *File) at(line int) string { return f.Name + ":" + strconv.Itoa(line) }

// lines cuts a text into lines without their ends.
func lines(text string) []string {
	out := strings.Split(text, "\n")
	for i, l := range out {
		out[i] = strings.TrimRight(l, "\r")
	}
	return out
}

// at returns a word, or "".
func at(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}
