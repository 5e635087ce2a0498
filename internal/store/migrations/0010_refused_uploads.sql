-- Uploads that were refused, with what the partner was told. An observation, as a connection is. Within one session,
-- refusals of one path are counted.
CREATE TABLE refused_uploads (
  id          TEXT PRIMARY KEY, -- its time is that of the first refusal
  user_id     TEXT NOT NULL,
  session     TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  address     TEXT NOT NULL,
  path        BYTEA NOT NULL,
  name        BYTEA NOT NULL, -- the last part of path
  reason      TEXT NOT NULL, -- kind of the error: quota, denied, invalid, …
  said        TEXT NOT NULL, -- the sentence for the client
  size        BIGINT NOT NULL, -- how far the client had come, with the bytes that were refused
  times       BIGINT NOT NULL,
  until       BIGINT NOT NULL -- the last refusal
) /*clustered*/;
CREATE INDEX refused_uploads_name ON refused_uploads (name, id);
CREATE INDEX refused_uploads_user ON refused_uploads (user_id, id);
CREATE INDEX refused_uploads_session ON refused_uploads (session, id);
-- A user's log-ins from one address: whoever logs in well from there is not told how to.
CREATE INDEX connections_in ON connections (user_name, address, at) WHERE logged_in = 1;
