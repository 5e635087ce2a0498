package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxPartners is the largest file of partners, in bytes, and the most that its key files have together.
// maxPartnersYAML is the largest in YAML, which takes a hundred times its size to read. importAtOnce is how
// many accounts are sent in a request.
const (
	maxPartners     = 32 << 20
	maxPartnersYAML = 8 << 20
	importAtOnce    = 100
)

func (a *app) partnersCommand() *cobra.Command {
	return group("partners", "Many partners at once", a.partnersImport(), a.partnersExample())
}

func (a *app) partnersImport() *cobra.Command {
	var in model.ImportPartners
	all := false
	c := command("import FILE", "Bring in accounts, vendors, contacts, users, keys and feeds from a YAML or CSV file",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			file, mistakes, err := readPartners(args[0])
			if err != nil {
				return err
			}
			file.DryRun, file.Update = in.DryRun, in.Update
			return a.importPartners(ctx, file, mistakes, all)
		})
	c.Long = c.Short + `.

The whole file is compared with what exists first, and every mistake is listed
with its line; with one, nothing is changed. Then the steps are done in order.
If one fails, the import stops there, and the same file continues: what exists
and is equal is skipped. What exists and differs is listed, and changed only
with --update. What the file does not name stays as it is. For the form of the
file, see: sallyport partners example`
	c.Flags().BoolVar(&in.DryRun, "dry-run", false, "change nothing; say what would be done")
	c.Flags().BoolVar(&in.Update, "update", false, "also change what exists and differs")
	c.Flags().BoolVar(&all, "all", false, "list what exists and is equal, too")
	return c
}

// readPartners reads a file of partners. Mistakes of single rows, such as a key file that is not there,
// are returned apart.
func readPartners(name string) (in model.ImportPartners, mistakes []model.ImportStep, err error) {
	const op = "cli.readPartners"
	f, err := os.Open(name)
	if err != nil {
		return in, nil, fault.E(op, fault.NotFound, "The file cannot be read: %v.", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPartners+1))
	switch {
	case err != nil:
		return in, nil, fault.E(op, fault.Invalid, "The file cannot be read: %v.", err)
	case len(text) > maxPartners:
		return in, nil, fault.E(op, fault.Invalid, "The file is larger than %s.", size(maxPartners))
	}
	r := partnersReader{dir: filepath.Dir(name)}
	switch {
	case strings.EqualFold(filepath.Ext(name), ".csv"):
		err = r.csv(text)
	case len(text) > maxPartnersYAML:
		return in, nil, fault.E(op, fault.Invalid, "The file is larger than %s, the most for YAML.", size(maxPartnersYAML)).
			WithHint("import it in parts, or as CSV")
	default:
		err = r.yaml(text)
	}
	return r.out, r.mistakes, err
}

// partnersReader reads a file of partners.
type partnersReader struct {
	dir      string // relative paths of key files begin here
	out      model.ImportPartners
	mistakes []model.ImportStep
	index    map[string]int  // of a CSV file: account, folded → its place in out
	vendors  map[string]bool // of a CSV file: those that out has
	keyBytes int             // of key files that were read
}

func (r *partnersReader) wrong(line int, what, format string, args ...any) {
	r.mistakes = append(r.mistakes, model.ImportStep{Line: line, What: valid.Printable(what), Does: model.ImportMistake,
		Text: valid.Printable(fmt.Sprintf(format, args...))})
}

// key takes a public key, or reads the file that has it. A private key is not sent anywhere.
func (r *partnersReader) key(line int, user, s string) []model.PartnerKey {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil
	}
	text, from := s, "The text"
	if !strings.Contains(s, "\n") && !strings.Contains(s, "---- BEGIN") && len(strings.Fields(s)) == 1 {
		path := s
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.dir, path)
		}
		b, err := readRegular(path, maxKeyFile)
		if err != nil {
			r.wrong(line, "key of "+user, "The key file cannot be read: %v.", fault.InWords(err))
			return nil
		}
		if r.keyBytes += len(b); r.keyBytes > maxPartners {
			r.wrong(line, "key of "+user, "With this one, the key files are larger than %s together.", size(maxPartners))
			return nil
		}
		text, from = string(b), "The file "+s
	}
	if keys.LooksPrivate([]byte(text)) {
		r.wrong(line, "key of "+user, "%s is a private key. It was not sent. Only the public file is needed, usually ending "+
			"in .pub; ask its owner to make a new pair.", from)
		return nil
	}
	return []model.PartnerKey{{Line: line, Text: text}}
}

// readRegular reads a file of at most most bytes. It does not wait for a pipe, and reads no device.
func readRegular(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|doNotWait, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s is larger than %s", path, size(most))
	}
	return text, err
}

// person reads a name with an address: Jo Hill <jo@example.com>.
func (r *partnersReader) person(line int, what, s string) *model.Person {
	if s == "" {
		return nil
	}
	p, err := parsePerson(s)
	if err != nil {
		r.wrong(line, what, "%v.", err)
		return nil
	}
	return &p
}

// importPartners asks what would be done, and does it if there is no mistake.
func (a *app) importPartners(ctx context.Context, in model.ImportPartners, mistakes []model.ImportStep,
	all bool) error {
	dry := in
	dry.DryRun = true
	v, err := a.client().ImportPartners(ctx, dry)
	if err != nil {
		return err
	}
	v.Steps = append(mistakes, v.Steps...)
	wrong := v.Count(model.ImportMistake)
	if wrong == 0 && !in.DryRun {
		if v, err = a.importInParts(ctx, in, v); err != nil {
			return err
		}
	}
	if a.json {
		err = a.show(v, table{})
	} else {
		err = a.printImported(v, in, all)
	}
	switch {
	case err != nil:
		return err
	case wrong > 0:
		return fault.E("cli.partners", fault.Invalid, "The file has %s. Nothing was changed.",
			counted(wrong, "mistake", "mistakes"))
	case v.Count(model.ImportFailed) > 0:
		return fault.E("cli.partners", fault.Conflict, "The import stopped at a step that failed.").
			WithHint("correct it, and import the same file again: what was done is skipped")
	}
	return nil
}

// importInParts sends vendors, and then some accounts at a time, in the order of the plan, in which
// parents come first.
func (a *app) importInParts(ctx context.Context, in model.ImportPartners, plan model.Imported) (out model.Imported,
	err error) {
	byName := map[string]model.PartnerAccount{}
	for _, x := range in.Accounts {
		byName["account "+valid.Printable(x.ID)] = x
	}
	accounts := make([]model.PartnerAccount, 0, len(in.Accounts))
	for _, s := range plan.Steps {
		if x, is := byName[s.What]; is {
			accounts = append(accounts, x)
		}
	}
	out.Steps = []model.ImportStep{}
	part := in
	part.Accounts = nil
	for begun := false; !begun || len(accounts) > 0; begun = true {
		if begun {
			n := min(importAtOnce, len(accounts))
			part.Vendors, part.Accounts = nil, accounts[:n]
			accounts = accounts[n:]
		}
		v, err := a.client().ImportPartners(ctx, part)
		if err != nil {
			return out, err
		}
		out.Steps, out.Done = append(out.Steps, v.Steps...), out.Done+v.Done
		if v.Count(model.ImportFailed)+v.Count(model.ImportMistake) > 0 {
			return out, nil
		}
	}
	return out, nil
}

// importWords are what people read of the steps.
var importWords = map[model.ImportDoes]string{model.ImportAdds: "add", model.ImportSame: "same",
	model.ImportChanges: "change", model.ImportDiffers: "differs", model.ImportMistake: "MISTAKE",
	model.ImportFailed: "FAILED"}

func (a *app) printImported(v model.Imported, in model.ImportPartners, all bool) error {
	wrong := v.Count(model.ImportMistake) > 0
	t := table{head: []string{"LINE", "", "WHAT", "DETAIL"}, none: "There is nothing to do."}
	if wrong {
		slices.SortStableFunc(v.Steps, func(x, y model.ImportStep) int { return x.Line - y.Line })
	}
	for _, s := range v.Steps {
		if wrong && s.Does != model.ImportMistake || !all && s.Does == model.ImportSame {
			continue
		}
		t.add(fmt.Sprint(s.Line), importWords[s.Does], s.What, s.Text)
	}
	if err := a.show(nil, t); err != nil || wrong {
		return err
	}
	fmt.Fprintln(a.Out)
	add, change := v.Count(model.ImportAdds), v.Count(model.ImportChanges)
	differ, same := v.Count(model.ImportDiffers), v.Count(model.ImportSame)
	did := fmt.Sprintf("%d added, %d changed", add, change)
	if in.DryRun {
		did = fmt.Sprintf("%d would be added, %d would be changed", add, change)
	}
	fmt.Fprintf(a.Out, "%s, %d equal already, %d different and left as they are.\n", did, same, differ)
	if differ > 0 && !in.Update {
		fmt.Fprintln(a.Out, "To change what differs, add --update.")
	}
	if in.DryRun {
		fmt.Fprintln(a.Out, "This was a dry run: nothing was changed.")
	}
	return nil
}

func (a *app) partnersExample() *cobra.Command {
	form := "yaml"
	c := command("example", "Print an example of a file of partners", cobra.NoArgs,
		func(context.Context, []string) error {
			text, known := map[string]string{"yaml": exampleYAML, "csv": exampleCSV}[form]
			if !known {
				return fault.E("cli.partnersExample", fault.Invalid, "There is no form %q.", form).WithHint("yaml or csv")
			}
			_, err := io.WriteString(a.Out, text)
			return err
		})
	c.Flags().StringVar(&form, "format", "yaml", "yaml, which has everything; or csv, a row for each user")
	return c
}
