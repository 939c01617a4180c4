-- One field of what is hashed: its length in bytes, a colon, its bytes; nothing (`-`) has no length. No two lists of fields read the same.
CREATE FUNCTION audit_field(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(octet_length(value) || ':' || value, '-')
$$;
--> statement-breakpoint
-- Who did what to whom. `seq` counts from 1 without gaps, in the order of commits; `hash` covers the row and the hash before it (docs/admin.md).
CREATE TABLE audit_log (
  seq bigint PRIMARY KEY CHECK (seq > 0),
  at timestamptz NOT NULL,
  act text NOT NULL,
  -- A user, or who works on the database itself (`cli:<name>`).
  actor_id uuid,
  actor_name text,
  credential_id uuid,
  target_kind text NOT NULL,
  target_id text,
  -- Not jsonb: hashed as it was written.
  details json NOT NULL,
  request_id text,
  previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
--> statement-breakpoint
CREATE INDEX audit_log_actor ON audit_log (actor_id, seq);
--> statement-breakpoint
CREATE INDEX audit_log_act ON audit_log (act, seq);
--> statement-breakpoint
CREATE INDEX audit_log_target ON audit_log (target_id, seq);
--> statement-breakpoint
CREATE INDEX audit_log_at ON audit_log (at, seq);
--> statement-breakpoint
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_log takes new rows only' USING ERRCODE = 'restrict_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
-- Acts of transactions under way. At commit each is sealed into audit_log, so that nobody outside ever sees a row here.
CREATE TABLE audit_intake (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  act text NOT NULL CHECK (act ~ '^[a-z_]{1,40}[.][a-z_]{1,40}$'),
  actor_id uuid,
  actor_name text CHECK (octet_length(actor_name) <= 200),
  credential_id uuid,
  target_kind text NOT NULL CHECK (octet_length(target_kind) <= 40),
  target_id text CHECK (octet_length(target_id) <= 100),
  details json NOT NULL CHECK (octet_length(details::text) <= 8192),
  request_id text CHECK (octet_length(request_id) <= 100),
  CHECK (num_nonnulls(actor_id, actor_name) = 1)
);
--> statement-breakpoint
-- Runs at commit, when the transaction waits for nothing else any more: the chain is held for as long as a commit takes, however far or slow its client is.
CREATE FUNCTION seal_audit_act() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  head audit_log;
  sealed audit_log;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('colink.audit', 0));
  SELECT * INTO head FROM audit_log ORDER BY seq DESC LIMIT 1;
  sealed.seq := coalesce(head.seq, 0) + 1;
  sealed.at := greatest(date_trunc('milliseconds', clock_timestamp()), head.at);
  sealed.act := NEW.act;
  sealed.actor_id := NEW.actor_id;
  sealed.actor_name := NEW.actor_name;
  sealed.credential_id := NEW.credential_id;
  sealed.target_kind := NEW.target_kind;
  sealed.target_id := NEW.target_id;
  sealed.details := NEW.details;
  sealed.request_id := NEW.request_id;
  sealed.previous_hash := coalesce(head.hash, decode(repeat('00', 32), 'hex'));
  sealed.hash := sha256(convert_to('colink.audit.v1'
    || audit_field(encode(sealed.previous_hash, 'hex')) || audit_field(sealed.seq::text)
    || audit_field(to_char(sealed.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    || audit_field(sealed.act) || audit_field(sealed.actor_id::text) || audit_field(sealed.actor_name) || audit_field(sealed.credential_id::text)
    || audit_field(sealed.target_kind) || audit_field(sealed.target_id) || audit_field(sealed.details::text) || audit_field(sealed.request_id), 'UTF8'));
  INSERT INTO audit_log VALUES (sealed.*);
  DELETE FROM audit_intake WHERE id = NEW.id;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER audit_intake_seal AFTER INSERT ON audit_intake DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION seal_audit_act();
--> statement-breakpoint
-- Messages that somebody who moderates has ordered to be removed. The room does it; until it has, it is told again. The order outlives the message.
CREATE TABLE message_removals (
  message_id uuid PRIMARY KEY,
  event_id uuid NOT NULL,
  channel_id uuid NOT NULL REFERENCES channels (id),
  moderator_id uuid NOT NULL REFERENCES users (id),
  reason text NOT NULL,
  ordered_at timestamptz NOT NULL
);
--> statement-breakpoint
-- Messages that members think somebody who moderates should look at.
CREATE TABLE message_reports (
  id uuid PRIMARY KEY,
  message_id uuid NOT NULL,
  channel_id uuid NOT NULL REFERENCES channels (id),
  author_id uuid NOT NULL REFERENCES users (id),
  reporter_id uuid NOT NULL REFERENCES users (id),
  reason text NOT NULL CHECK (reason IN ('spam', 'harassment', 'illegal', 'sensitive', 'other')),
  comment text NOT NULL,
  -- The message as it was reported, while the report is open.
  snapshot text,
  created_at timestamptz NOT NULL,
  resolved_at timestamptz,
  resolved_by uuid REFERENCES users (id),
  action text CHECK (action IN ('dismiss', 'remove_message')),
  note text,
  CHECK ((resolved_at IS NULL) = (action IS NULL)),
  CHECK (resolved_at IS NULL OR snapshot IS NULL)
);
--> statement-breakpoint
CREATE UNIQUE INDEX message_reports_once ON message_reports (message_id, reporter_id);
--> statement-breakpoint
CREATE INDEX message_reports_open ON message_reports (id) WHERE resolved_at IS NULL;
--> statement-breakpoint
CREATE INDEX message_reports_resolved ON message_reports (id) WHERE resolved_at IS NOT NULL;
--> statement-breakpoint
CREATE INDEX message_reports_reporter ON message_reports (reporter_id) WHERE resolved_at IS NULL;
--> statement-breakpoint
CREATE INDEX message_reports_author ON message_reports (author_id) WHERE snapshot IS NOT NULL;
--> statement-breakpoint
-- Exports that were begun, which can be gone on with for a day; and how far each of their channels was then.
CREATE TABLE exports (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id),
  include_private boolean NOT NULL,
  started_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE TABLE export_channels (
  export_id uuid NOT NULL REFERENCES exports (id) ON DELETE CASCADE,
  channel_id uuid NOT NULL REFERENCES channels (id),
  as_of_seq bigint NOT NULL,
  PRIMARY KEY (export_id, channel_id)
);
