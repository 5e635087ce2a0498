-- People who manage the server. The first administrator has no address until it has joined.
CREATE TABLE operators (
  id            TEXT   PRIMARY KEY,
  email         TEXT   NOT NULL,
  name          TEXT   NOT NULL,
  role          TEXT   NOT NULL,
  password      TEXT   NOT NULL, -- argon2id in PHC form; ''
  totp          TEXT   NOT NULL, -- sealed; ''
  totp_step     BIGINT NOT NULL, -- of the latest code that was used
  wrong_codes   BIGINT NOT NULL DEFAULT 0, -- since that one
  subject       TEXT   NOT NULL, -- at the single sign-on: issuer and subject; ''
  link_hash     TEXT   NOT NULL, -- SHA-256 of the secret of the link to join, in hex; ''
  link_until    BIGINT,
  created_at    BIGINT NOT NULL,
  created_by    TEXT   NOT NULL,
  joined_at     BIGINT,
  last_at       BIGINT,
  last_from     TEXT   NOT NULL,
  last_method   TEXT   NOT NULL,
  refused_at    BIGINT,
  refused_from  TEXT   NOT NULL,
  refused_for   TEXT   NOT NULL,
  disabled_at   BIGINT,
  disabled_by   TEXT   NOT NULL,
  disabled_for  TEXT   NOT NULL
);
CREATE UNIQUE INDEX operators_email ON operators (LOWER(email)) WHERE email <> '';
CREATE UNIQUE INDEX operators_subject ON operators (subject) WHERE subject <> '';
CREATE UNIQUE INDEX operators_link ON operators (link_hash) WHERE link_hash <> '';

CREATE TABLE passkeys (
  id           TEXT   PRIMARY KEY, -- the credential's, base64url
  operator_id  TEXT   NOT NULL REFERENCES operators (id),
  name         TEXT   NOT NULL,
  credential   TEXT   NOT NULL, -- JSON
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT
);
CREATE INDEX passkeys_operator ON passkeys (operator_id, id);

-- Browsers that are signed in. hash is the SHA-256 of the cookie, in hex.
CREATE TABLE operator_sessions (
  id          TEXT   PRIMARY KEY,
  hash        TEXT   NOT NULL UNIQUE,
  operator_id TEXT   NOT NULL REFERENCES operators (id),
  method      TEXT   NOT NULL,
  address     TEXT   NOT NULL,
  agent       TEXT   NOT NULL,
  created_at  BIGINT NOT NULL,
  seen_at     BIGINT NOT NULL,
  ends_at     BIGINT NOT NULL,
  ended_at    BIGINT,
  ended_by    TEXT   NOT NULL
);
CREATE INDEX operator_sessions_operator ON operator_sessions (operator_id, id);
CREATE INDEX operator_sessions_ends ON operator_sessions (ends_at);

-- Sign-ins that have begun: challenges of passkeys, states of single sign-on. Each is used once.
CREATE TABLE challenges (
  hash       TEXT   PRIMARY KEY, -- SHA-256 of the browser's ticket, in hex
  purpose    TEXT   NOT NULL,
  data       TEXT   NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX challenges_expires ON challenges (expires_at);

-- Lists of operators, tokens and keys that somebody has looked at and signed off.
CREATE TABLE reviews (
  id        TEXT   PRIMARY KEY,
  made_at   BIGINT NOT NULL,
  made_by   TEXT   NOT NULL,
  operators BIGINT NOT NULL,
  tokens    BIGINT NOT NULL,
  keys      BIGINT NOT NULL,
  content   TEXT   NOT NULL, -- JSON
  signed_at BIGINT,
  signed_by TEXT   NOT NULL,
  note      TEXT   NOT NULL
);
