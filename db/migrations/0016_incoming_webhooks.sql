-- Addresses at which programs post into a channel, each in the name of a bot of its own. Its secret is a credential of that bot, known by its hash alone.
CREATE TABLE incoming_webhooks (
  id uuid PRIMARY KEY,
  channel_id uuid NOT NULL REFERENCES channels (id),
  bot_id uuid NOT NULL REFERENCES users (id),
  -- No reference: credentials are purged some time after their end.
  credential_id uuid NOT NULL,
  created_by uuid NOT NULL REFERENCES users (id),
  created_at timestamptz NOT NULL,
  rotated_at timestamptz,
  revoked_at timestamptz
);
--> statement-breakpoint
CREATE INDEX incoming_webhooks_channel ON incoming_webhooks (channel_id, id) WHERE revoked_at IS NULL;
