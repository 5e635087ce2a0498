-- Language of letters, as a tag: de, pt-BR. '' of a contact: its account's; '' of an account: the configured one.
ALTER TABLE accounts ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE contacts ADD COLUMN language TEXT NOT NULL DEFAULT '';

-- Whether a contact hears of each file that was received: each, daily; '' not.
ALTER TABLE contacts ADD COLUMN received TEXT NOT NULL DEFAULT '';
-- Of an account's contact: whether that is so of its vendors' files, too.
ALTER TABLE contacts ADD COLUMN received_vendors BIGINT NOT NULL DEFAULT 0;
CREATE INDEX contacts_received ON contacts (account_id, vendor) WHERE received <> '';

-- Files attached to a mail: JSON; '' for none.
ALTER TABLE messages ADD COLUMN files TEXT NOT NULL DEFAULT '';
-- The end of a one-time link, sealed with secrets.key; '' once the mail was sent.
ALTER TABLE messages ADD COLUMN secret TEXT NOT NULL DEFAULT '';
CREATE INDEX messages_secret ON messages (created_at) WHERE secret <> '';
