-- Sessions from these networks go on: JSON list of CIDRs; '' for none.
ALTER TABLE revocations ADD COLUMN spares TEXT NOT NULL DEFAULT '';

-- When a closed account was closed, and its state before; NULL and '' for one that was closed by an earlier version.
ALTER TABLE accounts ADD COLUMN closed_at BIGINT;
ALTER TABLE accounts ADD COLUMN closed_from TEXT NOT NULL DEFAULT '';

-- Names that users had. Nobody else may take one while records of connections have it.
CREATE TABLE former_names (
  folded     TEXT NOT NULL, -- in lower case
  name       TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  renamed_at BIGINT NOT NULL,
  PRIMARY KEY (folded, renamed_at, user_id)
) /*clustered*/;
CREATE INDEX former_names_user ON former_names (user_id);
