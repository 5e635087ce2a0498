package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Knows returns the number of the newest migration of this release.
func Knows() int64 {
	newest := int64(0)
	files, _ := migrations.ReadDir("migrations") // embedded: it is there
	for _, f := range files {
		number, _, _ := strings.Cut(f.Name(), "_")
		n, _ := strconv.ParseInt(number, 10, 64) // migrate refuses a file without a number
		newest = max(newest, n)
	}
	return newest
}

// Schema returns the number of the newest migration that a database has had; 0 if there is no database, or an empty
// one. It changes nothing.
func Schema(ctx context.Context, o Options) (int64, error) {
	const op = "store.Schema"
	if o.URL == "" {
		file := sqliteFile(o.Dir)
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return 0, nil
		}
		db, err := openSQLite(file, 1)
		if err != nil {
			return 0, fault.Wrap(op, fault.Unavailable, err)
		}
		defer db.Close()
		n, err := schemaOf(ctx, db, sqliteDialect)
		return n, fault.Wrap(op, fault.Unavailable, err)
	}
	db, err := newStore().openPostgres(o.URL, 1)
	if err != nil {
		return 0, fault.Wrap(op, fault.Unavailable, err)
	}
	defer db.Close()
	n, err := schemaOf(ctx, db, postgresDialect)
	return n, fault.Wrap(op, fault.Unavailable, err)
}

func sqliteFile(dir string) string { return filepath.Join(dir, "sallyport.db") }

// schemaOf is Schema of an open database.
func schemaOf(ctx context.Context, db *sql.DB, d dialect) (n int64, err error) {
	there := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	if !d.single {
		there = `SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'goose_db_version'`
	}
	if err := db.QueryRowContext(ctx, there).Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`).Scan(&n)
	return n, err
}

// notNewer fails as Conflict if a database has had migrations that this release does not know. They may mean that
// what this release writes is wrong.
func notNewer(ctx context.Context, db *sql.DB, d dialect) (have int64, err error) {
	have, err = schemaOf(ctx, db, d)
	if knows := Knows(); err == nil && have > knows {
		return have, fault.E("store.Open", fault.Conflict,
			"The database belongs to a newer release: its schema is %d, and this release knows %d.", have, knows).
			WithHint("start the newer release; or restore the backup that was made before the upgrade")
	}
	return have, err
}

// exactly fails as Conflict unless a database has the schema of this release.
func exactly(ctx context.Context, db *sql.DB, d dialect) error {
	have, err := notNewer(ctx, db, d)
	if err == nil && have < Knows() {
		return fault.E("store.Open", fault.Conflict,
			"The database belongs to an older release: its schema is %d, and this release has %d.", have, Knows()).
			WithHint("use the program of that release; serve brings the schema up to date")
	}
	return err
}

// migrate brings the schema up to the newest version.
func migrate(ctx context.Context, db *sql.DB, d dialect) error {
	if _, err := notNewer(ctx, db, d); err != nil {
		return err
	}
	steps, err := d.steps()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d.goose, db, nil, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// steps are the migrations, fitted to the dialect.
func (d dialect) steps() (steps []*goose.Migration, err error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		number, _, _ := strings.Cut(f.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number", f.Name())
		}
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: d.step(string(text))}, nil))
	}
	return steps, nil
}

// step runs one migration's statements, fitted to the dialect.
func (d dialect) step(text string) func(context.Context, *sql.Tx) error {
	text = strings.NewReplacer("/*clustered*/", d.clustered, "/*numbered*/", d.numbered).Replace(text)
	return func(ctx context.Context, tx *sql.Tx) error {
		for stmt := range strings.SplitSeq(text, ";\n") {
			stmt, postgres := strings.CutPrefix(strings.TrimSpace(stmt), "/*postgres*/")
			if stmt == "" || postgres && d.single {
				continue
			}
			if _, err := tx.ExecContext(ctx, stmt); err != nil {
				return fmt.Errorf("%w in: %.80s", err, stmt)
			}
		}
		return nil
	}
}
