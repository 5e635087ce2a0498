package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const endpointColumns = `SELECT e.name, e.listen, e.allow_ips, e.algorithms, e.until_at, e.note, e.created_at,
	e.created_by, e.closed_at,
	(SELECT COUNT(DISTINCT u.user_id) FROM endpoint_uses u WHERE u.endpoint = e.name),
	(SELECT COUNT(DISTINCT u.user_id) FROM endpoint_uses u WHERE u.endpoint = e.name AND u.algorithms <> '[]'),
	(SELECT MAX(u.last_at) FROM endpoint_uses u WHERE u.endpoint = e.name) FROM endpoints e`

func scanEndpoint(r *sql.Rows) (e model.Endpoint, err error) {
	var networks, algorithms string
	err = r.Scan(&e.Name, &e.Listen, &networks, &algorithms, stamp{&e.Until}, &e.Note, stamp{&e.CreatedAt}, &e.CreatedBy,
		stampPtr{&e.ClosedAt}, &e.Users, &e.Needing, stampPtr{&e.LastAt})
	e.AllowIPs, e.Algorithms = list(networks), list(algorithms)
	return e, err
}

// mostEndpoints is how many listeners with old algorithms are read. Each needs a port of its own.
const mostEndpoints = 1000

// Endpoints lists the listeners with old algorithms by name, those that are closed, too.
func (q *Q) Endpoints() ([]model.Endpoint, error) {
	return collect(q, "Endpoints", scanEndpoint, endpointColumns+` ORDER BY e.name LIMIT $1`, mostEndpoints)
}

// Endpoint finds a listener with old algorithms.
func (q *Q) Endpoint(name string) (model.Endpoint, error) {
	return one(q, "Endpoint", scanEndpoint, endpointColumns+` WHERE e.name = $1`, name)
}

// AddEndpoint records a listener; Exists if there is one of its name.
func (tx *Tx) AddEndpoint(e model.Endpoint) error {
	_, err := tx.exec("AddEndpoint", `INSERT INTO endpoints (name, listen, allow_ips, algorithms, until_at, note,
		created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, e.Name, e.Listen, jsonList(e.AllowIPs),
		jsonList(e.Algorithms), micros(e.Until), e.Note, micros(e.CreatedAt), e.CreatedBy)
	return err
}

// SetEndpoint changes networks, algorithms, day and note of a listener. It is NotFound if that was closed by
// hand.
func (tx *Tx) SetEndpoint(e model.Endpoint) error {
	return tx.execOne("SetEndpoint", `UPDATE endpoints SET allow_ips = $2, until_at = $3, note = $4, algorithms = $5
		WHERE name = $1 AND closed_at IS NULL`, e.Name, jsonList(e.AllowIPs), micros(e.Until), e.Note,
		jsonList(e.Algorithms))
}

// CloseEndpoint records that a listener was closed by hand; NotFound if it was.
func (tx *Tx) CloseEndpoint(name string, at time.Time) error {
	return tx.execOne("CloseEndpoint", `UPDATE endpoints SET closed_at = $2 WHERE name = $1 AND closed_at IS NULL`, name,
		micros(at))
}

// EndpointLogin is a log-in through a listener with old algorithms.
type EndpointLogin struct {
	Endpoint, UserID, Address, Client string
	Algorithms                        []string // the old ones that it needed
	At                                time.Time
	Times                             int64
}

// placesOfEndpoint is how many addresses of a user are kept for a listener.
const placesOfEndpoint = 50

// EndpointUsed records log-ins through a listener with old algorithms.
func (tx *Tx) EndpointUsed(l EndpointLogin) error {
	_, err := tx.book("EndpointUsed", `INSERT INTO endpoint_uses (endpoint, user_id, address, client, algorithms,
		first_at, last_at, times)
		SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT)
		WHERE (SELECT COUNT(*) FROM endpoint_uses WHERE endpoint = $1 AND user_id = $2) < $8
		OR EXISTS (SELECT 1 FROM endpoint_uses WHERE endpoint = $1 AND user_id = $2 AND address = $3)
		ON CONFLICT (endpoint, user_id, address) DO UPDATE SET client = excluded.client,
		algorithms = excluded.algorithms, last_at = excluded.last_at, times = endpoint_uses.times + excluded.times`,
		l.Endpoint, l.UserID, l.Address, l.Client, jsonList(l.Algorithms), micros(l.At), l.Times, placesOfEndpoint)
	return err
}

// EndpointUses lists who logged in through listeners with old algorithms: one page, by listener, user and address.
func (q *Q) EndpointUses(f model.EndpointUseFilter) ([]model.EndpointUse, error) {
	endpoint, user, address := f.Split()
	return collect(q, "EndpointUses", func(r *sql.Rows) (u model.EndpointUse, err error) {
		var algorithms string
		err = r.Scan(&u.Endpoint, &u.User, &u.Account, &u.Address, &u.Client, &algorithms, stamp{&u.FirstAt},
			stamp{&u.LastAt}, &u.Times)
		u.Algorithms = list(algorithms)
		return u, err
	}, `SELECT e.endpoint, u.name, u.account_id, e.address, e.client, e.algorithms, e.first_at, e.last_at, e.times
		FROM endpoint_uses e JOIN users u ON u.id = e.user_id
		WHERE ($1 = '' OR e.endpoint = $1) AND ($2 = '' OR u.folded = $2) AND ($3 = 0 OR e.algorithms <> '[]')
		AND (e.endpoint > $4 OR e.endpoint = $4 AND (u.name > $5 OR u.name = $5 AND e.address > $6))
		ORDER BY e.endpoint, u.name, e.address LIMIT $7`,
		f.Endpoint, valid.Fold(f.User), flag(f.Needing), endpoint, user, address, most(f.Paging))
}
