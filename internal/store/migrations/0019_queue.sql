-- What the queue of requests asks: who is waited for, what is open, and whose it is.
CREATE INDEX requests_waits ON requests
  ((CASE WHEN waits_for = 'second_operator' THEN 'operator' ELSE waits_for END), id);
CREATE INDEX requests_open ON requests (id) WHERE state IN ('new', 'asked', 'approved', 'ready', 'entered');
CREATE INDEX requests_owner ON requests (owner, id) WHERE owner <> '';
