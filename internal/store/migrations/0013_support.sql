-- What people write down about accounts, vendors and users.
CREATE TABLE notes (
  id    TEXT PRIMARY KEY,
  kind  TEXT NOT NULL, -- account, vendor, user
  about TEXT NOT NULL, -- account ID, vendor's short name, user's id
  at    BIGINT NOT NULL,
  actor TEXT NOT NULL,
  text  TEXT NOT NULL
);
CREATE INDEX notes_about ON notes (kind, about, id);

-- JSON lists of words
ALTER TABLE accounts ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE vendors ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE users ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
-- who looks after the account, on the operator's side
ALTER TABLE accounts ADD COLUMN manager TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN manager_email TEXT NOT NULL DEFAULT '';

-- when the user was enabled last; NULL: it was never disabled
ALTER TABLE users ADD COLUMN enabled_at BIGINT;

-- What contacts are told at once: maintenance, an outage.
CREATE TABLE announcements (
  id         TEXT PRIMARY KEY,
  scope      TEXT NOT NULL, -- all, region, feed, tag
  target     TEXT NOT NULL, -- of the scope; '' for all
  subject    TEXT NOT NULL,
  text       TEXT NOT NULL,
  from_at    BIGINT,        -- the banner is shown from here
  until_at   BIGINT,        -- to here; NULL: there is no banner
  created_at BIGINT NOT NULL,
  actor      TEXT NOT NULL,
  ended_at   BIGINT,
  ended_by   TEXT NOT NULL,
  mailed     BIGINT NOT NULL, -- mails written
  after      TEXT NOT NULL,   -- contacts up to this id are done
  done_at    BIGINT           -- when the last mail was written
);
CREATE INDEX announcements_open ON announcements (id) WHERE done_at IS NULL;
CREATE INDEX announcements_until ON announcements (until_at) WHERE until_at IS NOT NULL AND ended_at IS NULL;

CREATE INDEX contacts_bounced ON contacts (bounced_at) WHERE bounced_at IS NOT NULL;
-- What a user has not collected yet.
CREATE INDEX deliveries_open ON deliveries (user_id, id) WHERE state IN ('published', 'opened') AND taken_at IS NULL;
