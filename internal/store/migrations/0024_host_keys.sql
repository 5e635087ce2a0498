-- While host keys are rotated: the places from which a user's programs log in, and whether each knows the keys that
-- come. A rotation empties it when it begins.
CREATE TABLE host_key_clients (
  user_id   TEXT NOT NULL,
  address   TEXT NOT NULL,
  client    TEXT NOT NULL, -- its version string, escaped
  last_at   BIGINT NOT NULL,
  learnt_at BIGINT, -- when it asked for a proof of the new keys, or logged in under them
  PRIMARY KEY (user_id, address)
);
