-- Times are microseconds since 1970, UTC. Ids are ULIDs unless said otherwise.
-- Names of files and directories are bytes, compared as bytes.

CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('revocation', 0);

CREATE TABLE accounts (
  id         TEXT PRIMARY KEY, -- the operator's own account ID
  name       TEXT NOT NULL,
  parent     TEXT REFERENCES accounts (id), -- set: an indirect account
  region     TEXT NOT NULL,
  state      TEXT NOT NULL, -- active, read_only, suspended, closed
  created_at BIGINT NOT NULL
);

CREATE TABLE vendors (
  short      TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- A user's id is also the id of its mailbox's root directory.
CREATE TABLE users (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  kind       TEXT NOT NULL, -- customer, vendor, service
  account_id TEXT NOT NULL REFERENCES accounts (id),
  vendor     TEXT REFERENCES vendors (short),
  enabled    BIGINT NOT NULL,
  start_dir  TEXT NOT NULL,
  allow_ips  TEXT NOT NULL, -- JSON list of CIDRs; [] allows every address
  created_at BIGINT NOT NULL,
  UNIQUE (account_id, vendor)
);

-- The row every change of one tree locks first. NULL limits mean the default.
CREATE TABLE mailboxes (
  user_id     TEXT PRIMARY KEY REFERENCES users (id),
  used_bytes  BIGINT NOT NULL,
  used_files  BIGINT NOT NULL,
  quota_bytes BIGINT,
  quota_files BIGINT
) /*clustered*/;

CREATE TABLE keys (
  id           TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES users (id),
  fingerprint  TEXT NOT NULL, -- SHA256:…, as OpenSSH prints it
  type         TEXT NOT NULL,
  bits         BIGINT NOT NULL,
  public       TEXT NOT NULL, -- one authorized_keys line, without comment
  comment      TEXT NOT NULL,
  origin       TEXT NOT NULL, -- submitted, issued
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT,
  last_used_at BIGINT,
  revoked_at   BIGINT,
  revoked_why  TEXT
);
CREATE INDEX keys_user ON keys (user_id, fingerprint);
CREATE INDEX keys_fingerprint ON keys (fingerprint);

-- Numbered without gaps or overtaking: the counter's row lock orders them.
CREATE TABLE revocations (
  number      BIGINT PRIMARY KEY,
  user_id     TEXT NOT NULL,
  fingerprint TEXT NOT NULL, -- '' ends every session of the user
  reason      TEXT NOT NULL,
  at          BIGINT NOT NULL
);

-- rights NULL: as the parent. fixed: made by the operator, partners can't move it.
CREATE TABLE dirs (
  id         TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL REFERENCES users (id),
  parent_id  TEXT NOT NULL, -- '' for the root
  name       BYTEA NOT NULL,
  rights     BIGINT,
  fixed      BIGINT NOT NULL,
  staging    BIGINT NOT NULL, -- commits below are no drops until moved out
  mtime      BIGINT NOT NULL,
  UNIQUE (parent_id, name)
) /*clustered*/;
CREATE INDEX dirs_user ON dirs (user_id);

-- What STAT and READDIR say of a name, clustered so that a directory streams.
CREATE TABLE files (
  dir_id     TEXT NOT NULL,
  name       BYTEA NOT NULL,
  file_id    TEXT NOT NULL,
  version_id TEXT NOT NULL,
  size       BIGINT NOT NULL,
  mtime      BIGINT NOT NULL,
  mode       BIGINT NOT NULL,
  PRIMARY KEY (dir_id, name)
) /*clustered*/;

CREATE TABLE blobs (
  id         TEXT PRIMARY KEY,
  key        TEXT NOT NULL, -- where the driver keeps the bytes
  size       BIGINT NOT NULL,
  sha256     BYTEA NOT NULL,
  refs       BIGINT NOT NULL,
  state      TEXT NOT NULL, -- live, dead
  created_at BIGINT NOT NULL,
  dead_at    BIGINT
) /*clustered*/;
CREATE INDEX blobs_dead ON blobs (dead_at) WHERE state = 'dead';

-- Each version holds one reference on its blob.
CREATE TABLE versions (
  id         TEXT PRIMARY KEY,
  file_id    TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  blob_id    TEXT NOT NULL REFERENCES blobs (id),
  hash_state BYTEA, -- of SHA-256 after the last byte, for appends
  actor      TEXT NOT NULL,
  stored_at  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX versions_file ON versions (file_id, id);

-- id is the version's: a drop is a version seen from the operator's side.
CREATE TABLE drops (
  id          TEXT PRIMARY KEY,
  user_id     TEXT NOT NULL REFERENCES users (id),
  path        BYTEA NOT NULL, -- as it was when it became a drop
  size        BIGINT NOT NULL,
  sha256      BYTEA NOT NULL,
  fingerprint TEXT NOT NULL,
  address     TEXT NOT NULL,
  state       TEXT NOT NULL, -- new, claimed, acked, rejected, superseded
  withdrawn   BIGINT NOT NULL, -- its uploader removed the name
  received_at BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX drops_state ON drops (state, id);
CREATE INDEX drops_user ON drops (user_id, id);

CREATE TABLE feeds (
  name       TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  types      TEXT NOT NULL, -- JSON list of file types; [] takes every type
  retention  TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE subscriptions (
  id         TEXT PRIMARY KEY,
  feed       TEXT NOT NULL REFERENCES feeds (name),
  user_id    TEXT NOT NULL REFERENCES users (id),
  types      TEXT NOT NULL, -- JSON list; [] wants every type of the feed
  dir        TEXT NOT NULL, -- path in the mailbox
  created_at BIGINT NOT NULL,
  UNIQUE (feed, user_id)
);

CREATE TABLE publications (
  id              TEXT PRIMARY KEY,
  feed            TEXT NOT NULL REFERENCES feeds (name),
  account_id      TEXT NOT NULL, -- '' : all subscribers
  name            TEXT NOT NULL,
  size            BIGINT NOT NULL,
  sha256          BYTEA NOT NULL,
  idempotency_key TEXT,
  actor           TEXT NOT NULL,
  published_at    BIGINT NOT NULL,
  UNIQUE (feed, idempotency_key)
) /*clustered*/;

-- ranges: merged intervals served so far, as pairs of big-endian 64-bit offsets.
CREATE TABLE deliveries (
  id              TEXT PRIMARY KEY,
  publication_id  TEXT NOT NULL REFERENCES publications (id),
  subscription_id TEXT NOT NULL, -- may have ended since
  user_id         TEXT NOT NULL,
  version_id      TEXT NOT NULL,
  state           TEXT NOT NULL, -- published, opened, collected, expired, withdrawn
  ranges          BYTEA,
  published_at    BIGINT NOT NULL,
  opened_at       BIGINT,
  collected_at    BIGINT,
  fingerprint     TEXT NOT NULL -- the key that collected it
) /*clustered*/;
CREATE INDEX deliveries_version ON deliveries (version_id);
CREATE INDEX deliveries_publication ON deliveries (publication_id);
CREATE INDEX deliveries_user ON deliveries (user_id, id);

-- Unsequenced: sealing into the log gives each row its number later.
CREATE TABLE audit (
  id      TEXT PRIMARY KEY,
  at      BIGINT NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id TEXT NOT NULL, -- '' where no user is meant
  detail  TEXT NOT NULL  -- JSON object
) /*clustered*/;

CREATE TABLE connections (
  reference TEXT PRIMARY KEY, -- short, said to partners
  at        BIGINT NOT NULL,
  address   TEXT NOT NULL,
  user_name TEXT NOT NULL, -- as tried, escaped
  client    TEXT NOT NULL, -- its version string, escaped
  cipher    TEXT NOT NULL,
  offered   TEXT NOT NULL, -- JSON list of fingerprints
  methods   TEXT NOT NULL, -- JSON list
  outcome   TEXT NOT NULL, -- a reason code of package connection
  seconds   BIGINT NOT NULL
);
CREATE INDEX connections_at ON connections (at);
CREATE INDEX connections_address ON connections (address, at);
CREATE INDEX connections_user ON connections (user_name, at);

-- When somebody last got in from an address: the failure banner asks.
CREATE TABLE addresses (
  address     TEXT PRIMARY KEY,
  last_ok     BIGINT,
  last_failed BIGINT
);
