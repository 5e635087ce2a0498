-- Few received files are withdrawn, duplicates or not as expected; inbox list --state looks for them.
CREATE INDEX drops_withdrawn ON drops (id) WHERE withdrawn = 1;
CREATE INDEX drops_duplicate ON drops (id) WHERE duplicate <> '';
CREATE INDEX drops_odd ON drops (id) WHERE flag <> '';
