-- API tokens. hash is the SHA-256 of the secret, in hex.
CREATE TABLE tokens (
	id           TEXT   PRIMARY KEY,
	name         TEXT   NOT NULL,
	role         TEXT   NOT NULL,
	prefix       TEXT   NOT NULL UNIQUE,
	hash         TEXT   NOT NULL,
	allow_ips    TEXT   NOT NULL,
	created_at   BIGINT NOT NULL,
	created_by   TEXT   NOT NULL,
	expires_at   BIGINT NOT NULL,
	last_used_at BIGINT,
	last_address TEXT   NOT NULL DEFAULT '',
	revoked_at   BIGINT,
	revoked_by   TEXT   NOT NULL DEFAULT ''
);
-- A name is free again once its token was revoked.
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;
