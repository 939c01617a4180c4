-- Outgoing webhooks: what their owners, and only what they, may see is sent to an endpoint of theirs.
CREATE TABLE webhooks (
  id uuid PRIMARY KEY,
  owner_id uuid NOT NULL REFERENCES users (id),
  -- Null: all channels of which the owner is a member at the time.
  channel_id uuid REFERENCES channels (id),
  url text NOT NULL,
  -- Host and port of the URL: what is limited and tried as one.
  host text NOT NULL,
  event_types text[] NOT NULL,
  description text NOT NULL DEFAULT '',
  -- As they are, because every delivery is signed with them; no answer but the one that made them has them.
  secret bytea NOT NULL,
  previous_secret bytea,
  previous_secret_until timestamptz,
  state text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled')),
  disabled_reason text CHECK (disabled_reason IN ('owner', 'gone', 'failing', 'backlogged', 'owner_deactivated', 'deleted')),
  disabled_at timestamptz,
  -- Since when every attempt has failed, how many those are, and until when there is none.
  failing_since timestamptz,
  failures integer NOT NULL DEFAULT 0,
  blocked_until timestamptz,
  -- Its deliveries go in parts, and then it.
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  version integer NOT NULL DEFAULT 1,
  CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL))
);
--> statement-breakpoint
CREATE INDEX webhooks_owner ON webhooks (owner_id, id);
--> statement-breakpoint
-- An event that at least one webhook is told of, once for all of them.
CREATE TABLE webhook_events (
  id uuid PRIMARY KEY,
  type text NOT NULL,
  -- Null: of a test.
  channel_id uuid,
  -- The message or file it is about. Of one that is deleted nothing goes out but that.
  subject_id uuid,
  at timestamptz NOT NULL,
  data jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX webhook_events_age ON webhook_events (created_at);
--> statement-breakpoint
CREATE TABLE webhook_deliveries (
  webhook_id uuid NOT NULL REFERENCES webhooks (id),
  event_id uuid NOT NULL,
  -- The order in which they came; lists page by it.
  number bigint GENERATED ALWAYS AS IDENTITY,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
  attempts integer NOT NULL DEFAULT 0,
  -- When it is due; while somebody sends it, when it is due should they never say what came of it.
  next_at timestamptz NOT NULL DEFAULT now(),
  -- Of whoever sends it.
  lease uuid,
  last_status integer,
  last_latency_ms integer,
  failure text,
  created_at timestamptz NOT NULL DEFAULT now(),
  settled_at timestamptz,
  PRIMARY KEY (webhook_id, event_id)
) WITH (fillfactor = 80);
--> statement-breakpoint
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at) WHERE status = 'pending';
--> statement-breakpoint
CREATE UNIQUE INDEX webhook_deliveries_log ON webhook_deliveries (webhook_id, number);
--> statement-breakpoint
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);
