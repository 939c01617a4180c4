-- Access tokens of the identity provider are credentials too, known by their hash from their first use on: whatever ends the access of a
-- session ends theirs.
ALTER TABLE credentials DROP CONSTRAINT credentials_kind_check;
--> statement-breakpoint
ALTER TABLE credentials ADD CONSTRAINT credentials_kind_check CHECK (kind IN ('session', 'personal', 'bot', 'provider'));
--> statement-breakpoint
-- To the hour: what a person needs to tell a device that is in use from one that is forgotten.
ALTER TABLE credentials ADD COLUMN last_used_at timestamptz;
--> statement-breakpoint
-- Whoever answers for a bot; null for people.
ALTER TABLE users ADD COLUMN bot_owner_id uuid REFERENCES users (id);
--> statement-breakpoint
UPDATE credentials SET scopes = scopes || '{credentials}'::text[] WHERE kind = 'session' AND NOT 'credentials' = ANY (scopes);
--> statement-breakpoint
CREATE INDEX credentials_end ON credentials (expires_at);
