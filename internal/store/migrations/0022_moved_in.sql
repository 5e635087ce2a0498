-- What was moved in from another server, as it was there, so that a repeated import finds what is new or changed.
CREATE TABLE moved_in (
  user_id    TEXT NOT NULL REFERENCES users (id),
  path       BYTEA NOT NULL, -- in the mailbox, where it was put
  size       BIGINT NOT NULL, -- in bytes; -1: a directory
  mtime      BIGINT NOT NULL,
  ctime      BIGINT NOT NULL, -- when its inode was changed; 0: not compared
  file_id    TEXT NOT NULL, -- of a directory, the directory's id
  version_id TEXT NOT NULL, -- '' for a directory
  PRIMARY KEY (user_id, path)
) /*clustered*/;
