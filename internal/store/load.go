package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// CheckEmpty fails as Conflict if a PostgreSQL database has rows of ours, or was made by a newer release. It changes
// nothing.
func CheckEmpty(ctx context.Context, url string) error {
	s := newStore()
	s.dialect = postgresDialect
	db, err := s.openPostgres(url, 1)
	if err != nil {
		return fault.Wrap("store.CheckEmpty", fault.Unavailable, err)
	}
	defer db.Close()
	return fault.Wrap("store.CheckEmpty", fault.Unavailable, checkEmpty(ctx, db))
}

func checkEmpty(ctx context.Context, db *sql.DB) error {
	if _, err := notNewer(ctx, db, postgresDialect); err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
		ORDER BY tablename`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return err
		}
		if !notCopied(table) && !filledByMigrations(table) {
			tables = append(tables, table)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, t := range tables {
		var any bool
		if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+pgx.Identifier{t}.Sanitize()+`)`).
			Scan(&any); err != nil {
			return err
		}
		if any {
			return fault.E("store.CheckEmpty", fault.Conflict,
				"The PostgreSQL database is not empty: its table %s has rows.", t).
				WithHint("restore into a new, empty database (createdb)")
		}
	}
	return nil
}

// loadedSetting has the mark of the Load that filled a database.
const loadedSetting = "backup.loaded"

// LoadedAs returns the mark that Load was given; "" if the database was not filled by Load.
func LoadedAs(ctx context.Context, url string) (mark string, err error) {
	const op = "store.LoadedAs"
	s := newStore()
	s.dialect = postgresDialect
	db, err := s.openPostgres(url, 1)
	if err != nil {
		return "", fault.Wrap(op, fault.Unavailable, err)
	}
	defer db.Close()
	there := false // not if migrations were cut short
	if err := db.QueryRowContext(ctx, `SELECT to_regclass('settings') IS NOT NULL`).Scan(&there); err != nil || !there {
		return "", fault.Wrap(op, fault.Unavailable, err)
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE((SELECT value FROM settings WHERE name = $1), '')`, loadedSetting).
		Scan(&mark)
	return mark, fault.Wrap(op, fault.Unavailable, err)
}

// Load fills an empty PostgreSQL database with the rows of a snapshot, all of them or none. It first brings the
// snapshot up to the schema of this release, in place. mark is what LoadedAs then returns, so that a caller who was
// stopped right after it finds that out.
func Load(ctx context.Context, url, file, mark string) error {
	const op = "store.Load"
	from, err := openUnsafe(file)
	if err != nil {
		return fault.Wrap(op, fault.Invalid, err)
	}
	defer from.Close()
	if err := migrate(ctx, from, sqliteDialect); err != nil {
		return fault.Wrap(op, fault.Unavailable, err)
	}
	s, err := Open(ctx, Options{URL: url}) // brings the schema up to date
	if err != nil {
		return err
	}
	defer s.Close()
	if err := checkEmpty(ctx, s.write); err != nil {
		return fault.Wrap(op, fault.Unavailable, err)
	}
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return fault.Wrap(op, fault.Unavailable, err)
	}
	defer conn.Close()
	return fault.Wrap(op, fault.Unavailable, raw(conn, func(p *pgx.Conn) error {
		tx, err := p.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
		if err := loadAll(ctx, from, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, loadedSetting, mark); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}))
}

// loadAll copies every table. References are dropped and made again, so that the order of tables and rows is free:
// making them again checks them all.
func loadAll(ctx context.Context, from *sql.DB, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, unlimited); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
		FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace`)
	if err != nil {
		return err
	}
	references, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (v [3]string, err error) {
		err = r.Scan(&v[0], &v[1], &v[2])
		return v, err
	})
	if err != nil {
		return err
	}
	for _, c := range references {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`ALTER TABLE %s DROP CONSTRAINT %s`, c[0], c[1])); err != nil {
			return err
		}
	}
	tables, columns, err := tablesOf(ctx, from)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := loadTable(ctx, from, tx, t, columns[t]); err != nil {
			return fmt.Errorf("table %s: %w", t, err)
		}
	}
	if _, err := tx.Exec(ctx, `SELECT setval(pg_get_serial_sequence('bodies', 'id'), COALESCE(MAX(id), 0) + 1, false)
		FROM bodies`); err != nil {
		return err
	}
	for _, c := range references {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`ALTER TABLE %s ADD CONSTRAINT %s %s`, c[0], c[1], c[2])); err != nil {
			return err
		}
	}
	return nil
}

// loadTable copies a table's rows, in place of those that migrations wrote.
func loadTable(ctx context.Context, from *sql.DB, tx pgx.Tx, table string, columns []column) error {
	name := pgx.Identifier{table}
	if _, err := tx.Exec(ctx, "DELETE FROM "+name.Sanitize()); err != nil {
		return err
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	rows, err := from.QueryContext(ctx, "SELECT "+listed(columns)+" FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	_, err = tx.CopyFrom(ctx, name, names, pgx.CopyFromFunc(func() ([]any, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		return scanAny(rows, columns)
	}))
	return err
}
