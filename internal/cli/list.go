package cli

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// perPage is how many items one request asks for.
	perPage = 1000
	// mostSorted is how many rows a command sorts itself. Longer lists are sorted by the server, by the
	// columns that it has in order, or not at all.
	mostSorted = 20_000
)

// listing is a command that lists things: the list of the API, and its columns. F is the list's
// filter, to which the command binds its flags.
type listing[F, T any] struct {
	use, short string
	args       cobra.PositionalArgs // nil: none
	filter     F
	// ready completes the filter from the arguments; may be nil.
	ready func(ctx context.Context, f *F, args []string) error
	// instead does something else, if flags ask for that; may be nil.
	instead func(ctx context.Context, f F, flags listFlags) (asked bool, err error)
	read    func(*client.Client, context.Context, F) (model.Page[T], error)

	head []string // the first columns are always shown
	more []string // columns for --wide and CSV
	row  func(T) []any
	long bool   // the last of head has sentences, which are printed below each row
	none string // printed if there is nothing at all
	// noneOf is printed if the argument chose a part, and there is nothing of it; it has a %s for the
	// argument. "": none says it.
	noneOf string

	at    string // heading of the time that --since and --until are about; "": there is none
	most  int    // default of --limit; 0: all
	order string // heading of the column that the server has in order
	desc  bool   // the server begins with the highest
}

// listFlags are the flags of all lists.
type listFlags struct {
	since, until, sort string
	csv                bool
	limit              int
	narrowed           []string // the flags that were given and leave things out
}

// shape reports whether flags about the output or the time were given.
func (f *listFlags) shape() bool {
	return f.since+f.until+f.sort != "" || f.csv || f.limit != 0
}

// narrowing returns the flags that were given and leave things out. Their explanations begin with
// "only".
func narrowing(c *cobra.Command) (names []string) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if strings.HasPrefix(f.Usage, "only ") {
			names = append(names, "--"+f.Name)
		}
	})
	return names
}

// nothing is what is printed in place of an empty list. What is said of all things is said only if
// all were asked for.
func nothing(none, noneOf string, narrowed, args []string) string {
	times := func(name string) bool { return name == "--since" || name == "--until" }
	switch {
	case len(narrowed) > 0 && !slices.ContainsFunc(narrowed, func(name string) bool { return !times(name) }):
		return "There is nothing of that time."
	case len(narrowed) > 0:
		return "Nothing matches " + enumerated(narrowed, "and") + "."
	case len(args) > 0 && noneOf != "":
		return fmt.Sprintf(noneOf, valid.Printable(args[0]))
	}
	return none
}

// times adds the flags for a span of time.
func (f *listFlags) times(c *cobra.Command, column string) {
	c.Flags().StringVar(&f.since, "since", "", "only what is of this time or later, by "+column+
		": 2026-11-01, '2026-11-01 08:21', 3d, 12h")
	c.Flags().StringVar(&f.until, "until", "", "only what is of before this time; a day is included")
}

// stateFlag adds the flag that chooses a state. It takes words and codes.
func stateFlag[S ~string](c *cobra.Command, to *S, states ...S) {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = model.Word(s)
	}
	c.Flags().Var(stateValue[S]{to}, "state", "only in this state: "+strings.Join(words, ", "))
	completeWords(c, "state", words)
}

// stateValue is the value of a flag for a state.
type stateValue[S ~string] struct{ to *S }

func (v stateValue[S]) Set(s string) error { *v.to = model.Code(S(s)); return nil }
func (v stateValue[S]) Type() string       { return "string" }

func (v stateValue[S]) String() string {
	if v.to == nil {
		return ""
	}
	return string(*v.to)
}

// listCommand makes the command of a list, with the flags that all lists have.
func listCommand[F, T any, P model.Filter[F]](a *app, l *listing[F, T]) *cobra.Command {
	var f listFlags
	args := l.args
	if args == nil {
		args = cobra.NoArgs
	}
	var c *cobra.Command
	c = command(l.use, l.short, args, func(ctx context.Context, args []string) error {
		f.narrowed = narrowing(c)
		return runList[F, T, P](ctx, a, l, f, args)
	})
	names := make([]string, 0, len(l.head)+len(l.more))
	for _, h := range slices.Concat(l.head, l.more) {
		names = append(names, columnName(h))
	}
	if l.at != "" {
		f.times(c, columnName(l.at))
	}
	sortable := strings.Join(names, ", ")
	if _, long := any(&l.filter).(interface{ Ordered() *model.Order }); long {
		sortable += fmt.Sprintf("; more than %d rows by %s alone", mostSorted, l.order)
	}
	c.Flags().StringVar(&f.sort, "sort", "", "sort by a column, -COLUMN for the highest first: "+sortable)
	c.Flags().BoolVar(&f.csv, "csv", false, "print CSV: all columns, times in UTC, sizes in bytes")
	c.Flags().IntVar(&f.limit, "limit", l.most, "at most so many; 0: all")
	completeColumns(c, names)
	return c
}

// runList reads the list and prints it: as a table, as a JSON array, or as CSV.
func runList[F, T any, P model.Filter[F]](ctx context.Context, a *app, l *listing[F, T], flags listFlags,
	args []string) error {
	const op = "cli.list"
	if flags.csv && a.json {
		return fault.E(op, fault.Invalid, "The list is either CSV or JSON; give --csv or --json.")
	}
	if flags.limit < 0 {
		return fault.E(op, fault.Invalid, "A limit is not negative.").WithHint("0 means all")
	}
	f := l.filter
	if l.ready != nil {
		if err := l.ready(ctx, &f, args); err != nil {
			return err
		}
	}
	if l.instead != nil {
		if asked, err := l.instead(ctx, f, flags); err != nil || asked {
			return err
		}
	}
	span, err := a.span(ctx, flags)
	if err != nil {
		return err
	}
	spanned, byServer := any(&f).(interface{ Spanned() *model.Span })
	if byServer {
		*spanned.Spanned() = span
	}
	by, down, err := l.sorted(flags.sort)
	if err != nil {
		return err
	}
	if by == l.order && by != "" { // the server has it in order
		if o, ok := any(&f).(interface{ Ordered() *model.Order }); ok && down != l.desc {
			o.Ordered().Reverse, by = true, ""
		} else if down == l.desc {
			by = ""
		}
	}
	P(&f).Paged().Limit = perPage
	if flags.limit > 0 && by == "" && (byServer || span == (model.Span{})) {
		P(&f).Paged().Limit = min(flags.limit, perPage)
	}
	t := l.table()
	t.none = nothing(l.none, l.noneOf, flags.narrowed, args)
	out := a.listOutput(t, flags.csv)
	out.by, out.down, out.limit = slices.Index(out.columns, by), down, flags.limit
	read := func(ctx context.Context, f F) (model.Page[T], error) { return l.read(a.client(), ctx, f) }
	at := slices.Index(out.columns, columnName(l.at))
	for v, err := range client.Each[F, T, P](ctx, read, f) {
		if err != nil {
			return err
		}
		row := l.row(v)
		if !byServer && at >= 0 && !within(span, row[at]) {
			continue
		}
		if full, err := out.add(v, row); err != nil {
			return err
		} else if full {
			break
		}
	}
	return out.end()
}

func (l *listing[F, T]) table() table {
	return table{head: slices.Concat(l.head, l.more), more: len(l.more), none: l.none, long: l.long}
}

// sorted reads --sort.
func (l *listing[F, T]) sorted(sort string) (by string, down bool, err error) {
	if sort == "" {
		return "", false, nil
	}
	by, down = strings.CutPrefix(sort, "-")
	by = strings.ReplaceAll(strings.ToLower(by), "-", "_")
	var names []string
	for _, h := range slices.Concat(l.head, l.more) {
		names = append(names, columnName(h))
		if name := columnName(h); by == name || strings.ReplaceAll(by, "_", "") == strings.ReplaceAll(name, "_", "") {
			return name, down, nil
		}
	}
	hint := "columns are " + strings.Join(names, ", ")
	if near := valid.Nearest(by, names); near != "" {
		hint = "did you mean " + near + "? " + strings.ToUpper(hint[:1]) + hint[1:]
	}
	return "", false, fault.E("cli.list", fault.Invalid, "There is no column %q.", valid.Printable(by)).
		WithHint("%s", hint)
}

// span reads --since and --until.
func (a *app) span(ctx context.Context, flags listFlags) (s model.Span, err error) {
	if flags.since != "" {
		if s.Since, err = parseTime(flags.since, a.now(ctx), ago, false); err != nil {
			return s, err
		}
	}
	if flags.until != "" {
		if s.Until, err = parseTime(flags.until, a.now(ctx), ago, true); err != nil {
			return s, err
		}
	}
	if !s.Until.IsZero() && !s.Since.Before(s.Until) {
		return s, fault.E("cli.list", fault.Invalid, "--since is not before --until: nothing is in between.")
	}
	return s, nil
}

// within reports whether a cell's time is in a span. A cell without a time is in none.
func within(s model.Span, cell any) bool {
	at, ok := cell.(time.Time)
	if exact, is := cell.(exactTime); is {
		at, ok = time.Time(exact), true
	}
	if p, isPtr := cell.(*time.Time); isPtr && p != nil {
		at, ok = *p, true
	}
	if !ok {
		return s == (model.Span{})
	}
	return !at.Before(s.Since) && (s.Until.IsZero() || at.Before(s.Until))
}

// listOutput collects or prints the rows of a list.
type listOutput struct {
	a       *app
	t       table
	columns []string // names of all
	json    *jsonArray
	csv     *csv.Writer
	by      int // column to sort by; -1: as they come
	down    bool
	limit   int // 0: no limit
	n       int
	values  []any // what JSON prints, if it is sorted first; as rows of the table
}

func (a *app) listOutput(t table, asCSV bool) *listOutput {
	o := &listOutput{a: a, t: t, by: -1}
	for _, h := range t.head {
		o.columns = append(o.columns, columnName(h))
	}
	if a.json {
		o.json = &jsonArray{a: a}
	} else if asCSV {
		o.csv = csv.NewWriter(a.Out)
		_ = o.csv.Write(o.columns) // Flush keeps the error
	}
	return o
}

// add takes one item. It reports whether there are enough.
func (o *listOutput) add(v any, row []any) (full bool, err error) {
	if o.by >= 0 { // all are needed before the first can be printed
		if len(o.t.rows) == mostSorted {
			return false, fault.E("cli.list", fault.TooLarge, "There are more than %d rows, which is too many to sort by %s.",
				mostSorted, o.columns[o.by]).WithHint("narrow it down, with --since for example")
		}
		o.t.add(row...)
		o.values = append(o.values, v)
		return false, nil
	}
	o.n++
	return o.n == o.limit, o.print(v, row)
}

func (o *listOutput) print(v any, row []any) error {
	switch {
	case o.json != nil:
		return o.json.add(v)
	case o.csv != nil:
		return writeCSV(o.csv, row)
	}
	o.t.add(row...)
	return nil
}

// end prints what is left to print.
func (o *listOutput) end() error {
	if o.by >= 0 {
		rows := o.t.rows
		o.t.rows = nil
		order := make([]int, len(rows))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(x, y int) int { return compareCells(rows[x][o.by], rows[y][o.by], o.down) })
		for i, at := range order {
			if o.limit > 0 && i == o.limit {
				break
			}
			if err := o.print(o.values[at], rows[at]); err != nil {
				return err
			}
		}
	}
	switch {
	case o.json != nil:
		return o.json.end()
	case o.csv != nil:
		return writeCSV(o.csv)
	}
	return o.a.show(nil, o.t)
}

// compareCells compares two cells of a column. Empty ones come last, in both directions.
func compareCells(x, y any, down bool) int {
	emptyX, emptyY := cellText(x) == "", cellText(y) == ""
	if emptyX || emptyY {
		return cmp.Compare(map[bool]int{true: 1}[emptyX], map[bool]int{true: 1}[emptyY])
	}
	sign := 1
	if down {
		sign = -1
	}
	numberX, isNumber := cellNumber(x)
	if numberY, both := cellNumber(y); isNumber && both {
		return sign * cmp.Compare(numberX, numberY)
	}
	textX, textY := cellText(x), cellText(y)
	if c := cmp.Compare(strings.ToLower(textX), strings.ToLower(textY)); c != 0 {
		return sign * c
	}
	return sign * cmp.Compare(textX, textY)
}

// cellNumber returns what a cell is sorted by, unless it is text.
func cellNumber(c any) (n int64, ok bool) {
	switch v := c.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case fileSize:
		return int64(v), true
	case exactTime:
		return time.Time(v).UnixMicro(), true
	case time.Time:
		return v.UnixMicro(), true
	case *time.Time:
		return v.UnixMicro(), true // empty ones were compared before
	}
	return 0, false
}

// jsonArray writes a JSON array one item at a time, indented like other output.
type jsonArray struct {
	a     *app
	begun bool
}

func (j *jsonArray) add(v any) error {
	text, err := json.MarshalIndent(v, "  ", "  ")
	if err != nil {
		return err
	}
	before := "[\n  "
	if j.begun {
		before = ",\n  "
	}
	j.begun = true
	_, err = fmt.Fprintf(j.a.Out, "%s%s", before, text)
	return err
}

func (j *jsonArray) end() error {
	last := "\n]\n"
	if !j.begun {
		last = "[]\n"
	}
	_, err := fmt.Fprint(j.a.Out, last)
	return err
}
