-- Numbers of what happened to connections, in the order in which it was committed, so that a stream of
-- them can be taken up again. Records from before have none.
ALTER TABLE connections ADD COLUMN begin_seq BIGINT; -- the log-in, or the refusal
ALTER TABLE connections ADD COLUMN end_seq BIGINT; -- the end of a session
CREATE UNIQUE INDEX connections_begin ON connections (begin_seq) WHERE begin_seq IS NOT NULL;
CREATE UNIQUE INDEX connections_end ON connections (end_seq) WHERE end_seq IS NOT NULL;
INSERT INTO counters (name, value) VALUES ('connection.events', 0);
