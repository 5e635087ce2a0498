-- The audit log is listed by who did something, by what was done, by what it was done to
-- and for whom. Rows enter these indexes when they are sealed, many at a time, and not in the
-- transaction of the change: of what is not sealed yet, a list reads every row.
CREATE INDEX audit_actor ON audit (actor, id) WHERE seq IS NOT NULL;
CREATE INDEX audit_action ON audit (action, id) WHERE seq IS NOT NULL;
CREATE INDEX audit_subject ON audit (subject, id) WHERE seq IS NOT NULL;
DROP INDEX audit_user;
CREATE INDEX audit_user ON audit (user_id, id) WHERE seq IS NOT NULL;
