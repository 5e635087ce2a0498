-- Account IDs and usernames are kept as written, and are the same without regard to case.
ALTER TABLE accounts ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE accounts SET folded = LOWER(id);
CREATE UNIQUE INDEX accounts_folded ON accounts (folded);
ALTER TABLE users ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE users SET folded = LOWER(name);
CREATE UNIQUE INDEX users_folded ON users (folded);
