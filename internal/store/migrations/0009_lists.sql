-- The audit log is listed by who did something, by what was done and by what it was done
-- to; user_id has its index already.
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_subject ON audit (subject, id);
