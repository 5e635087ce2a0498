-- Which node serves this database (PostgreSQL; with SQLite, the data folder's
-- lock says it). One row. Times are by the database's clock.
CREATE TABLE lease (
  id         BIGINT PRIMARY KEY,
  term       BIGINT NOT NULL, -- grows with every holder; a transaction of an older one is refused
  holder     TEXT NOT NULL,   -- empty: nobody
  lock       TEXT NOT NULL,   -- the lock on its data folder that the holder has; empty: not known
  since      BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
INSERT INTO lease (id, term, holder, lock, since, expires_at) VALUES (1, 0, '', '', 0, 0);
