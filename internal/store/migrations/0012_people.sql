-- The zone in which an account's people read times; empty: that of their region, or the operator's.
ALTER TABLE accounts ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';
-- What was received since a time. Ids are of when an upload began.
CREATE INDEX drops_at ON drops (received_at, id);
-- When an account's people were last reminded of files that they have not downloaded.
CREATE TABLE reminders (
  account_id TEXT PRIMARY KEY REFERENCES accounts (id),
  at         BIGINT NOT NULL
);
