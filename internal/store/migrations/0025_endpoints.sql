-- Listeners of their own for programs that know only old algorithms.
CREATE TABLE endpoints (
  name       TEXT PRIMARY KEY,
  listen     TEXT NOT NULL,
  allow_ips  TEXT NOT NULL, -- JSON list of networks; never empty
  algorithms TEXT NOT NULL, -- JSON list of the old algorithms that it offers, besides those of every listener
  until_at   BIGINT NOT NULL, -- it is closed from here on
  note       TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  closed_at  BIGINT -- when it was closed by hand
);

-- Who logged in through them.
CREATE TABLE endpoint_uses (
  endpoint   TEXT NOT NULL REFERENCES endpoints (name),
  user_id    TEXT NOT NULL,
  address    TEXT NOT NULL,
  client     TEXT NOT NULL, -- its version string, escaped
  algorithms TEXT NOT NULL, -- JSON list of the old ones that the latest log-in needed
  first_at   BIGINT NOT NULL,
  last_at    BIGINT NOT NULL,
  times      BIGINT NOT NULL,
  PRIMARY KEY (endpoint, user_id, address)
);
