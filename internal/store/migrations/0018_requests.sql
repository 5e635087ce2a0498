-- What people ask for access, from the form to the first file.
CREATE TABLE requests (
  id             TEXT PRIMARY KEY,
  reference      TEXT NOT NULL UNIQUE,
  state          TEXT NOT NULL, -- unverified, new, asked, approved, ready, entered, in_use, or how it ended
  since          BIGINT NOT NULL,
  waits_for      TEXT NOT NULL, -- requester, operator, second_operator, nobody
  due_at         BIGINT,
  owner          TEXT NOT NULL,
  channel        TEXT NOT NULL, -- form, mail, phone, operator
  created_at     BIGINT NOT NULL,
  first_name     TEXT NOT NULL,
  last_name      TEXT NOT NULL,
  email          TEXT NOT NULL,
  phone          TEXT NOT NULL,
  company        TEXT NOT NULL,
  account_number TEXT NOT NULL,
  username       TEXT NOT NULL,
  fingerprint    TEXT NOT NULL,
  key            TEXT NOT NULL, -- JSON
  feeds          TEXT NOT NULL, -- JSON list
  types          TEXT NOT NULL, -- JSON list
  message        TEXT NOT NULL,
  language       TEXT NOT NULL,
  source         TEXT NOT NULL, -- network address
  verified_at    BIGINT,
  verified       TEXT NOT NULL, -- how
  approver       TEXT NOT NULL,
  approval       TEXT NOT NULL, -- JSON; '' before it was approved
  account_id     TEXT NOT NULL, -- of the log-in that was made; '' before
  user_id        TEXT NOT NULL,
  contact_id     TEXT NOT NULL,
  reason         TEXT NOT NULL,
  reminded_at    BIGINT,
  reminders      BIGINT NOT NULL -- in this state
);
CREATE INDEX requests_state ON requests (state, id);
CREATE INDEX requests_email ON requests (LOWER(email), id);
CREATE INDEX requests_number ON requests (LOWER(account_number), id);
CREATE INDEX requests_account ON requests (LOWER(account_id), id);
CREATE INDEX requests_key ON requests (fingerprint, id);
CREATE INDEX requests_user ON requests (user_id) WHERE user_id <> '';
CREATE INDEX requests_due ON requests (due_at) WHERE due_at IS NOT NULL;

-- A request's history, with questions and answers.
CREATE TABLE request_steps (
  id         TEXT PRIMARY KEY,
  request_id TEXT NOT NULL REFERENCES requests (id),
  at         BIGINT NOT NULL,
  actor      TEXT NOT NULL,
  action     TEXT NOT NULL,
  state      TEXT NOT NULL, -- after the step
  text       TEXT NOT NULL
);
CREATE INDEX request_steps_request ON request_steps (request_id, id);

-- Links of requests' mails: SHA-256 of each link's secret.
CREATE TABLE request_links (
  hash       BYTEA PRIMARY KEY,
  request_id TEXT NOT NULL REFERENCES requests (id),
  purpose    TEXT NOT NULL, -- verify, status
  expires_at BIGINT NOT NULL
);
CREATE INDEX request_links_request ON request_links (request_id);
CREATE INDEX request_links_expires ON request_links (expires_at);

-- Earlier files that subscriptions of an approved request still need.
CREATE TABLE request_fills (
  request_id TEXT NOT NULL REFERENCES requests (id),
  feed       TEXT NOT NULL,
  days       BIGINT NOT NULL,
  actor      TEXT NOT NULL,
  PRIMARY KEY (request_id, feed)
);
