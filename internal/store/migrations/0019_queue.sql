-- What the queue of requests asks: who is waited for, what is open, and whose it is.
CREATE INDEX requests_waits ON requests
  ((CASE WHEN waits_for = 'second_operator' THEN 'operator' ELSE waits_for END), id);
CREATE INDEX requests_open ON requests
  ((CASE WHEN state IN ('new', 'asked', 'approved', 'ready', 'entered') THEN 1 ELSE 0 END), id);
CREATE INDEX requests_owner ON requests (owner, id) WHERE owner <> '';

-- Names that look alike: store.alike. A list of letters that differs from this one would read every name.
CREATE INDEX users_alike ON users
  (REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(folded, '-', ''), '_', ''), '.', ''), '+', ''), '@', ''), ' ', ''), '0', 'o'), '1', 'l'), 'i', 'l'), 'rn', 'm'), 'vv', 'w'));
CREATE INDEX accounts_alike ON accounts
  (REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(folded, '-', ''), '_', ''), '.', ''), '+', ''), '@', ''), ' ', ''), '0', 'o'), '1', 'l'), 'i', 'l'), 'rn', 'm'), 'vv', 'w'));
