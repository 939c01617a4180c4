-- Settled dead letters are purged after 30 days. The acts on them stay, as the record of who did what: they hold nothing of what was written.
ALTER TABLE dead_letter_acts DROP CONSTRAINT dead_letter_acts_dead_letter_id_fkey;
--> statement-breakpoint
CREATE INDEX dead_letters_settled ON dead_letters (last_failed_at) WHERE status IN ('redriven', 'discarded');
