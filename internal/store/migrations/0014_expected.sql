-- Larger files are not as expected; 0: any size is.
ALTER TABLE expectations ADD COLUMN most_bytes BIGINT NOT NULL DEFAULT 0;

-- What is not as expected about a received file, in words; '' for nothing.
ALTER TABLE drops ADD COLUMN flag TEXT NOT NULL DEFAULT '';

-- Each received file asks what is expected of its user.
CREATE INDEX expectations_user ON expectations (user_id);
