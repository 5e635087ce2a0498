-- Made only because a directory below it was wanted: it goes with the last of these. Of older ones nobody knows, so
-- they stay.
ALTER TABLE dirs ADD COLUMN on_way BIGINT NOT NULL DEFAULT 0;
