-- Browsers that are to be told of notices by Web Push. Each ends with the credential that made it.
CREATE TABLE push_subscriptions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id),
  credential_id uuid NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
  -- Who knows it can send to the browser. A browser has one for a site, so it is one user's.
  endpoint text NOT NULL CHECK (octet_length(endpoint) <= 1024),
  -- Host and port of the endpoint: what fails as one.
  host text NOT NULL,
  -- What is sent is encrypted for these (RFC 8291).
  p256dh bytea NOT NULL CHECK (octet_length(p256dh) = 65),
  auth bytea NOT NULL CHECK (octet_length(auth) = 16),
  created_at timestamptz NOT NULL,
  -- When something is to be sent; while somebody sends, when it is due should they never say what came of it. Null: nothing waits.
  due_at timestamptz,
  -- Of whoever sends.
  lease uuid,
  -- Attempts that have failed one after the other, and since when.
  failures integer NOT NULL DEFAULT 0,
  failing_since timestamptz
) WITH (fillfactor = 80);
--> statement-breakpoint
CREATE UNIQUE INDEX push_subscriptions_endpoint ON push_subscriptions (endpoint);
--> statement-breakpoint
CREATE INDEX push_subscriptions_user ON push_subscriptions (user_id, id);
--> statement-breakpoint
CREATE INDEX push_subscriptions_credential ON push_subscriptions (credential_id);
--> statement-breakpoint
CREATE INDEX push_subscriptions_due ON push_subscriptions (due_at) WHERE due_at IS NOT NULL;
--> statement-breakpoint
-- A notice that a browser is to be told of, or was. What it says is looked up when it is sent.
CREATE TABLE pushes (
  subscription_id uuid NOT NULL REFERENCES push_subscriptions (id) ON DELETE CASCADE,
  -- Of `notifications`, by its id and, of the subscription's user, its seq.
  notice_id uuid NOT NULL,
  notice_seq bigint NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'dropped')),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (subscription_id, notice_id)
);
--> statement-breakpoint
CREATE INDEX pushes_waiting ON pushes (subscription_id, notice_seq) WHERE status = 'pending';
--> statement-breakpoint
CREATE INDEX pushes_age ON pushes (created_at);
