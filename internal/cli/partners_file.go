package cli

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// The examples, which a test imports.
//
//go:embed testdata/partners.yaml
var exampleYAML string

//go:embed testdata/partners.csv
var exampleCSV string

// The form of a YAML file of partners.
type (
	yamlPartners struct {
		Vendors  []yamlVendor  `yaml:"vendors"`
		Accounts []yamlAccount `yaml:"accounts"`
	}
	yamlVendor struct {
		Short    string        `yaml:"short"`
		Name     string        `yaml:"name"`
		Tags     []string      `yaml:"tags"`
		Contacts []yamlContact `yaml:"contacts"`
	}
	yamlAccount struct {
		ID       string        `yaml:"id"`
		Name     string        `yaml:"name"`
		Parent   string        `yaml:"parent"`
		Region   string        `yaml:"region"`
		AllowIPs []string      `yaml:"allow_ips"`
		Manager  string        `yaml:"manager"`
		Tags     []string      `yaml:"tags"`
		Contacts []yamlContact `yaml:"contacts"`
		Users    []yamlUser    `yaml:"users"`
	}
	yamlContact struct {
		Name  string   `yaml:"name"`
		Email string   `yaml:"email"`
		Phone string   `yaml:"phone"`
		Roles []string `yaml:"roles"`
	}
	yamlUser struct {
		Name     string     `yaml:"name"`
		Vendor   string     `yaml:"vendor"`
		StartDir string     `yaml:"start_dir"`
		AllowIPs []string   `yaml:"allow_ips"`
		Tags     []string   `yaml:"tags"`
		Keys     []string   `yaml:"keys"`
		Feeds    []yamlFeed `yaml:"feeds"`
	}
	yamlFeed struct {
		Feed  string   `yaml:"feed"`
		Dir   string   `yaml:"dir"`
		Types []string `yaml:"types"`
	}
)

func (r *partnersReader) yaml(text []byte) error {
	const op = "cli.partnersYAML"
	if err := plainYAML(string(text)); err != nil {
		return err
	}
	var in yamlPartners
	file, err := parser.ParseBytes(text, 0)
	switch {
	case err != nil:
		return fault.E(op, fault.Invalid, "%s", yamlMistake(err))
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		return fault.E(op, fault.Invalid, "The file has no partners.")
	}
	body := file.Docs[0].Body
	if _, is := plainNode(body).(*ast.MappingNode); is { // the decoder says what else it is
		r.shape(body, reflect.TypeFor[yamlPartners](), "the file")
	}
	at := linesOf(body) // of what shape has left
	if err := yaml.NodeToValue(body, &in, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
		return fault.E(op, fault.Invalid, "%s", yamlMistake(err))
	}
	for i, v := range in.Vendors {
		here := fmt.Sprintf("$.vendors[%d]", i)
		r.out.Vendors = append(r.out.Vendors, model.PartnerVendor{Line: at[here], Short: v.Short, Name: v.Name, Tags: v.Tags,
			Contacts: contactsOf(at, here, v.Contacts)})
	}
	for i, a := range in.Accounts {
		here := fmt.Sprintf("$.accounts[%d]", i)
		out := model.PartnerAccount{Line: at[here], ID: a.ID, Name: a.Name, Parent: a.Parent, Region: a.Region,
			AllowIPs: a.AllowIPs, Manager: r.person(at[here], "account "+a.ID, a.Manager), Tags: a.Tags,
			Contacts: contactsOf(at, here, a.Contacts)}
		for k, u := range a.Users {
			there := fmt.Sprintf("%s.users[%d]", here, k)
			user := model.PartnerUser{Line: at[there], Name: u.Name, Vendor: u.Vendor, StartDir: u.StartDir,
				AllowIPs: u.AllowIPs, Tags: u.Tags}
			for n, key := range u.Keys {
				user.Keys = append(user.Keys, r.key(at[fmt.Sprintf("%s.keys[%d]", there, n)], userOf(a.ID, u.Vendor, u.Name),
					key)...)
			}
			for n, f := range u.Feeds {
				user.Feeds = append(user.Feeds, model.PartnerFeed{Line: at[fmt.Sprintf("%s.feeds[%d]", there, n)], Feed: f.Feed,
					Dir: f.Dir, Types: f.Types})
			}
			out.Users = append(out.Users, user)
		}
		r.out.Accounts = append(r.out.Accounts, out)
	}
	return nil
}

// Bounds of what a YAML file of partners nests: brackets in brackets, and columns of indentation. The form
// needs 6 and about 20.
const (
	maxBrackets = 20
	maxIndent   = 200
)

// plainYAML refuses what a file of partners does not need and what a few bytes of can take all of the
// machine's memory: aliases, which stand for copies, and deep nesting. It looks at the file before the
// parser does, which bounds neither.
func plainYAML(text string) error {
	depth, before := 0, 0
	for _, t := range lexer.Tokenize(text) {
		bad := ""
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType:
			bad = "anchors, aliases and tags (&, *, <<, !) are not read here; a text that begins so needs quotes"
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth = max(0, depth-1)
		case token.SequenceEntryType, token.MappingKeyType:
			before = t.Position.Column
		}
		begins := t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType || t.Type == token.MappingValueType
		if depth > maxBrackets || depth == 0 && begins && before > maxIndent {
			bad = "it is nested more deeply than a file of partners is"
		}
		if bad != "" {
			return fault.E("cli.plainYAML", fault.Invalid, "Line %d cannot be read: %s.", t.Position.Line, bad)
		}
		before = t.Position.Column
	}
	return nil
}

// yamlMistake says what is wrong with a YAML file, and where.
func yamlMistake(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if place, what, ok := strings.Cut(strings.TrimPrefix(text, "["), "] "); ok {
		line, _, _ := strings.Cut(place, ":")
		return valid.Printable(fmt.Sprintf("Line %s cannot be read: %s.", line, what))
	}
	return valid.Printable("The file cannot be read: " + text + ".")
}

// userOf is the name of a user, which may be left out.
func userOf(account, vendor, name string) string {
	if name != "" {
		return name
	}
	return strings.TrimSuffix(account+"-"+vendor, "-")
}

func contactsOf(at map[string]int, here string, list []yamlContact) (out []model.PartnerContact) {
	for i, c := range list {
		out = append(out, model.PartnerContact{Line: at[fmt.Sprintf("%s.contacts[%d]", here, i)], Name: c.Name,
			Email: c.Email, Phone: c.Phone, Roles: c.Roles})
	}
	return out
}

// linesOf maps the path of each node to its line: $.accounts[1].users.
func linesOf(root ast.Node) map[string]int {
	at := map[string]int{}
	noteLines(at, root, "$")
	return at
}

func noteLines(at map[string]int, n ast.Node, path string) {
	if n == nil {
		return
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		at[path] = t.Position.Line
	}
	switch n := plainNode(n).(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 {
			at[path] = n.Values[0].Key.GetToken().Position.Line
		}
		for _, v := range n.Values {
			noteLines(at, v.Value, path+"."+v.Key.GetToken().Value)
		}
	case *ast.SequenceNode:
		for i, v := range n.Values {
			noteLines(at, v, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

// csvColumns are the columns that a CSV file of partners may have, in any order. Lists in a cell are
// separated by spaces.
var csvColumns = []string{"account", "name", "parent", "region", "account_allow_ips", "manager", "account_tags",
	"vendor", "vendor_name", "user", "start_dir", "allow_ips", "tags", "key", "feeds", "contact", "email", "phone",
	"roles"}

func (r *partnersReader) csv(text []byte) error {
	const op = "cli.partnersCSV"
	r.index, r.vendors = map[string]int{}, map[string]bool{}
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	in.TrimLeadingSpace = true
	if first, _, _ := bytes.Cut(text, []byte("\n")); bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		in.Comma = ';' // as spreadsheets write it where the comma is for decimals
	}
	head, err := in.Read()
	if err != nil {
		return fault.E(op, fault.Invalid, "The file has no first row with the names of its columns.")
	}
	for i, name := range head {
		if head[i] = strings.ToLower(strings.TrimSpace(name)); !slices.Contains(csvColumns, head[i]) {
			r.wrong(1, "columns", "There is no column %q (%s).", name, known("columns are", head[i], csvColumns))
		}
	}
	in.FieldsPerRecord = -1 // counted here, so that the other rows are read, too
	for {
		cells, err := in.Read()
		var syntax *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &syntax):
			r.wrong(syntax.StartLine, "row", "It cannot be read: %v.", syntax.Err)
			continue
		case err != nil:
			return fault.E(op, fault.Invalid, "The file cannot be read: %v.", err)
		}
		line, _ := in.FieldPos(0)
		if len(cells) != len(head) {
			r.wrong(line, "row", "It has %s; the first row has %d.", counted(len(cells), "cell", "cells"), len(head))
			continue
		}
		row := map[string]string{}
		for i, name := range head {
			row[name] = strings.TrimSpace(cells[i])
		}
		r.row(line, row)
	}
}

// row takes one row of a CSV file: an account, and perhaps a user or a person of it. Rows of the same
// account add to it.
func (r *partnersReader) row(line int, c map[string]string) {
	words := func(name string) []string { return strings.Fields(c[name]) }
	if c["account"] == "" {
		r.wrong(line, "row", "The column account is empty.")
		return
	}
	if short := c["vendor"]; short != "" && c["vendor_name"] != "" && !r.vendors[short] {
		r.vendors[short] = true
		r.out.Vendors = append(r.out.Vendors, model.PartnerVendor{Line: line, Short: short, Name: c["vendor_name"]})
	}
	i, known := r.index[valid.Fold(c["account"])]
	if !known {
		r.out.Accounts = append(r.out.Accounts, model.PartnerAccount{Line: line, ID: c["account"], Name: c["name"],
			Parent: c["parent"], Region: c["region"], AllowIPs: words("account_allow_ips"),
			Manager: r.person(line, "account "+c["account"], c["manager"]), Tags: words("account_tags")})
		i = len(r.out.Accounts) - 1
		r.index[valid.Fold(c["account"])] = i
	}
	a := &r.out.Accounts[i]
	if c["name"] != "" && c["name"] != a.Name {
		r.wrong(line, "account "+a.ID, "Its name is %q in line %d.", a.Name, a.Line)
	}
	if c["email"] != "" {
		a.Contacts = append(a.Contacts, model.PartnerContact{Line: line, Name: c["contact"], Email: c["email"],
			Phone: c["phone"], Roles: words("roles")})
	}
	if c["user"]+c["vendor"]+c["key"]+c["feeds"] == "" {
		return
	}
	u := model.PartnerUser{Line: line, Name: c["user"], Vendor: c["vendor"], StartDir: c["start_dir"],
		AllowIPs: words("allow_ips"), Tags: words("tags")}
	u.Keys = r.key(line, userOf(a.ID, u.Vendor, u.Name), c["key"])
	for _, f := range words("feeds") {
		u.Feeds = append(u.Feeds, model.PartnerFeed{Line: line, Feed: f})
	}
	a.Users = append(a.Users, u)
}
