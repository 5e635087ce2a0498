package oldserver

import (
	"path"
	"slices"
	"strings"
)

// directive is a line of sshd_config.
type directive struct {
	where string
	word  string // in lower case
	args  []string
	match []criterion // nil: it holds for everybody
}

// criterion is a condition of a Match block.
type criterion struct {
	word string // in lower case
	list string // patterns
}

// Limits of included files: how deep they nest, and how many there are.
const (
	maxIncludes = 16
	maxFiles    = 256
)

// sshdConfig is a configuration of OpenSSH's server.
type sshdConfig struct {
	read  func(name string) (string, error)      // a file, by the path that the configuration has
	glob  func(pattern string) ([]string, error) // of names in that sense
	files int
	list  []directive
	f     *Findings
}

// parse reads a file with those that it includes, in the context of a Match block.
func (c *sshdConfig) parse(name string, match []criterion, depth int) {
	text, err := c.read(name)
	if c.files++; c.files > maxFiles || depth > maxIncludes {
		c.f.add(name, "", "Too many files are included.", "see whether a file includes itself")
		return
	}
	if err != nil {
		c.f.add(name, "", "The file cannot be read: "+publicText(err)+".", "give the folder of a copied system with --root")
		return
	}
	file := File{Name: name}
	for i, line := range lines(text) {
		words, ok := splitWords(line)
		if !ok {
			c.f.add(file.at(i+1), "", "The line has a quotation that does not end.", "correct it")
			continue
		}
		if len(words) == 0 {
			continue
		}
		word := strings.ToLower(words[0])
		switch word {
		case "match":
			match = c.criteria(file.at(i+1), words[1:])
		case "include":
			c.include(file.at(i+1), words[1:], match, depth)
		default:
			c.list = append(c.list, directive{where: file.at(i + 1), word: word, args: words[1:], match: match})
		}
	}
}

func (c *sshdConfig) include(where string, patterns []string, match []criterion, depth int) {
	for _, p := range patterns {
		if !path.IsAbs(p) {
			p = path.Join("/etc/ssh", p)
		}
		names, err := c.glob(p)
		if err != nil {
			c.f.add(where, "", "The pattern "+p+" cannot be read.", "correct it")
			continue
		}
		for _, name := range names {
			c.parse(name, match, depth+1)
		}
	}
}

// criteria reads the line of a Match block. A block without criteria matches nobody.
func (c *sshdConfig) criteria(where string, words []string) []criterion {
	out := []criterion{}
	for i := 0; i < len(words); i++ {
		word, value, has := strings.Cut(words[i], "=")
		word = strings.ToLower(word)
		if word == "all" {
			out = append(out, criterion{word: "all"})
			continue
		}
		if !has {
			i++
			value = at(words, i)
		}
		switch word {
		case "user", "group":
		default:
			c.f.add(where, "", "The block depends on "+word+", which is known only when somebody connects.",
				"see what it sets for whom; its lines were left out")
		}
		out = append(out, criterion{word, value})
	}
	return out
}

// splitWords cuts a line into words. Quotation marks hold one together, # begins a comment, and the first word may be
// followed by =.
func splitWords(line string) (words []string, ok bool) {
	word, quoted, open := "", false, false
	end := func() {
		if word != "" || quoted {
			words = append(words, word)
		}
		word, quoted = "", false
	}
	for i := range len(line) {
		b := line[i]
		switch {
		case b == '"':
			open, quoted = !open, true
		case open:
			word += string(b)
		case b == '#' && word == "":
			end()
			return words, true
		case b == ' ' || b == '\t' || b == '\f' || b == '=' && len(words) == 0 && word != "" ||
			b == '=' && len(words) == 1 && word == "":
			end()
		default:
			word += string(b)
		}
	}
	end()
	return words, !open
}

// holds reports whether a directive holds for a user.
func (d *directive) holds(p person) bool {
	for _, m := range d.match {
		switch m.word {
		case "all":
		case "user":
			if !matchList(p.name, m.list) {
				return false
			}
		case "group":
			if !slices.ContainsFunc(p.groups, func(g string) bool { return matchList(g, m.list) }) {
				return false
			}
		default:
			return false
		}
	}
	return d.match == nil || len(d.match) > 0
}

// of returns the first directive of a word that holds for a user, as OpenSSH takes it; nil if there is none.
func (c *sshdConfig) of(p person, word string) *directive {
	for i := range c.list {
		if d := &c.list[i]; d.word == word && len(d.args) > 0 && d.holds(p) {
			return d
		}
	}
	return nil
}

// global returns all directives of words that hold for everybody.
func (c *sshdConfig) global(words ...string) (out []directive) {
	for _, d := range c.list {
		if d.match == nil && slices.Contains(words, d.word) && len(d.args) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// matchList matches a name with a list of patterns. One that begins with ! excludes.
func matchList(name, list string) bool {
	found := false
	for p := range strings.SplitSeq(list, ",") {
		p, not := strings.CutPrefix(p, "!")
		if !matchPattern(name, p) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// matchPattern matches a name with a pattern in which * stands for any bytes and ? for one.
func matchPattern(name, pattern string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for i < len(name) {
		switch {
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == name[i] && pattern[j] != '*'):
			i, j = i+1, j+1
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}
