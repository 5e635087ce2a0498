-- What a user keeps alive beyond what is seen in its mailbox: the contents that
-- it brought in, until the sweep has removed them, and its directories.
ALTER TABLE blobs ADD COLUMN owner TEXT NOT NULL DEFAULT ''; -- id of the user who brought it; '' for the platform
UPDATE blobs SET owner = substr(key, 1, 26) WHERE substr(key, 1, 26) IN (SELECT id FROM users);
ALTER TABLE mailboxes ADD COLUMN kept_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE mailboxes ADD COLUMN kept_contents BIGINT NOT NULL DEFAULT 0;
-- directories that are not fixed in their place
ALTER TABLE mailboxes ADD COLUMN dirs BIGINT NOT NULL DEFAULT 0;
-- limits; NULL for the configured ones
ALTER TABLE mailboxes ADD COLUMN keep_bytes BIGINT;
ALTER TABLE mailboxes ADD COLUMN keep_items BIGINT;
ALTER TABLE accounts ADD COLUMN keep_bytes BIGINT;
ALTER TABLE accounts ADD COLUMN keep_items BIGINT;
-- when the operator was told that a limit is near; 0: it is not
ALTER TABLE mailboxes ADD COLUMN near_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN near_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX blobs_owner ON blobs (owner);
UPDATE mailboxes SET kept_bytes = (SELECT COALESCE(SUM(size), 0) FROM blobs WHERE owner = mailboxes.user_id),
  kept_contents = (SELECT COUNT(*) FROM blobs WHERE owner = mailboxes.user_id),
  dirs = (SELECT COUNT(*) FROM dirs WHERE dirs.user_id = mailboxes.user_id AND fixed = 0);
DROP INDEX blobs_owner;

-- The consumer that must clear a drop before others see it, as it was configured
-- when the drop came; '' for none.
ALTER TABLE drops ADD COLUMN scanner TEXT NOT NULL DEFAULT '';
-- What is to be done in mailboxes is done user by user.
DROP INDEX drops_pending;
CREATE INDEX drops_pending ON drops (pending, user_id, settled_at, id) WHERE pending <> '';
-- An event that could not be handed out is tried again later.
ALTER TABLE outbox ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN retry_at BIGINT NOT NULL DEFAULT 0;
