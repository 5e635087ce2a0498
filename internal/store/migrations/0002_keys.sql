-- People of accounts and vendors; one of account_id and vendor is set.
CREATE TABLE contacts (
  id          TEXT PRIMARY KEY,
  account_id  TEXT REFERENCES accounts (id),
  vendor      TEXT REFERENCES vendors (short),
  name        TEXT NOT NULL,
  email       TEXT NOT NULL,
  phone       TEXT NOT NULL,
  roles       TEXT NOT NULL, -- JSON list
  created_at  BIGINT NOT NULL,
  verified_at BIGINT,
  verified    TEXT NOT NULL, -- how
  bounced_at  BIGINT,
  left_at     BIGINT
);
CREATE INDEX contacts_account ON contacts (account_id);
CREATE INDEX contacts_vendor ON contacts (vendor);
CREATE INDEX contacts_email ON contacts (LOWER(email));

ALTER TABLE accounts ADD COLUMN allow_ips TEXT NOT NULL DEFAULT '[]';
CREATE INDEX accounts_listed ON accounts (id) WHERE allow_ips <> '[]';
CREATE INDEX users_listed ON users (id) WHERE allow_ips <> '[]';

-- contact id
ALTER TABLE keys ADD COLUMN holder TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN flag TEXT NOT NULL DEFAULT '';
-- being replaced
ALTER TABLE keys ADD COLUMN retires_at BIGINT;
-- key id
ALTER TABLE keys ADD COLUMN replaced_by TEXT;
ALTER TABLE keys ADD COLUMN frozen_at BIGINT;
-- contact id
ALTER TABLE keys ADD COLUMN frozen_by TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN last_address TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN last_client TEXT NOT NULL DEFAULT '';
CREATE INDEX keys_replaced ON keys (replaced_by) WHERE replaced_by IS NOT NULL;
CREATE INDEX keys_retires ON keys (retires_at) WHERE retires_at IS NOT NULL;
CREATE INDEX keys_expires ON keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX keys_holder ON keys (holder) WHERE holder <> '';

-- Never enrolled again, by anyone.
CREATE TABLE burned_keys (
  fingerprint TEXT PRIMARY KEY,
  how         TEXT NOT NULL, -- exposed, reported, suspected
  why         TEXT NOT NULL,
  actor       TEXT NOT NULL,
  at          BIGINT NOT NULL
);

-- Unknown keys offered for real users, if policy lets them wait.
CREATE TABLE pending_keys (
  user_id     TEXT NOT NULL REFERENCES users (id),
  fingerprint TEXT NOT NULL,
  type        TEXT NOT NULL,
  bits        BIGINT NOT NULL,
  public      TEXT NOT NULL,
  address     TEXT NOT NULL,
  client      TEXT NOT NULL,
  first_at    BIGINT NOT NULL,
  last_at     BIGINT NOT NULL,
  times       BIGINT NOT NULL,
  PRIMARY KEY (user_id, fingerprint)
) /*clustered*/;

-- One-time links. sealed can be read only with what the link has and we don't.
CREATE TABLE links (
  id          TEXT PRIMARY KEY,
  token       BYTEA NOT NULL UNIQUE, -- SHA-256 of the half that finds the row
  kind        TEXT NOT NULL, -- key, passphrase, verify
  user_id     TEXT NOT NULL,
  contact_id  TEXT NOT NULL REFERENCES contacts (id),
  fingerprint TEXT NOT NULL,
  sealed      BYTEA, -- NULL once it was opened, revoked or expired
  state       TEXT NOT NULL, -- waiting, opened, revoked, expired
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  ended_at    BIGINT,
  opened_from TEXT NOT NULL
);
CREATE INDEX links_waiting ON links (expires_at) WHERE state = 'waiting';
CREATE INDEX links_key ON links (fingerprint);
CREATE INDEX links_contact ON links (contact_id);

-- What people should be told; each thing once.
CREATE TABLE notices (
  id          TEXT PRIMARY KEY,
  at          BIGINT NOT NULL,
  kind        TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  mark        TEXT NOT NULL,
  roles       TEXT NOT NULL, -- JSON list
  text        TEXT NOT NULL,
  done_at     BIGINT,
  UNIQUE (user_id, kind, fingerprint, mark)
);
CREATE INDEX notices_open ON notices (id) WHERE done_at IS NULL;

CREATE TABLE bans (
  address  TEXT PRIMARY KEY,
  since    BIGINT NOT NULL,
  until    BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  refused  BIGINT NOT NULL,
  reason   TEXT NOT NULL
);

ALTER TABLE connections RENAME COLUMN cipher TO algorithms;
ALTER TABLE connections ADD COLUMN detail TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN logged_in BIGINT NOT NULL DEFAULT 0;
UPDATE connections SET logged_in = 1 WHERE outcome = 'ok';
-- the key that logged in
ALTER TABLE connections ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN ended_at BIGINT;
ALTER TABLE connections ADD COLUMN received BIGINT NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN sent BIGINT NOT NULL DEFAULT 0;
CREATE INDEX connections_failed ON connections (at) WHERE logged_in = 0;
CREATE INDEX connections_key ON connections (fingerprint, at) WHERE fingerprint <> '';

-- What was read and listed, by key. Changes are in the audit log.
CREATE TABLE activity (
  id          TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  session     TEXT NOT NULL,
  action      TEXT NOT NULL, -- read, list
  path        BYTEA NOT NULL,
  bytes       BIGINT NOT NULL,
  times       BIGINT NOT NULL,
  until       BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX activity_key ON activity (fingerprint, id);

CREATE INDEX audit_user ON audit (user_id, id);
