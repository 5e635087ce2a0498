// Command bench compares Sallyport with OpenSSH on the same machine. It starts a private server of
// each, gives both the same work in turns, and prints the measurements with the limits (bars) that
// Sallyport must meet. See docs/benchmarks.md.
//
// process.go runs a server and measures it, sallyport.go and openssh.go start the two servers,
// sftp.go and transfer.go are the clients, rows.go lists what is measured, and the other files do
// the work.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line's options.
type options struct {
	rounds int
	only   *regexp.Regexp
	quick  bool
	disk   string
	binary string

	beside   string // a sallyport that takes OpenSSH's place
	database string // URL of a PostgreSQL server
	far      bool   // only clients that are far away
}

func parse() (o options, err error) {
	only := flag.String("only", "", "measure only the rows whose name matches this regular expression")
	flag.IntVar(&o.rounds, "rounds", 0, "turns that each server gets; medians are printed (default 5, with -quick 1)")
	flag.BoolVar(&o.quick, "quick", false, "small sizes: shows that the harness works, and nothing else")
	flag.StringVar(&o.disk, "disk", "", "keep all data in this directory instead of in memory")
	flag.StringVar(&o.binary, "binary", "", "measure this sallyport instead of building one")
	flag.StringVar(&o.beside, "beside", "", "compare with this sallyport, not with OpenSSH")
	flag.StringVar(&o.database, "database", "",
		"`URL` of a PostgreSQL server: each Sallyport gets a database of its own there")
	flag.BoolVar(&o.far, "far", false, "measure clients behind a delay of 80 ms instead; it takes about an hour a round")
	flag.Parse()
	if flag.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	switch {
	case o.rounds == 0 && o.quick:
		o.rounds = 1
	case o.rounds == 0:
		o.rounds = 5
	case o.rounds < 0:
		return o, fmt.Errorf("-rounds %d: at least one is needed", o.rounds)
	}
	o.only, err = regexp.Compile(*only)
	return o, err
}

func run(ctx context.Context) error {
	o, err := parse()
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o)
	if b != nil {
		defer b.close()
	}
	if err != nil {
		return err
	}
	fmt.Println(b.machine())
	fmt.Println()
	fmt.Print(tableHead)
	all := rows(sizesFor(o.quick))
	if o.far {
		all = farRows(sizesFor(o.quick))
	}
	for i, r := range all {
		if !o.only.MatchString(r.name) {
			continue
		}
		got, err := b.measure(ctx, r)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		for _, line := range lines(i+1, r, got) {
			fmt.Println(line)
		}
	}
	for i, e := range experiments {
		if o.far || !o.only.MatchString(e.name) {
			continue
		}
		v, err := b.experiment(ctx, e)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		r := row{name: e.name, bars: []bar{{measure: e.measure, limit: e.limit, atLeast: e.atLeast, alone: true}}}
		for _, line := range lines(len(all)+1+i, r, result{ours: {{e.measure: v}}}) {
			fmt.Println(line)
		}
	}
	fmt.Println()
	fmt.Println(b.meterNote())
	return nil
}
