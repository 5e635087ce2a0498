-- The rest of what is known of a feed's numbers: JSON, exchange.Sequence.
ALTER TABLE feed_sequences ADD COLUMN state TEXT NOT NULL DEFAULT '{}';

-- What people read in place of the feed's name; '' for the name.
ALTER TABLE feeds ADD COLUMN title TEXT NOT NULL DEFAULT '';
-- Time zone of dated folders; '' for the configured one.
ALTER TABLE feeds ADD COLUMN zone TEXT NOT NULL DEFAULT '';
-- What becomes of content that is not what its name says: refuse, flag, off; '' as configured.
ALTER TABLE feeds ADD COLUMN checks TEXT NOT NULL DEFAULT '';
-- Why the content does not look like what the name says; '' if it does.
ALTER TABLE publications ADD COLUMN flag TEXT NOT NULL DEFAULT '';

-- What a partner may do with delivered files: look, remove; '' as the user's template says.
ALTER TABLE users ADD COLUMN feeds_may TEXT NOT NULL DEFAULT '';
-- The same of one feed's; '' as the user says.
ALTER TABLE subscriptions ADD COLUMN may TEXT NOT NULL DEFAULT '';

-- When the partner removed or renamed the delivered file; its bytes stay.
ALTER TABLE deliveries ADD COLUMN taken_at BIGINT;
CREATE INDEX deliveries_taken ON deliveries (user_id, path) WHERE taken_at IS NOT NULL;
-- An issue that a newer one took the place of before it was downloaded in full.
UPDATE deliveries SET state = 'replaced', ended_at = (SELECT MIN(n.stored_at) FROM versions v JOIN versions n ON n.file_id = v.file_id
    WHERE v.id = deliveries.version_id AND n.id > v.id)
  WHERE state IN ('published', 'opened') AND EXISTS (SELECT 1 FROM versions v JOIN files f ON f.file_id = v.file_id
    WHERE v.id = deliveries.version_id AND f.version_id <> v.id);

-- Files that count for an expectation have at least so many bytes and lines.
ALTER TABLE expectations ADD COLUMN least_bytes BIGINT NOT NULL DEFAULT 1;
ALTER TABLE expectations ADD COLUMN least_rows BIGINT NOT NULL DEFAULT 0;
CREATE INDEX drops_received ON drops (user_id, received_at);
