package store

import (
	"strconv"
	"time"
)

// Setting reads a setting of the deployment; "" if it is not set.
func (q *Q) Setting(name string) (v string, err error) {
	err = q.scanOne("Setting", `SELECT COALESCE((SELECT value FROM settings WHERE name = $1), '')`, []any{name}, &v)
	return v, err
}

// SetSetting sets a setting of the deployment.
func (tx *Tx) SetSetting(name, value string) error {
	if err := tx.take(rankSetting, name); err != nil {
		return err
	}
	_, err := tx.book("SetSetting", `INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// TimeSetting reads a setting that is a time; the Unix epoch if it is not set.
func (q *Q) TimeSetting(name string) (time.Time, error) {
	v, err := q.Setting(name)
	us, _ := strconv.ParseInt(v, 10, 64) // never written: 0
	return fromMicros(us), err
}

// SetTimeSetting sets a setting that is a time.
func (tx *Tx) SetTimeSetting(name string, t time.Time) error {
	return tx.SetSetting(name, strconv.FormatInt(micros(t), 10))
}
