-- The rest of what is known of a feed's numbers: JSON, exchange.Sequence.
ALTER TABLE feed_sequences ADD COLUMN state TEXT NOT NULL DEFAULT '{}';
