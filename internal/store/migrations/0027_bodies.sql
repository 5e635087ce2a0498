-- The bytes of small files are stored in the transaction of their rows, and moved to the blob store later. PostgreSQL
-- keeps them as they are: most files do not compress any more.
CREATE TABLE bodies (
  id      /*numbered*/, -- grows
  blob_id TEXT NOT NULL, -- of its row in blobs
  at      BIGINT NOT NULL,
  bytes   BYTEA NOT NULL
);
/*postgres*/ALTER TABLE bodies ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE blobs ADD COLUMN body BIGINT; -- in bodies; NULL: the blob store has the bytes

-- Grows with each change of the mailbox's directories, so that what is known of a path can be used again.
ALTER TABLE mailboxes ADD COLUMN tree BIGINT NOT NULL DEFAULT 1;
