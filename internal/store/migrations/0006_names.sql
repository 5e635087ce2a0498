-- A drop whose name may be a temporary one is handed on at this time; 0: it was.
ALTER TABLE drops ADD COLUMN ready_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX drops_ready ON drops (ready_at) WHERE ready_at > 0;
-- Drops that nobody has claimed follow their names.
CREATE INDEX drops_unclaimed ON drops (user_id, path) WHERE state IN ('new', 'unscanned');

-- Other names that a drop has had.
CREATE TABLE drop_names (
  drop_id TEXT NOT NULL,
  path    BYTEA NOT NULL,
  name    BYTEA NOT NULL, -- the last part of path
  at      BIGINT NOT NULL,
  PRIMARY KEY (drop_id, path)
) /*clustered*/;
CREATE INDEX drop_names_name ON drop_names (name, drop_id);
CREATE INDEX files_name ON files (name);

-- What names mean for a user, in a folder, or both; NULL: as configured.
CREATE TABLE name_policies (
  user_id    TEXT NOT NULL, -- '' for every user
  folder     TEXT NOT NULL, -- '' for everywhere
  temporary  TEXT, -- JSON list of globs
  doubtful   TEXT,
  ignored    TEXT,
  grace      BIGINT, -- µs
  created_at BIGINT NOT NULL,
  actor      TEXT NOT NULL,
  PRIMARY KEY (user_id, folder)
);

-- Directories that left a staging folder, whose files are not received yet.
CREATE TABLE unreceived (
  dir_id      TEXT PRIMARY KEY,
  user_id     TEXT NOT NULL,
  after       BYTEA NOT NULL, -- files up to this name are received
  fingerprint TEXT NOT NULL, -- of who moved them
  address     TEXT NOT NULL,
  at          BIGINT NOT NULL
);
CREATE INDEX unreceived_user ON unreceived (user_id, dir_id);

-- Directories that were renamed, whose unclaimed drops have the old path yet.
CREATE TABLE moved (
  id       TEXT PRIMARY KEY,
  user_id  TEXT NOT NULL,
  old_path BYTEA NOT NULL,
  new_path BYTEA NOT NULL
);
CREATE INDEX moved_user ON moved (user_id, id);
