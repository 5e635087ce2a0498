-- Feeds, whole.
-- when a closed account's files go; NULL for the configured time
ALTER TABLE accounts ADD COLUMN files_until BIGINT;
ALTER TABLE feeds ADD COLUMN pattern TEXT NOT NULL DEFAULT '';
-- dated sub-folders, as a template of yyyy, mm, dd; '' for none
ALTER TABLE feeds ADD COLUMN folders TEXT NOT NULL DEFAULT '';
-- account whose users may publish into it; '' for the platform alone
ALTER TABLE feeds ADD COLUMN producer TEXT NOT NULL DEFAULT '';
-- JSON list of accounts that may subscribe; [] for all
ALTER TABLE feeds ADD COLUMN recipients TEXT NOT NULL DEFAULT '[]';
-- what a parent account gets of its children's files: nothing, files
ALTER TABLE feeds ADD COLUMN parent_sees TEXT NOT NULL DEFAULT 'nothing';

-- mail about new files: '' or daily
ALTER TABLE subscriptions ADD COLUMN mail TEXT NOT NULL DEFAULT '';

-- The numbers in a feed's file names, by account: what came last, what is missing.
CREATE TABLE feed_sequences (
  feed       TEXT NOT NULL,
  account_id TEXT NOT NULL, -- '': published to all
  last       BIGINT NOT NULL,
  missing    TEXT NOT NULL, -- JSON list of [from, to]
  PRIMARY KEY (feed, account_id)
) /*clustered*/;

-- NULL once every mailbox has it; before, the user id up to which they do.
ALTER TABLE publications ADD COLUMN placed_up_to TEXT;
ALTER TABLE publications ADD COLUMN via TEXT NOT NULL DEFAULT '';
CREATE INDEX publications_unplaced ON publications (id) WHERE placed_up_to IS NOT NULL;
CREATE INDEX publications_feed ON publications (feed, published_at);
CREATE INDEX publications_name ON publications (name, id);
CREATE INDEX publications_content ON publications (sha256);

ALTER TABLE deliveries ADD COLUMN path BYTEA;
-- 1 for the first file of this name, 2 for what replaced it
ALTER TABLE deliveries ADD COLUMN issue BIGINT NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN ended_at BIGINT;
DROP INDEX deliveries_publication;
CREATE UNIQUE INDEX deliveries_publication ON deliveries (publication_id, subscription_id);
CREATE INDEX deliveries_ended ON deliveries (user_id, path) WHERE state IN ('expired', 'withdrawn');
CREATE INDEX deliveries_waiting ON deliveries (published_at) WHERE state IN ('published', 'opened');

-- The policy that a version is kept by; its period is the policy's of the day.
ALTER TABLE versions ADD COLUMN class TEXT NOT NULL DEFAULT 'default';
CREATE INDEX versions_class ON versions (class, stored_at);
CREATE INDEX files_file ON files (file_id);

-- Drops, whole. cleared: the scanner accepted it, or none was named.
ALTER TABLE drops ADD COLUMN cleared BIGINT NOT NULL DEFAULT 1;
ALTER TABLE drops ADD COLUMN claim TEXT NOT NULL DEFAULT '';
ALTER TABLE drops ADD COLUMN consumer TEXT NOT NULL DEFAULT '';
ALTER TABLE drops ADD COLUMN claim_until BIGINT;
ALTER TABLE drops ADD COLUMN settled_at BIGINT;
ALTER TABLE drops ADD COLUMN settled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE drops ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE drops ADD COLUMN advice TEXT NOT NULL DEFAULT '';
ALTER TABLE drops ADD COLUMN duplicate TEXT NOT NULL DEFAULT '';
ALTER TABLE drops ADD COLUMN duplicate_of TEXT NOT NULL DEFAULT '';
-- what is still to do in the uploader's mailbox: move, tell
ALTER TABLE drops ADD COLUMN pending TEXT NOT NULL DEFAULT '';
ALTER TABLE drops ADD COLUMN removed_at BIGINT;
CREATE INDEX drops_claimed ON drops (claim_until) WHERE state = 'claimed';
CREATE INDEX drops_pending ON drops (settled_at) WHERE pending <> '';
-- the last part of path
ALTER TABLE drops ADD COLUMN name BYTEA;
CREATE INDEX drops_content ON drops (sha256, user_id, id);
CREATE INDEX drops_name ON drops (name, user_id, id);

CREATE TABLE expectations (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  user_id    TEXT NOT NULL, -- whose drops; '' for a feed's publications
  feed       TEXT NOT NULL,
  account_id TEXT NOT NULL, -- of a feed: published to this account; '' for any
  glob       TEXT NOT NULL, -- names that count; '' for all
  at_least   BIGINT NOT NULL,
  days       TEXT NOT NULL, -- daily, weekdays, a weekday, or a day of the month
  clock      TEXT NOT NULL, -- HH:MM
  zone       TEXT NOT NULL,
  tell       BIGINT NOT NULL, -- 1: the user's people are told, too
  created_at BIGINT NOT NULL,
  checked_at BIGINT NOT NULL, -- deadlines up to here were judged
  state      TEXT NOT NULL, -- met, missed, waiting
  due_at     BIGINT, -- the deadline that was judged last
  since      BIGINT, -- where its window began
  changed_at BIGINT
);

-- Events on their way out, each written with its change.
CREATE TABLE outbox (
  id   TEXT PRIMARY KEY,
  at   BIGINT NOT NULL,
  type TEXT NOT NULL,
  body TEXT NOT NULL -- JSON: exchange.Event
) /*clustered*/;

CREATE TABLE webhooks (
  name       TEXT PRIMARY KEY,
  url        TEXT NOT NULL,
  secret     TEXT NOT NULL,
  old_secret TEXT NOT NULL, -- signs too until it is retired
  events     TEXT NOT NULL, -- JSON list of types, with * at the end of one
  enabled    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  note       TEXT NOT NULL -- why it was switched off
);

-- One thing to send to one receiver.
CREATE TABLE messages (
  id         TEXT PRIMARY KEY,
  channel    TEXT NOT NULL, -- webhook, mail
  target     TEXT NOT NULL, -- name of the webhook, or e-mail address
  event_id   TEXT NOT NULL,
  kind       TEXT NOT NULL, -- event type, or the mail's template
  ref        TEXT NOT NULL, -- what it tells of: a notice's id
  contact_id TEXT NOT NULL,
  subject    TEXT NOT NULL,
  body       TEXT NOT NULL, -- JSON, or a mail's text
  html       TEXT NOT NULL,
  state      TEXT NOT NULL, -- new, queued, sent, dead, bounced
  attempts   BIGINT NOT NULL,
  error      TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  queued_at  BIGINT, -- when it got its job
  tried_at   BIGINT,
  sent_at    BIGINT
);
CREATE INDEX messages_new ON messages (id) WHERE state = 'new';
CREATE INDEX messages_open ON messages (state, created_at) WHERE state <> 'sent';
CREATE INDEX messages_ref ON messages (ref) WHERE ref <> '';
CREATE INDEX messages_old ON messages (created_at);

-- What a user's technical contacts hear of once an hour.
CREATE TABLE digests (
  id      TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  at      BIGINT NOT NULL,
  kind    TEXT NOT NULL, -- refused, duplicate, new
  detail  TEXT NOT NULL -- JSON object
) /*clustered*/;
CREATE INDEX digests_user ON digests (user_id, id);

ALTER TABLE notices ADD COLUMN mailed_at BIGINT;

-- Retention policies beyond the feeds' own. class names them in versions.
CREATE TABLE retention_policies (
  class      TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL,
  folder     TEXT NOT NULL,
  keep       TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  actor      TEXT NOT NULL
);

CREATE TABLE holds (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL, -- account, user, feed, file
  target      TEXT NOT NULL, -- account id, user id, feed name, version id
  label       TEXT NOT NULL, -- the target as people named it
  reason      TEXT NOT NULL,
  actor       TEXT NOT NULL,
  at          BIGINT NOT NULL,
  released_at BIGINT,
  released_by TEXT NOT NULL
);
CREATE INDEX holds_live ON holds (kind, target) WHERE released_at IS NULL;
INSERT INTO counters (name, value) VALUES ('holds', 0);

CREATE TABLE retention_runs (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL, -- regular, closing
  account_id    TEXT NOT NULL, -- of a closing one
  due_at        BIGINT NOT NULL,
  state         TEXT NOT NULL, -- planning, announced, running, done, cancelled
  confirm       TEXT NOT NULL, -- why an administrator must confirm it; '' for no need
  confirmed_at  BIGINT,
  confirmed_by  TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  started_at    BIGINT,
  finished_at   BIGINT,
  files         BIGINT NOT NULL, -- named
  bytes         BIGINT NOT NULL,
  removed_files BIGINT NOT NULL,
  removed_bytes BIGINT NOT NULL,
  report        TEXT NOT NULL, -- the signed removal report
  list_key      TEXT NOT NULL, -- blob with its list of files
  planner       TEXT NOT NULL -- the node that named its files
);
CREATE INDEX retention_runs_open ON retention_runs (due_at) WHERE state IN ('announced', 'running');

-- What a run's notice names. Nothing else is removed.
CREATE TABLE retention_items (
  run_id     TEXT NOT NULL,
  account_id TEXT NOT NULL,
  version_id TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  path       BYTEA NOT NULL,
  size       BIGINT NOT NULL,
  sha256     BYTEA NOT NULL,
  class      TEXT NOT NULL,
  stored_at  BIGINT NOT NULL,
  fetched    TEXT NOT NULL, -- of a delivery: its state; of a drop: its state; '' otherwise
  state      TEXT NOT NULL, -- named, removed, held, kept, gone
  why        TEXT NOT NULL,
  PRIMARY KEY (run_id, account_id, version_id)
) /*clustered*/;
CREATE INDEX retention_items_todo ON retention_items (run_id, version_id) WHERE state = 'named';

-- What was told to an account's people before a run.
CREATE TABLE retention_notices (
  id         TEXT PRIMARY KEY,
  run_id     TEXT NOT NULL,
  account_id TEXT NOT NULL,
  mark       TEXT NOT NULL, -- first, reminder, final
  at         BIGINT NOT NULL,
  text       TEXT NOT NULL,
  told_by    TEXT NOT NULL, -- who told them by hand
  UNIQUE (run_id, account_id, mark)
);

-- The log: each sealed row's number, and the tree's hashes as
-- golang.org/x/mod/sumdb/tlog numbers them.
ALTER TABLE audit ADD COLUMN seq BIGINT;
CREATE INDEX audit_unsealed ON audit (id) WHERE seq IS NULL;
CREATE UNIQUE INDEX audit_seq ON audit (seq) WHERE seq IS NOT NULL;
CREATE TABLE audit_hashes (
  idx  BIGINT PRIMARY KEY,
  hash BYTEA NOT NULL
);
CREATE TABLE checkpoints (
  size BIGINT PRIMARY KEY,
  at   BIGINT NOT NULL,
  note TEXT NOT NULL, -- signed
  sent BIGINT NOT NULL -- 1: left the machine
);
INSERT INTO counters (name, value) VALUES ('audit.sealed', 0);
INSERT INTO counters (name, value) VALUES ('audit.expired', 0);

-- Who does what only one node may do.
CREATE TABLE leases (
  name   TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until  BIGINT NOT NULL
);

-- What the deployment remembers of itself: its configuration at the last start.
CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
